"""Items on other servers, of Redis's protocol: one, or a cluster."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from corepool import SetupError
from corepool.logs.rate_limited import RateLimitedLog
from corepool_kv import events
from corepool_kv.engine.keyspace import Limits
from corepool_kv.engine.places import OtherServers
from corepool_kv.memcached.numbers import MAX_KEY_BYTES
from corepool_kv.memcached.remote_calls import Call, ItemCalls, run_on_all
from corepool_kv.memcached.remote_data import MAX_HEAD_BYTES, Versions
from corepool_kv.remote.calls import Calls
from corepool_kv.stores.remote_url import parse_remote_url

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from corepool import Worker
    from corepool_kv.engine.turns import SessionBase
    from corepool_kv.memcached.options import MemcachedOptions
    from corepool_kv.memcached.session import Session
    from corepool_kv.memcached.steps import Step
    from corepool_kv.stores.remote_url import RemoteUrl

log = logging.getLogger(__name__)

_FAILED = b"ERR the store has failed: "


class OnServers(OtherServers):
    """Implements `engine.places.Place`."""

    def __init__(self, options: MemcachedOptions) -> None:
        self._options = options
        url = parse_remote_url(options.store)
        self._url = url if url.is_cluster or url.database is not None else replace(url, database=options.database)

    def start(self, worker: Worker, protocol: object) -> RemoteItems:  # noqa: ARG002
        try:
            return RemoteItems(self._options, self._url, worker)
        except ValueError as error:
            raise SetupError(f"the store {self._url}: {error}") from None

    def close(self) -> None:
        """The links were closed with the items."""


class _Room:
    """That of the servers, which is theirs. Implements `statistics.Room`."""

    max_bytes = 0
    policy = "noeviction"
    evicted = 0


class RemoteItems:
    """Implements `server.Items` and `remote_calls.Owner`. Runs in: the loop's thread of a worker."""

    max_waiting = 100  # each may have a reply of `max_item` bytes

    def __init__(self, options: MemcachedOptions, url: RemoteUrl, worker: Worker) -> None:
        """Begin to connect.

        :raises ValueError: certificates can't be used.
        """
        self.limits = Limits(MAX_KEY_BYTES, options.max_item, options.max_item)
        self.room = _Room()
        self.versions = Versions()
        self._worker = worker
        self._calls = Calls(url, worker, options.max_item + MAX_HEAD_BYTES, options.store_timeout)
        self._items: dict[bytes, ItemCalls] = {}
        self._behind: set[Session] = set()
        """Clients with a call about all items: those before it end first, and those behind it wait."""
        self._to_answer: dict[Session, None] = {}
        self._log = RateLimitedLog(log)

    def run(self, session: Session, step: Step) -> bytes:
        if not session.waiting:
            if step.said is not None:
                return step.said
            session.conn.busy = True
        call = Call(session, step)
        session.waiting.append(call)
        session.waiting_bytes += step.size
        if step.is_about_all or session in self._behind:
            self._behind.add(session)
            self._go_on(session)
        else:
            self._begin(call)
        return b""

    def proceed(self, session: SessionBase) -> None:
        """Do nothing: what waits was sent."""

    def end_event(self) -> None:
        """Do nothing: reads have no view in common."""

    def close(self) -> None:
        self._calls.close()

    # --- of its calls

    def send(self, words: Sequence[bytes], done: Callable[[bytes], None]) -> None:
        self._calls.send(words, done)

    def answered(self, calls: Sequence[Call]) -> None:
        if not self._to_answer:
            self._worker.at_batch_end(self._answer)
        for call in calls:
            self._to_answer[call.session] = None

    def failed(self, reply: bytes) -> bytes:
        reason = reply[1:].strip().removeprefix(_FAILED)
        events.kv_store_failed(self._log, reason=reason.decode(errors="replace"))
        return b"SERVER_ERROR the store has failed: %b\r\n" % reason

    def forget(self, key: bytes) -> None:
        del self._items[key]

    def _begin(self, call: Call) -> None:
        call.has_begun = True
        step = call.step
        if step.said is not None:
            call.reply = step.said
            self.answered([call])
        elif step.is_about_all:
            run_on_all(self, call)
        else:
            item = self._items.get(step.key)
            if item is None:
                item = self._items[step.key] = ItemCalls(self, step.key)
            item.add(call)

    def _go_on(self, session: Session) -> None:
        """Begin the calls of a client that wait for no other."""
        for place, call in enumerate(cast("list[Call]", session.waiting)[:]):
            if call.step.is_about_all:
                if not place and not call.has_begun:
                    self._begin(call)
                return
            if not call.has_begun:
                self._begin(call)
        self._behind.discard(session)

    def _answer(self) -> None:
        sessions, self._to_answer = self._to_answer, {}
        for session in sessions:
            calls = cast("list[Call]", session.waiting)
            replies: list[bytes] = []
            for call in calls:
                if call.reply is None:
                    break
                replies.append(call.reply)
            del calls[: len(replies)]
            if session in self._behind:
                self._go_on(session)
            if replies:
                session.answer(b"".join(replies))
