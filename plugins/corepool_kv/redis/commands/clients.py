"""CLIENT: what a client says and asks about itself, and about all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.redis.commands.killing import TYPES, type_of
from corepool_kv.redis.numbers import parse_integer
from corepool_kv.redis.peers import LINES, Gathered, Question, check_arguments
from corepool_kv.redis.replies import OK, Error, Set, Verbatim, check_size, text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState

_MAX_NAME_BYTES = 256


def id_(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    return session.number


def getname(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    return session.name or None


def setname(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    check_name(args[0])
    session.name = args[0]
    return OK


def info(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    return Verbatim(f"{session.describe()}\n")


def question(server: ServerState, session: Session, args: list[bytes]) -> Question:  # noqa: ARG001
    """Return the question of CLIENT LIST to the other workers.

    :raises Error: the arguments are wrong.
    """
    _chosen(args)
    return Question.about(LINES, args)


def list_(server: ServerState, session: Session, args: list[bytes]) -> Reply:
    own = lines(server, args)
    others = session.gathered or Gathered([], 0)
    error = others.error("its clients can't be listed")
    if error is not None:
        return error
    text = b"".join([*own, *others.answers])
    check_size(len(text), session.limits.reply)
    return Verbatim(text.decode(errors="replace"))


def lines(server: ServerState, args: list[bytes]) -> list[bytes]:
    """Return the lines about clients of this worker."""
    is_chosen = _chosen(args)
    return [f"{each.describe()}\n".encode() for each in server.sessions.values() if is_chosen(each)]


def _chosen(args: list[bytes]) -> Callable[[Session], bool]:
    check_arguments(args)
    match [args[0].upper() if args else b"", *args[1:]]:
        case [b""]:
            return lambda _: True
        case [b"TYPE", kind]:
            if kind.lower() not in TYPES:
                raise Error(f"ERR Unknown client type '{text_of(kind)}'")
            return lambda each: type_of(each) == kind.lower()
        case [b"ID", _, *_]:
            numbers = {parse_integer(number, "ERR Invalid client ID") for number in args[1:]}
            return lambda each: each.number in numbers
    raise Error("ERR syntax error")


def setinfo(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    attribute, value = args
    _check_length(value)
    shown = text_of(attribute)
    if attribute.upper() not in (b"LIB-NAME", b"LIB-VER"):
        raise Error(f"ERR Unrecognized option '{shown}'")
    if not all(33 <= byte <= 126 for byte in value):
        raise Error(f"ERR {shown} cannot contain spaces, newlines or special characters.")
    if attribute.upper() == b"LIB-NAME":
        session.library = value
    else:
        session.library_version = value
    return OK


def switch(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    """NO-EVICT and NO-TOUCH: nothing is ever evicted, and no key has an age."""
    if args[0].upper() not in (b"ON", b"OFF"):
        raise Error("ERR syntax error")
    return OK


def getredir(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    return -1


def trackinginfo(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    return {b"flags": Set([b"off"]), b"redirect": -1, b"prefixes": []}


def check_name(name: bytes) -> None:
    """Refuse a client's name that a line of CLIENT LIST can't have.

    :raises Error: it is refused.
    """
    _check_length(name)
    if not all(33 <= byte <= 126 for byte in name):
        raise Error("ERR Client names cannot contain spaces, newlines or special characters.")


def _check_length(name: bytes) -> None:
    # CLIENT LIST tells all of them, and a connection that moves takes them along.
    if len(name) > _MAX_NAME_BYTES:
        raise Error(f"ERR a name of more than {_MAX_NAME_BYTES} bytes")
