"""CLIENT KILL: clients of this worker, by their facts."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

from corepool_kv.redis.numbers import LARGEST, parse_range
from corepool_kv.redis.replies import OK, Error, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState

TYPES = (b"normal", b"master", b"replica", b"slave", b"pubsub")
_SYNTAX = "ERR syntax error"


class _Filter(NamedTuple):
    number: int | None = None
    address: str | None = None
    local: str | None = None
    kind: bytes | None = None
    skips_me: bool = True

    def matches(self, each: Session) -> bool:
        kind = b"normal" if each.subscriptions is None else b"pubsub"
        return (
            self.number in (None, each.number)
            and self.address in (None, str(each.conn.peer))
            and self.local in (None, str(each.conn.local))
            and self.kind in (None, kind)
        )


def kill(server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:
    """End clients of this worker, when the reply is made and the changes before it are committed."""
    wanted = _Filter(address=_text(args[0]), skips_me=False) if len(args) == 1 else _parse(args)
    victims = [each for each in server.sessions.values() if wanted.matches(each)]
    if wanted.skips_me:
        victims = [each for each in victims if each is not session]
    for each in victims:
        db.at_end.append(functools.partial(_end, each, is_me=each is session))
    if len(args) > 1:
        return len(victims)
    if not victims:
        raise Error("ERR No such client")
    return OK


def _parse(args: list[bytes]) -> _Filter:
    if len(args) % 2:
        raise Error(_SYNTAX)
    wanted = _Filter()
    for option, value in _pairs(args):
        match option:
            case b"ID":
                number = parse_range(value, 1, LARGEST, "ERR client-id should be greater than 0")
                wanted = wanted._replace(number=number)
            case b"TYPE":
                if value.lower() not in TYPES:
                    raise Error(f"ERR Unknown client type '{text_of(value)}'")
                wanted = wanted._replace(kind=value.lower())
            case b"ADDR":
                wanted = wanted._replace(address=_text(value))
            case b"LADDR":
                wanted = wanted._replace(local=_text(value))
            case b"USER":
                if value != b"default":
                    raise Error(f"ERR No such user '{text_of(value)}'")
            case b"SKIPME":
                if value.lower() not in (b"yes", b"no"):
                    raise Error(_SYNTAX)
                wanted = wanted._replace(skips_me=value.lower() == b"yes")
            case _:
                raise Error(_SYNTAX)
    return wanted


def _pairs(args: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    return ((option.upper(), value) for option, value in zip(args[::2], args[1::2], strict=True))


def _end(session: Session, *, is_me: bool) -> None:
    session.ending = True
    if not is_me:
        session.conn.abort()  # also one that does not read


def _text(word: bytes) -> str:
    return word.decode(errors="replace")
