"""The work that a request is made of, and its errors in memcached's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.engine.errors import KeyTooLongError, OutOfRoomError, RefusedError, ValueTooLongError
from corepool_kv.memcached.items import NotNumericError
from corepool_kv.memcached.numbers import BAD_FORMAT
from corepool_kv.stores import DamagedRecordError, WrongTypeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.engine.work import Work

TOO_LARGE = b"SERVER_ERROR object too large for cache\r\n"
OUT_OF_ROOM = b"SERVER_ERROR out of memory storing object\r\n"
NOT_NUMERIC = b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"

ENDS_ONE_COMMAND = (RefusedError, DamagedRecordError, WrongTypeError, NotNumericError)


class Step:
    """A part of a request that uses the data."""

    __slots__ = ("grows", "is_about_all", "is_quiet", "key", "needs_write", "said", "size", "work", "writes", "written")

    def __init__(
        self,
        work: Work,
        key: bytes = b"",
        *,
        writes: bool = False,
        is_quiet: bool = False,
        needs_write: Callable[[Keyspace], bool] | None = None,
        written: Work | None = None,
        size: int = 0,
        grows: bool = False,
        is_about_all: bool = False,
        said: bytes | None = None,
    ) -> None:
        """Describe it.

        :param key: the one item that it is about.
        :param is_quiet: the client has asked for no reply (noreply).
        :param needs_write: decides, if it only may write, whether `written` has to run instead.
        :param size: bytes of the value that waits with it.
        :param grows: it may store more: it is refused if there is no room.
        :param is_about_all: it is about all items.
        :param said: the reply, if it is about none.
        """
        self.work = work
        self.key = key
        self.writes = writes
        self.is_quiet = is_quiet
        self.needs_write = needs_write
        self.written = written
        self.size = size
        self.grows = grows
        self.is_about_all = is_about_all
        self.said = said


def said(reply: bytes) -> Step:
    """Return the step of a reply that needs no data, and only waits for those before it."""
    return Step(lambda _: reply, writes=False, said=reply)


def word(error: Exception) -> bytes:
    """Return the reply for an error that ends one command."""
    match error:
        case NotNumericError():
            return NOT_NUMERIC
        case WrongTypeError():
            return b"SERVER_ERROR the key holds a collection of the kv protocol\r\n"
        case KeyTooLongError():
            return BAD_FORMAT
        case ValueTooLongError():
            return TOO_LARGE
        case OutOfRoomError():
            return OUT_OF_ROOM
    return b"SERVER_ERROR %b\r\n" % str(error).encode(errors="replace").replace(b"\n", b" ")


class Waiting:
    """A step that waits for its transaction. Implements `execution.Work`."""

    __slots__ = ("_database", "_grows", "_work", "is_quiet")

    def __init__(self, step: Step, database: int) -> None:
        self._work = step.written or step.work
        self.is_quiet = step.is_quiet
        self._database = database
        self._grows = step.grows

    def __call__(self, db: Keyspace) -> bytes:
        try:
            if self._grows:
                db.check_growth()
            reply = self._work(db.select(self._database) if self._database else db)
        except ENDS_ONE_COMMAND as error:
            reply = word(error)
        return b"" if self.is_quiet else reply
