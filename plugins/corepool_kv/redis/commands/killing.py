"""CLIENT KILL: clients of all workers, by their facts."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

from corepool_kv.redis.numbers import LARGEST, parse_range
from corepool_kv.redis.peers import COUNT, KILL, Question, check_arguments
from corepool_kv.redis.replies import OK, Error, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
        return (
            self.number in (None, each.number)
            and self.address in (None, str(each.conn.peer))
            and self.local in (None, str(each.conn.local))
            and self.kind in (None, type_of(each))
        )


def question(server: ServerState, session: Session, args: list[bytes]) -> Question:  # noqa: ARG001
    """Return the question to the other workers: how many of their clients are meant.

    :raises Error: the arguments are wrong.
    """
    _parse(args)
    return Question.about(COUNT, args)


def kill(server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:
    """End clients when the reply is made and the changes before it are committed."""
    wanted = _parse(args)
    found = [each for each in victims(server, args) if not (wanted.skips_me and each is session)]
    others = session.gathered
    number = len(found) + (0 if others is None else sum(map(int, others.answers)))
    for each in found:
        db.at_end.append(functools.partial(end, [each], me=session))
    if others is not None and (others.answers or others.missing):
        db.at_end.append(functools.partial(server.oversight.peers.tell, Question.about(KILL, args)))
        error = others.error(f"{number} clients of the others are ended; it ends its own when it goes on")
        if error is not None:
            return error
    if len(args) > 1:
        return number
    if not number:
        raise Error("ERR No such client")
    return OK


def victims(server: ServerState, args: list[bytes]) -> list[Session]:
    """Return the clients of this worker that are meant, the one that asks among them."""
    wanted = _parse(args)
    return [each for each in server.sessions.values() if wanted.matches(each)]


def end(sessions: Iterable[Session], me: Session | None = None) -> None:
    """End clients.

    :param me: the one that asks: its reply is sent first.
    """
    for each in sessions:
        each.ending = True
        if each is not me:
            each.conn.abort()  # also one that does not read


def type_of(session: Session) -> bytes:
    """Return the type of a client, as TYPE names it."""
    return b"normal" if session.subscriptions is None else b"pubsub"


def _parse(args: list[bytes]) -> _Filter:
    check_arguments(args)
    if len(args) == 1:
        return _Filter(address=_text(args[0]), skips_me=False)
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


def _text(word: bytes) -> str:
    return word.decode(errors="replace")
