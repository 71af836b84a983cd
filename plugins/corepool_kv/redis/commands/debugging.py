"""DEBUG: what test suites of clients use of it, if the operator allows it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from corepool_kv.redis.commands.dumping import dump_
from corepool_kv.redis.commands.objects import encoding
from corepool_kv.redis.numbers import read_double
from corepool_kv.redis.replies import OK, Error, text_of

if TYPE_CHECKING:
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState

_REFUSED = (
    'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a local '
    "connection, otherwise you need to set this option in the configuration file, and then restart the server."
)
_HELP = (
    "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "OBJECT <key>",
    "    Show low level info about `key` and associated value.",
    "SLEEP <seconds>",
    "    Have the worker that serves this connection sleep. Decimals allowed.",
    "HELP",
    "    Prints this help.",
)
_DUMP_TRAILER_BYTES = 10
_MAX_SLEEP_S = 1e9
"""Redis does not sleep for longer, either: nanosleep(2) refuses it."""
_LOOPBACK = ("127.", "::1")


def debug(server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:
    allowed = server.options.enable_debug_command
    if allowed == "no" or (allowed == "local" and not _is_local(session)):
        raise Error(_REFUSED)
    match [args[0].upper(), *args[1:]]:
        case [b"HELP"]:
            return list(_HELP)
        case [b"SLEEP", text]:
            # Redis reads it by strtod(3), which takes what it can.
            seconds = read_double(text) or 0.0
            time.sleep(seconds if 0 < seconds < _MAX_SLEEP_S else 0.0)
            return OK
        case [b"OBJECT", key]:
            shown = encoding(db, [key])
            if not isinstance(shown, bytes):
                raise Error("ERR no such key")
            dump = dump_(db, [key])
            assert isinstance(dump, bytes)
            length = len(dump) - _DUMP_TRAILER_BYTES
            return (
                f"Value at:0x0 refcount:1 encoding:{shown.decode()} serializedlength:{length} lru:0 lru_seconds_idle:0"
            )
    shown_word = text_of(args[0])
    raise Error(f"ERR unknown subcommand or wrong number of arguments for '{shown_word}'. Try DEBUG HELP.")


def _is_local(session: Session) -> bool:
    peer = session.conn.peer
    return peer.port is None or str(peer.host).startswith(_LOOPBACK)
