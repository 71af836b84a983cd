"""CLIENT PAUSE, UNPAUSE and REPLY, MONITOR, CONFIG RESETSTAT: about all clients, or the replies of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.redis.numbers import parse_integer
from corepool_kv.redis.peers import LOOK, SHARE, Question
from corepool_kv.redis.replies import NO_REPLY, OK, Error
from corepool_kv.redis.session import REPLY_OFF, REPLY_ON, REPLY_SKIP

if TYPE_CHECKING:
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState

_MAX_MS = 2**62


def ask_to_pause(server: ServerState, session: Session, args: list[bytes]) -> Question:  # noqa: ARG001
    """Begin the pause, and have the others look for it.

    :raises Error: the arguments are wrong.
    """
    milliseconds, writes_only = _parse_pause(args)
    server.oversight.begin_pause(milliseconds, writes_only=writes_only)
    return Question(LOOK)


def pause(server: ServerState, session: Session, args: list[bytes]) -> Reply:
    """CLIENT PAUSE: in MULTI the others begin to pause a moment later."""
    if session.gathered is None:
        server.oversight.peers.tell(ask_to_pause(server, session, args))
        return OK
    return session.gathered.error("it pauses when it goes on") or OK


def ask_to_end_pause(server: ServerState, session: Session, args: list[bytes]) -> Question:  # noqa: ARG001
    """End the pause, and have the others look for its end."""
    server.oversight.end_pause()
    return Question(LOOK)


def unpause(server: ServerState, session: Session, args: list[bytes]) -> Reply:
    """CLIENT UNPAUSE: in MULTI the others go on a moment later."""
    if session.gathered is None:
        server.oversight.peers.tell(ask_to_end_pause(server, session, args))
        return OK
    return session.gathered.error("its clients go on when it does") or OK


def reply(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    match args[0].upper():
        case b"ON":
            session.reply_mode = REPLY_ON
            session.is_silent = False
            return OK
        case b"OFF":
            session.reply_mode = REPLY_OFF
        case b"SKIP":
            if session.reply_mode != REPLY_OFF:
                session.reply_mode = REPLY_SKIP
        case _:
            raise Error("ERR syntax error")
    return NO_REPLY


def ask_to_monitor(server: ServerState, session: Session, args: list[bytes]) -> Question:  # noqa: ARG001
    """Begin to listen, and have the others look for it.

    :raises Error: the system has no memory or descriptor for it.
    """
    try:
        server.oversight.begin_monitoring(session)
    except OSError as error:
        raise Error(f"ERR no monitoring: {error.strerror}") from None
    return Question(LOOK)


def monitor(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    """MONITOR: a worker that has not answered begins to tell of its commands within a second of its going on."""
    if not session.is_monitoring:  # in MULTI nothing was asked
        raise Error("ERR MONITOR isn't allowed for DENY BLOCKING client")
    return OK


def ask_to_share(server: ServerState, session: Session, args: list[bytes]) -> Question:  # noqa: ARG001
    """Have the others share their figures, which are to be forgotten."""
    return Question(SHARE)


def resetstat(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    server.reset_statistics()
    return OK


def tracking(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    raise Error("ERR client-side caching is not offered: this server sends no invalidation messages")


def caching(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    raise Error(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled"
    )


def _parse_pause(args: list[bytes]) -> tuple[int, bool]:
    """Return for how many milliseconds, and whether only writes wait."""
    milliseconds, *mode = args
    if len(mode) > 1:
        raise Error("ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP.")
    writes_only = False
    if mode:
        if mode[0].upper() not in (b"WRITE", b"ALL"):
            raise Error("ERR CLIENT PAUSE mode must be WRITE or ALL")
        writes_only = mode[0].upper() == b"WRITE"
    number = parse_integer(milliseconds, "ERR timeout is not an integer or out of range")
    if number < 0:
        raise Error("ERR timeout is negative")
    return min(number, _MAX_MS), writes_only
