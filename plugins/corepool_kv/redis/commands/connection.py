"""Commands about the connection itself."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from corepool_kv.redis.commands.clients import check_name
from corepool_kv.redis.numbers import parse_database, parse_integer
from corepool_kv.redis.replies import OK, Error, text_of

if TYPE_CHECKING:
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState

_NOT_CONFIGURED = (
    "ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)
_WRONG = "WRONGPASS invalid username-password pair or user is disabled."


def ping(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    if len(args) > 1:
        raise Error("ERR wrong number of arguments for 'ping' command")
    if session.subscriptions is not None and not session.resp3:
        return [b"pong", args[0] if args else b""]
    return args[0] if args else "PONG"


def echo(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    return args[0]


def select(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    session.database = parse_database(args[0])
    return OK


def auth(server: ServerState, session: Session, args: list[bytes]) -> Reply:
    if len(args) > 2:
        raise Error("ERR syntax error")
    if len(args) == 1 and not server.password:
        raise Error(_NOT_CONFIGURED)
    _authenticate(server, session, args[0] if len(args) == 2 else b"default", args[-1])
    return OK


def hello(server: ServerState, session: Session, args: list[bytes]) -> Reply:
    resp3 = session.resp3
    if args:
        version = parse_integer(args[0], "ERR Protocol version is not an integer or out of range")
        if version not in (2, 3):
            raise Error("NOPROTO unsupported protocol version")
        resp3 = version == 3
    name: bytes | None = None
    words = iter(args[1:])
    for word in words:
        match word.upper():
            case b"AUTH":
                user, password = next(words, None), next(words, None)
                if user is None or password is None:
                    raise _hello_syntax(word)
                _authenticate(server, session, user, password)
            case b"SETNAME":
                name = next(words, None)
                if name is None:
                    raise _hello_syntax(word)
                check_name(name)
            case _:
                raise _hello_syntax(word)
    if not session.authenticated:
        raise Error(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> "
            "<pass> option can be used to authenticate the client and select the RESP protocol version at the same time"
        )
    if name is not None:
        session.name = name
    session.resp3 = resp3
    return {
        b"server": b"redis",
        b"version": server.redis_version.encode(),
        b"proto": 3 if resp3 else 2,
        b"id": session.number,
        b"mode": b"standalone",
        b"role": b"master",
        b"modules": [],
    }


def whoami(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    return b"default"


def quit_(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    session.ending = True
    return OK


def reset(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    if session.is_monitoring:
        server.oversight.end_monitoring(session)
    session.reset()
    return "RESET"


def _authenticate(server: ServerState, session: Session, user: bytes, password: bytes) -> None:
    expected = server.password
    if user != b"default" or (expected and not hmac.compare_digest(password, expected)):
        raise Error(_WRONG)
    session.authenticate()


def _hello_syntax(word: bytes) -> Error:
    return Error(f"ERR Syntax error in HELLO option '{text_of(word)}'")
