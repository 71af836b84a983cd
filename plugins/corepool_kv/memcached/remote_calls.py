"""The steps of clients on items of other servers: those on one item run together, those on different ones at once.

Steps on an item that come while it is being read or written wait. Then all of them run on the item of that moment: in
this process, on one copy, which is written with one command. If another process has changed the item meanwhile,
nothing is written, and they run again on the new one. So each command is as atomic as on one machine, and none waits
for a lock.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Protocol, cast

from corepool_kv import events
from corepool_kv.engine.execution import INTERNAL_ERROR
from corepool_kv.engine.keyspace import Keyspace
from corepool_kv.memcached.remote_data import AllItems, NotReadError, OneItem
from corepool_kv.memcached.steps import ENDS_ONE_COMMAND, word
from corepool_kv.stores import WrongTypeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from corepool_kv.engine.keyspace import Limits
    from corepool_kv.memcached.remote_data import Versions
    from corepool_kv.memcached.session import Session
    from corepool_kv.memcached.steps import Step
    from corepool_kv.stores import View

log = logging.getLogger(__name__)

_MAX_TRIES = 100
"""Each time that nothing is written, another process has written."""

_STRANGE = b"SERVER_ERROR the key holds a value that no command of memcached has written\r\n"
_BUSY = b"SERVER_ERROR other processes have changed the item %d times meanwhile\r\n" % _MAX_TRIES


class Call:
    """A step of a client, and its reply when it has come. Implements `execution.Work`."""

    __slots__ = ("has_begun", "reply", "session", "step")

    def __init__(self, session: Session, step: Step) -> None:
        self.session = session
        self.step = step
        self.has_begun = False
        self.reply: bytes | None = None

    def __call__(self, db: Keyspace) -> bytes:
        step = self.step
        try:
            work = step.work
            if step.needs_write is not None and step.needs_write(db):
                assert step.written is not None
                work = step.written
            reply = work(db)
        except WrongTypeError:
            reply = _STRANGE
        except ENDS_ONE_COMMAND as error:
            reply = word(error)
        except NotReadError:
            raise
        except Exception as error:  # noqa: BLE001  # logged, with its traceback
            events.kv_command_failed.exception(log, error)
            reply = b"SERVER_ERROR %b\r\n" % INTERNAL_ERROR.encode()
        return b"" if step.is_quiet else reply


class Owner(Protocol):
    """What calls need of the listener."""

    limits: Limits
    versions: Versions

    def send(self, words: Sequence[bytes], done: Callable[[bytes], None]) -> None:
        """Send a command to the server that has its key, or to all; `done` gets the reply."""

    def answered(self, calls: Sequence[Call]) -> None:
        """Take note that calls have replies."""

    def failed(self, reply: bytes) -> bytes:
        """Log an error of a server, and return it in memcached's words."""

    def forget(self, key: bytes) -> None:
        """Take note that no call on an item is left."""


class ItemCalls:
    """The calls on one item."""

    def __init__(self, owner: Owner, key: bytes) -> None:
        self._owner = owner
        self._key = key
        self._coming: list[Call] = []
        self._running: list[Call] = []
        self._tries = 0

    def add(self, call: Call) -> None:
        """Run a call, with those that come in the same moment, behind those that run."""
        self._coming.append(call)
        if not self._running:
            self._begin()

    def _begin(self) -> None:
        self._running, self._coming = self._coming, []
        self._tries = 0
        if self._running[0].step.writes:
            self._run(OneItem(self._owner.versions))
        else:  # it needs the data: finding that out by an exception took a sixth of its time
            self._owner.send((b"GET", self._key), self._has_read)

    def _run(self, item: OneItem) -> None:
        now_ms = time.time_ns() // 1_000_000
        db = Keyspace(cast("View", item), self._owner.limits, now_ms)  # the commands use no more of it
        try:
            replies = [call(db) for call in self._running]
        except NotReadError:
            self._owner.send((b"GET", self._key), self._has_read)
            return
        if item.is_changed:
            self._owner.send(item.commit(self._key, now_ms), lambda reply: self._has_written(replies, reply))
        else:
            self._end(replies)

    def _has_read(self, reply: bytes) -> None:
        if reply[:1] == b"-" and not reply.startswith(b"-WRONGTYPE"):
            self._fail(reply)
        else:
            self._run(OneItem(self._owner.versions, reply))

    def _has_written(self, replies: list[bytes], reply: bytes) -> None:
        if reply[:1] in (b"+", b":"):
            self._end(replies)
            return
        self._tries += 1
        if self._tries < _MAX_TRIES or reply[:1] == b"-":
            self._has_read(reply)
        else:
            self._end([b"" if call.step.is_quiet else _BUSY for call in self._running])

    def _fail(self, reply: bytes) -> None:
        told = self._owner.failed(reply)
        self._end([b"" if call.step.is_quiet else told for call in self._running])

    def _end(self, replies: list[bytes]) -> None:
        calls, self._running = self._running, []
        for call, reply in zip(calls, replies, strict=True):
            call.reply = reply
        if self._coming:
            self._begin()
        else:
            self._owner.forget(self._key)
        self._owner.answered(calls)


def run_on_all(owner: Owner, call: Call, count: int | None = None) -> None:
    """Run a call about all items.

    :param count: how many there are; None: it was not asked for.
    """
    items = AllItems(count)
    db = Keyspace(cast("View", items), owner.limits, time.time_ns() // 1_000_000)

    def end(reply: bytes) -> None:
        call.reply = b"" if call.step.is_quiet else reply
        owner.answered([call])

    def has_counted(reply: bytes) -> None:
        if reply[:1] == b":":
            run_on_all(owner, call, int(reply[1:]))
        else:
            end(owner.failed(reply))

    try:
        reply = call(db)
    except NotReadError:
        owner.send((b"DBSIZE",), has_counted)
        return
    if items.is_cleared:
        owner.send((b"FLUSHDB",), lambda told: end(reply if told[:1] == b"+" else owner.failed(told)))
    else:
        end(reply)
