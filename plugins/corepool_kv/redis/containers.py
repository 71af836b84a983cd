"""Commands that are containers of subcommands. HELP is made from this table."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from corepool_kv.redis.asking_rows import ASKS, ASKS_BEFORE_EXEC
from corepool_kv.redis.commands import (
    blocking,
    clients,
    config,
    empty,
    killing,
    objects,
    overseeing,
    pubsub,
)
from corepool_kv.redis.commands import scripting as scripts
from corepool_kv.redis.commands.about import About
from corepool_kv.redis.container_rows import (
    ACL,
    FUNCTION,
    FUNCTION_READS,
    LATENCY,
    SLOWLOG_CHANGES,
    SLOWLOG_READS,
    function_rows,
)
from corepool_kv.redis.entry import Command
from corepool_kv.redis.stream_rows import GROUPS, INFO
from corepool_kv.redis.subcommand_flags import OF_HELP, flags_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corepool_kv.redis.commands.scripting import Scripting
    from corepool_kv.redis.container_rows import DataRow, Row, WriteRow
    from corepool_kv.redis.entry import OnSession
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState


_HELP_SINCE = {
    "acl": "6.0.0",
    "function": "7.0.0",
    "latency": "2.8.13",
    "memory": "4.0.0",
    "object": "6.2.0",
    "pubsub": "6.2.0",
    "slowlog": "6.2.0",
}


def _container(
    name: str,
    group: str,
    since: str,
    summary: str,
    rows: tuple[Row, ...],
    on_session: OnSession | None = None,
    on_data: tuple[DataRow, ...] = (),
    on_both: tuple[WriteRow, ...] = (),
    more: tuple[Command, ...] = (),
) -> Command:
    subcommands = {
        word.lower().encode(): Command(
            f"{name}|{word.lower()}".encode(),
            arity,
            flags_of(name, word.lower()),
            (0, 0, 0),
            group,
            first,
            text,
            on_session=handler,
            syntax=f"{word} {syntax}".rstrip(),
            asks=ASKS.get(f"{name}|{word.lower()}"),
            asks_before_exec=f"{name}|{word.lower()}" in ASKS_BEFORE_EXEC,
        )
        for word, syntax, handler, arity, first, text in rows
    }
    subcommands |= {
        word.lower().encode(): Command(
            f"{name}|{word.lower()}".encode(),
            arity,
            frozenset(("readonly",)),
            (2, 2, 1),
            group,
            first,
            text,
            on_data=read,
            syntax=f"{word} {syntax}",
        )
        for word, syntax, read, arity, first, text in on_data
    }
    subcommands |= {
        word.lower().encode(): Command(
            f"{name}|{word.lower()}".encode(),
            arity,
            flags_of(name, word.lower()),
            (0, 0, 0),
            group,
            first,
            text,
            on_both=change,
            is_transaction=True,
            syntax=f"{word} {syntax}".rstrip(),
        )
        for word, syntax, change, arity, first, text in on_both
    }
    subcommands |= {each.name.partition(b"|")[2]: each for each in more}
    lines = [f"{name.upper()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
    if on_session is not None:
        lines += ["(no subcommand)", f"    {summary}"]
    for each in subcommands.values():
        lines += [each.syntax, f"    {each.summary}"]
    lines += ["HELP", "    Prints this help."]

    def help_(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
        return list(lines)

    subcommands[b"help"] = Command(
        f"{name}|help".encode(),
        2,
        OF_HELP,
        (0, 0, 0),
        group,
        _HELP_SINCE.get(name, "5.0.0"),
        "Print the subcommands.",
        on_session=help_,
    )
    arity = -1 if on_session is not None else -2
    flags = frozenset[str]() if on_session is None else flags_of(name, "")
    table = MappingProxyType(subcommands)
    return Command(
        name.encode(), arity, flags, (0, 0, 0), group, since, summary, on_session=on_session, subcommands=table
    )


_CLIENT: tuple[Row, ...] = (
    ("GETNAME", "", clients.getname, 2, "2.6.9", "Return the name of the current connection."),
    ("GETREDIR", "", clients.getredir, 2, "6.0.0", "Return -1: there is no tracking, and no redirection."),
    ("ID", "", clients.id_, 2, "5.0.0", "Return the ID of the current connection."),
    ("INFO", "", clients.info, 2, "6.2.0", "Return information about the current connection."),
    (
        "LIST",
        "[TYPE (NORMAL|MASTER|REPLICA|PUBSUB) | ID <id> [<id> ...]]",
        clients.list_,
        -2,
        "2.4.0",
        "Return information about the connections, of all workers.",
    ),
    ("NO-EVICT", "(ON|OFF)", clients.switch, 3, "7.0.0", "Accepted: connections are never evicted."),
    (
        "PAUSE",
        "<timeout> [WRITE|ALL]",
        overseeing.pause,
        -3,
        "2.9.50",
        "Suspend all, or all write, clients for <timeout> ms.",
    ),
    ("REPLY", "(ON|OFF|SKIP)", overseeing.reply, 3, "3.2.0", "Control the replies sent to the current connection."),
    ("TRACKING", "(ON|OFF) ...", overseeing.tracking, -3, "6.0.0", "Refused: there is no client-side caching."),
    ("CACHING", "(YES|NO)", overseeing.caching, 3, "6.0.0", "Refused: there is no client-side caching."),
    ("UNPAUSE", "", overseeing.unpause, 2, "6.2.0", "Stop the current client pause, resuming traffic."),
    ("NO-TOUCH", "(ON|OFF)", clients.switch, 3, "7.2.0", "Accepted: reading a key changes nothing about it."),
    ("SETINFO", "(LIB-NAME|LIB-VER) <value>", clients.setinfo, 4, "7.2.0", "Set the name or version of the library."),
    ("SETNAME", "<name>", clients.setname, 3, "2.6.9", "Assign the name <name> to the current connection."),
    ("TRACKINGINFO", "", clients.trackinginfo, 2, "6.2.0", "Report that nothing is tracked."),
)
_KILL = Command(
    b"client|kill",
    -3,
    frozenset(("admin", "noscript", "loading", "stale")),
    (0, 0, 0),
    "connection",
    "2.4.0",
    "End connections, of any worker.",
    on_both=killing.kill,
    asks=killing.question,
    asks_before_exec=True,
    syntax="KILL <ip:port> | (ID <id>|TYPE <type>|ADDR <ip:port>|LADDR <ip:port>|USER <name>|SKIPME (YES|NO)) ...",
)
_UNBLOCK = Command(
    b"client|unblock",
    -3,
    frozenset(("admin", "noscript", "loading", "stale")),
    (0, 0, 0),
    "connection",
    "5.0.0",
    "End the wait of a client, of any worker.",
    on_both=blocking.unblock,
    is_transaction=True,
    syntax="UNBLOCK <clientid> [TIMEOUT|ERROR]",
)
_CONFIG: tuple[Row, ...] = (
    ("GET", "<pattern> [<pattern> ...]", config.get, -3, "2.0.0", "Return the settings that match the patterns."),
    ("RESETSTAT", "", overseeing.resetstat, 2, "2.0.0", "Reset the statistics of INFO, in all workers."),
    ("REWRITE", "", config.rewrite, 2, "2.8.0", "Refused: the pool's configuration file is the operator's."),
)
_CONFIG_CHANGES: tuple[WriteRow, ...] = (
    ("SET", "<directive> <value> [<directive> <value> ...]", config.set_, -4, "2.0.0", "Set settings, in all workers."),
)
_MODULE: tuple[Row, ...] = (("LIST", "", empty.nothing, 2, "4.0.0", "Return the modules: none."),)
_PUBSUB: tuple[Row, ...] = (
    ("CHANNELS", "[<pattern>]", pubsub.channels, -2, "2.8.0", "Return the active channels that match a pattern."),
    ("NUMPAT", "", pubsub.numpat, 2, "2.8.0", "Return the number of patterns that clients have subscribed to."),
    ("NUMSUB", "[<channel> ...]", pubsub.numsub, -2, "2.8.0", "Return the numbers of subscribers of channels."),
    ("SHARDCHANNELS", "[<pattern>]", pubsub.shardchannels, -2, "7.0.0", "Return the active shard channels."),
    ("SHARDNUMSUB", "[<channel> ...]", pubsub.shardnumsub, -2, "7.0.0", "Return the subscribers of shard channels."),
)
_SCRIPT: tuple[Row, ...] = (
    ("KILL", "", empty.not_busy, 2, "2.6.0", "Kill the script that is running: none runs when this is asked."),
)


def _script_rows(scripting: Scripting) -> tuple[WriteRow, ...]:
    return (
        ("EXISTS", "<sha1> [<sha1> ...]", scripts.exists, -3, "2.6.0", "Return which scripts are known."),
        ("FLUSH", "[ASYNC|SYNC]", scripts.flush, -2, "2.6.0", "Forget all scripts, in all workers."),
        ("LOAD", "<script>", scripting.load, 3, "2.6.0", "Keep a script for EVALSHA, in all workers."),
    )


_MEMORY: tuple[DataRow, ...] = (
    ("USAGE", "<key> [SAMPLES <count>]", objects.usage, -3, "4.0.0", "Return about how many bytes a key takes."),
)
_OBJECT: tuple[DataRow, ...] = (
    ("ENCODING", "<key>", objects.encoding, 3, "2.2.3", "Return the encoding that Redis would choose for the value."),
    ("FREQ", "<key>", objects.freq, 3, "4.0.0", "Return an error: frequencies are not tracked."),
    ("IDLETIME", "<key>", objects.idletime, 3, "2.2.3", "Return 0: the time of the last access is not tracked."),
    ("REFCOUNT", "<key>", objects.refcount, 3, "2.2.3", "Return 1."),
)


def make_containers(commands: Mapping[bytes, Command], scripting: Scripting) -> tuple[Command, ...]:
    """Return all containers.

    :param commands: the table that COMMAND is answered from; it may be filled later.
    :param scripting: keeps and runs scripts.
    """
    about = About(commands)
    cat = ("CAT", "[<category>]", about.cat, -2, "6.0.0", "List the categories, or the commands of one.")
    rows: tuple[Row, ...] = (
        ("COUNT", "", about.count, 2, "2.8.13", "Return the number of commands in this server."),
        (
            "LIST",
            "[FILTERBY (PATTERN <pattern>|MODULE <name>|ACLCAT <category>)]",
            about.list_,
            -2,
            "7.0.0",
            "Return the names of the commands.",
        ),
        ("INFO", "[<command-name> ...]", about.info, -2, "2.8.13", "Return details about commands, all by default."),
        ("DOCS", "[<command-name> ...]", about.docs, -2, "7.0.0", "Return documentation of commands, all by default."),
        ("GETKEYS", "<full-command>", about.getkeys, -4, "2.8.13", "Return the keys of a full command."),
    )
    return (
        _container("acl", "server", "6.0.0", "Ask about users.", (cat, *ACL)),
        _container("client", "connection", "2.4.0", "Ask and tell about clients.", _CLIENT, more=(_KILL, _UNBLOCK)),
        _container("command", "server", "2.8.13", "Return details about all commands.", rows, about.every),
        _container("config", "server", "2.0.0", "Ask about and change the settings.", _CONFIG, on_both=_CONFIG_CHANGES),
        _container(
            "function",
            "scripting",
            "7.0.0",
            "Keep and forget functions.",
            FUNCTION,
            on_both=function_rows(scripting),
            more=FUNCTION_READS,
        ),
        _container("latency", "server", "2.8.13", "Ask about latencies, which are not sampled.", LATENCY),
        _container("memory", "server", "4.0.0", "Ask about memory.", (), on_data=_MEMORY),
        _container("module", "server", "4.0.0", "Ask about modules; there are none.", _MODULE),
        _container("object", "generic", "2.2.3", "Ask about the value of a key.", (), on_data=_OBJECT),
        _container("pubsub", "pubsub", "2.8.0", "Ask about channels and their subscribers.", _PUBSUB),
        _container(
            "script", "scripting", "2.6.0", "Keep and forget scripts.", _SCRIPT, on_both=_script_rows(scripting)
        ),
        _container(
            "slowlog",
            "server",
            "2.2.12",
            "Ask about slow commands, of all workers.",
            (),
            on_both=SLOWLOG_CHANGES,
            more=SLOWLOG_READS,
        ),
        _container("xgroup", "stream", "5.0.0", "Create, change and remove groups of consumers.", (), more=GROUPS),
        _container("xinfo", "stream", "5.0.0", "Ask about streams, groups and consumers.", (), on_data=INFO),
    )
