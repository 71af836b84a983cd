"""Commands about the server."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from corepool_kv.replies import Error, Verbatim

if TYPE_CHECKING:
    from corepool_kv.keyspace import Keyspace
    from corepool_kv.replies import Reply
    from corepool_kv.server import Server
    from corepool_kv.session import Session
    from corepool_kv.table import Command


def time_(server: Server, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    seconds, microseconds = divmod(time.time_ns() // 1000, 1_000_000)
    return [b"%d" % seconds, b"%d" % microseconds]


def command(server: Server, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    table = server.commands
    if not args:
        return [_info(each) for each in table.values()]
    subcommand, *names = args
    match subcommand.upper():
        case b"COUNT" if not names:
            return len(table)
        case b"LIST" if not names:
            return [each.name for each in table.values()]
        case b"INFO":
            if len(names) > len(table):
                raise Error(f"ERR there are only {len(table)} commands")  # each costs more than its name
            found = [table.get(name.lower()) for name in names or table]
            return [None if each is None else _info(each) for each in found]
        case b"DOCS":
            return {
                each.name: _docs(each)
                for each in (table.get(name.lower()) for name in names or table)
                if each is not None
            }
    text = subcommand.decode(errors="replace")
    if subcommand.upper() in (b"COUNT", b"LIST"):
        raise Error(f"ERR wrong number of arguments for 'command|{text.lower()}' command")
    raise Error(f"ERR unknown subcommand or wrong number of arguments for '{text}'. Try COMMAND HELP.")


def info(server: Server, db: Keyspace, args: list[bytes]) -> Reply:
    wanted = {arg.decode(errors="replace").lower() for arg in args} - {"all", "default", "everything"}
    sections: dict[str, dict[str, object]] = {
        "server": {
            "redis_version": server.redis_version,
            "redis_mode": "standalone",
            "process_id": server.pid,
            "uptime_in_seconds": int(time.monotonic() - server.began_s),
            "worker_slot": server.slot,
        },
        "clients": {"connected_clients": len(server.sessions)},
        "stats": {
            "total_connections_received": server.connections,
            "total_commands_processed": server.commands_run,
        },
        "replication": {"role": "master", "connected_slaves": 0},
        "keyspace": {},
    }
    if db.view.count():
        sections["keyspace"]["db0"] = f"keys={db.view.count()},expires={db.view.count_expiring()},avg_ttl=0"
    lines = []
    for name, fields in sections.items():
        if not wanted or name in wanted:
            lines += [f"# {name.capitalize()}", *(f"{key}:{value}" for key, value in fields.items()), ""]
    return Verbatim("\r\n".join(lines))


def _info(each: Command) -> Reply:
    flags: list[Reply] = [str(flag) for flag in sorted(each.flags)]
    return [each.name, each.arity, flags, *each.keys, [], [], [], []]


def _docs(each: Command) -> Reply:
    return {b"summary": each.summary.encode(), b"since": each.since.encode(), b"group": each.group.encode()}
