"""The table of all commands: COMMAND is answered from it, and docs/kv.md is made from it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from corepool_kv.redis.bit_rows import ON_BITS
from corepool_kv.redis.blocking_rows import THAT_WAIT
from corepool_kv.redis.collection_rows import ON_COLLECTIONS
from corepool_kv.redis.commands import (
    connection,
    debugging,
    dumping,
    info,
    keys,
    overseeing,
    server,
    strings,
    swapping,
    times,
)
from corepool_kv.redis.commands.scripting import Scripting
from corepool_kv.redis.containers import make_containers
from corepool_kv.redis.entry import Command
from corepool_kv.redis.pubsub_rows import ON_CHANNELS
from corepool_kv.redis.script_rows import on_scripts
from corepool_kv.redis.stream_rows import ON_STREAMS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corepool_kv.redis.entry import OnData, OnSession


def _data(name: str, handler: OnData, arity: int, flags: str, last: int, since: str, summary: str) -> Command:
    keys_at = (1, last, 1) if last else (0, 0, 0)
    group = "string" if handler.__module__ == strings.__name__ else "generic"
    group = "server" if name in ("dbsize", "flushall", "flushdb") else group
    return Command(name.encode(), arity, frozenset(flags.split()), keys_at, group, since, summary, on_data=handler)


def _session(name: str, handler: OnSession, arity: int, flags: str, since: str, summary: str) -> Command:
    group = "connection" if handler.__module__ == connection.__name__ else "server"
    return Command(name.encode(), arity, frozenset(flags.split()), (0, 0, 0), group, since, summary, on_session=handler)


def _transaction(name: str, arity: int, flags: str, last: int, summary: str) -> Command:
    keys_at = (1, last, 1) if last else (0, 0, 0)
    since = {"discard": "2.0.0", "unwatch": "2.2.0", "watch": "2.2.0"}.get(name, "1.2.0")
    return Command(name.encode(), arity, frozenset(flags.split()), keys_at, "transactions", since, summary)


_READ, _WRITE = "readonly fast", "write denyoom fast"
_ALWAYS = "noscript loading stale fast allow_busy"
_BEFORE_AUTH = "noscript loading stale fast no_auth allow_busy"

_PLAIN = (
    _data("append", strings.append, 3, _WRITE, 1, "2.0.0", "Append to a value."),
    _data("copy", keys.copy, -3, "write denyoom", 2, "6.2.0", "Copy a value to another key."),
    _data("dbsize", keys.dbsize, 1, _READ, 0, "1.0.0", "Count the keys."),
    _data("decr", strings.decr, 2, _WRITE, 1, "1.0.0", "Decrement a number by one."),
    _data("decrby", strings.decrby, 3, _WRITE, 1, "1.0.0", "Decrement a number."),
    _data("del", keys.delete, -2, "write", -1, "1.0.0", "Remove keys."),
    _data("dump", dumping.dump_, 2, "readonly", 1, "2.6.0", "Serialize a value."),
    _data("exists", keys.exists, -2, _READ, -1, "1.0.0", "Count how many of the keys exist."),
    _data("expire", times.expire, -3, "write fast", 1, "1.0.0", "Let a key expire in some seconds."),
    _data("expireat", times.expireat, -3, "write fast", 1, "1.2.0", "Let a key expire at a second since the epoch."),
    _data("expiretime", times.expiretime, 2, _READ, 1, "7.0.0", "Tell the second at which a key expires."),
    _data("flushall", keys.flushall, -1, "write", 0, "1.0.0", "Remove every key of every database."),
    _data("flushdb", keys.flushdb, -1, "write", 0, "1.0.0", "Remove every key."),
    _data("get", strings.get, 2, _READ, 1, "1.0.0", "Get a value."),
    _data("getdel", strings.getdel, 2, "write fast", 1, "6.2.0", "Get a value and remove its key."),
    _data("getex", strings.getex, -2, "write fast", 1, "6.2.0", "Get a value and set when it expires."),
    _data("getrange", strings.getrange, 4, "readonly", 1, "2.4.0", "Get a part of a value."),
    _data("getset", strings.getset, 3, _WRITE, 1, "1.0.0", "Set a value and get the one before."),
    _data("incr", strings.incr, 2, _WRITE, 1, "1.0.0", "Increment a number by one."),
    _data("incrby", strings.incrby, 3, _WRITE, 1, "1.0.0", "Increment a number."),
    _data("incrbyfloat", strings.incrbyfloat, 3, _WRITE, 1, "2.6.0", "Increment a floating-point number."),
    _data("keys", keys.keys, 2, "readonly", 0, "1.0.0", "List the keys that match a pattern."),
    _data("lcs", strings.lcs, -3, "readonly", 2, "7.0.0", "Find the longest common subsequence of two values."),
    _data("mget", strings.mget, -2, _READ, -1, "1.0.0", "Get several values."),
    Command(
        b"mset", -3, frozenset(("write", "denyoom")), (1, -1, 2), "string", "1.0.1", "Set several values.", strings.mset
    ),
    Command(
        b"msetnx",
        -3,
        frozenset(("write", "denyoom")),
        (1, -1, 2),
        "string",
        "1.0.1",
        "Set several values if none of the keys exists.",
        strings.msetnx,
    ),
    _data("move", keys.move, 3, "write fast", 1, "1.0.0", "Move a key to another database."),
    _data("persist", times.persist, 2, "write fast", 1, "2.2.0", "Remove the expiry of a key."),
    _data("pexpire", times.pexpire, -3, "write fast", 1, "2.6.0", "Let a key expire in some milliseconds."),
    _data("pexpireat", times.pexpireat, -3, "write fast", 1, "2.6.0", "Let a key expire at a millisecond."),
    _data("pexpiretime", times.pexpiretime, 2, _READ, 1, "7.0.0", "Tell the millisecond at which a key expires."),
    _data("psetex", strings.psetex, 4, "write denyoom", 1, "2.6.0", "Set a value for some milliseconds."),
    _data("pttl", times.pttl, 2, _READ, 1, "2.6.0", "Tell in how many milliseconds a key expires."),
    _data("randomkey", keys.randomkey, 1, "readonly", 0, "1.0.0", "Return a random key."),
    _data("rename", keys.rename, 3, "write", 2, "1.0.0", "Rename a key."),
    _data("renamenx", keys.renamenx, 3, "write fast", 2, "1.0.0", "Rename a key if the new name is free."),
    _data("restore", dumping.restore, -4, "write denyoom", 1, "2.6.0", "Store a serialized value."),
    _data("scan", keys.scan, -2, "readonly", 0, "2.8.0", "List keys a few at a time."),
    _data("set", strings.set_, -3, "write denyoom", 1, "1.0.0", "Set a value."),
    _data("setex", strings.setex, 4, "write denyoom", 1, "2.0.0", "Set a value for some seconds."),
    _data("setnx", strings.setnx, 3, _WRITE, 1, "1.0.0", "Set a value if its key does not exist."),
    _data("setrange", strings.setrange, 4, "write denyoom", 1, "2.2.0", "Overwrite a part of a value."),
    _data("strlen", strings.strlen, 2, _READ, 1, "2.2.0", "Tell the length of a value."),
    _data("substr", strings.getrange, 4, "readonly", 1, "1.0.0", "Get a part of a value; GETRANGE's old name."),
    _data("touch", keys.touch, -2, _READ, -1, "3.2.1", "Use keys, and count how many of them exist."),
    _data("ttl", times.ttl, 2, _READ, 1, "1.0.0", "Tell in how many seconds a key expires."),
    _data("type", keys.type_, 2, _READ, 1, "1.0.0", "Tell what a key holds."),
    _data("unlink", keys.delete, -2, "write fast", -1, "4.0.0", "Remove keys."),
    _session("auth", connection.auth, -2, _BEFORE_AUTH, "1.0.0", "Authenticate with a password."),
    _session("echo", connection.echo, 2, "loading stale fast", "1.0.0", "Return the given text."),
    _session("hello", connection.hello, -1, _BEFORE_AUTH, "6.0.0", "Choose the protocol's version."),
    _session("ping", connection.ping, -1, "fast", "1.0.0", "Check that the server answers."),
    _session("quit", connection.quit_, -1, _BEFORE_AUTH, "1.0.0", "Close the connection."),
    _session("reset", connection.reset, 1, _BEFORE_AUTH, "6.2.0", "Reset the connection to its initial state."),
    _session("select", connection.select, 2, "loading stale fast", "1.0.0", "Select one of 16 databases."),
    _session("role", server.role, 1, "noscript loading stale fast", "2.8.12", "Tell the role in replication: master."),
    _session("time", server.time_, 1, "loading stale fast", "2.6.0", "Tell the server's time."),
    Command(
        b"info",
        -1,
        frozenset(("loading", "stale")),
        (0, 0, 0),
        "server",
        "1.0.0",
        "Tell about the server.",
        on_both=info.info,
    ),
    Command(
        b"debug",
        -2,
        frozenset(("admin", "noscript", "loading", "stale")),
        (0, 0, 0),
        "server",
        "1.0.0",
        "Help with tests; off by default.",
        on_both=debugging.debug,
    ),
    Command(
        b"monitor",
        1,
        frozenset(("admin", "noscript", "loading", "stale")),
        (0, 0, 0),
        "server",
        "1.0.0",
        "Show the commands of all clients, of all workers.",
        on_session=overseeing.monitor,
        asks=overseeing.ask_to_monitor,
    ),
    Command(
        b"swapdb",
        3,
        frozenset(("write", "fast")),
        (0, 0, 0),
        "server",
        "4.0.0",
        "Exchange two databases.",
        on_both=swapping.swapdb,
    ),
    _transaction("discard", 1, _ALWAYS, 0, "Forget the commands since MULTI."),
    _transaction(
        "exec", 1, "noscript loading stale skip_slowlog", 0, "Run the commands since MULTI, all at one moment."
    ),
    _transaction("multi", 1, _ALWAYS, 0, "Begin to queue commands."),
    _transaction("unwatch", 1, _ALWAYS, 0, "Forget the watched keys."),
    _transaction("watch", -2, _ALWAYS, -1, "Let EXEC do nothing if one of the keys changes before."),
)


def _make_table() -> tuple[Mapping[bytes, Command], tuple[Command, ...]]:
    table: dict[bytes, Command] = {}
    scripting = Scripting(MappingProxyType(table))
    containers = make_containers(MappingProxyType(table), scripting)
    rows = (
        *_PLAIN,
        *ON_BITS,
        *ON_COLLECTIONS,
        *ON_STREAMS,
        *ON_CHANNELS,
        *THAT_WAIT,
        *on_scripts(scripting),
        *containers,
    )
    table.update((command.name, command) for command in rows)
    return MappingProxyType(table), containers


COMMANDS, CONTAINERS = _make_table()

find_by_spelling = {
    spelling: command for command in COMMANDS.values() for spelling in (command.name, command.name.upper())
}.get
"""Find a command by the spellings that clients send; any other mixture of cases is turned into the first."""
