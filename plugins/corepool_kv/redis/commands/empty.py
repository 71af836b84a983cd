"""Commands about things that this server never has: functions, modules, slow commands, latency events.

Clients and their test suites empty these before they begin, and monitoring reads them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.redis.replies import OK, Error, text_of

if TYPE_CHECKING:
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState


def nothing(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    return []


def zero(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    return 0


def done(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    return OK


def not_busy(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    raise Error("NOTBUSY No scripts in execution right now.")


def flush_functions(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    if len(args) > 1:
        raise Error("ERR unknown subcommand or wrong number of arguments for 'flush'. Try FUNCTION HELP.")
    if args and args[0].upper() not in (b"SYNC", b"ASYNC"):
        raise Error("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
    return OK


def list_functions(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    words = iter(args)
    for word in words:
        match word.upper():
            case b"WITHCODE":
                pass
            case b"LIBRARYNAME":
                if next(words, None) is None:
                    raise Error("ERR library name argument was not given")
            case _:
                # Of other errors the ends of lines at the end are cut off; of this one Redis makes blanks of them.
                text = text_of(word, len(word)).replace("\r", " ").replace("\n", " ")
                raise Error(f"ERR Unknown argument {text}")
    return []


def function_stats(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    return {b"running_script": None, b"engines": {}}


def delete_function(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    raise Error("ERR Library not found")
