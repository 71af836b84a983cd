"""The bus in one worker. Made at its first use; takes part in the bus of the master once it has to.

Local subscriptions get their messages at the end of the batch, as others do: a function that is called inside of
`publish` would have to expect that. They are those that are there at the time of `publish`.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from corepool.files.descriptors import release
from corepool.guards import HOOK_ERRORS
from corepool.ipc.bus_board import Table
from corepool.logs.rate_limited import RateLimitedLog
from corepool.spec.bus import MAX_MESSAGE_BYTES, MAX_QUEUED_MESSAGES
from corepool.streams.threads import Mailbox as Calls
from corepool.worker import events
from corepool.worker.bus_kept import KeptMessages, Losses
from corepool.worker.bus_mailbox import Mailbox
from corepool.worker.bus_membership import Membership
from corepool.worker.bus_peer import MAX_QUEUE_BYTES
from corepool.worker.bus_peers import Peers
from corepool.worker.bus_subscriptions import AsyncSubscription, BlockingSubscription, start_from_thread
from corepool.worker.bus_topics import Listener, Patterns, Topics, as_topic

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, Sequence

    from corepool.hot.reactor import Reactor
    from corepool.ipc.messages import BusJoined, BusPeerGone, BusPeers, JoinBus
    from corepool.spec.bus import Listening, Subscription, ThreadSubscription

log = logging.getLogger(__name__)

_LAST_S = 0.25
"""How long the last messages may wait for mailboxes that are full, when the worker ends."""

_LAST_LOOK_S = 0.005


class WorkerBus:
    """Implements `corepool.Bus`."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        reactor: Reactor,
        joins: Callable[[], int],
        say: Callable[[JoinBus, Sequence[int]], bool] | None,
        queue_bytes: int = MAX_QUEUE_BYTES,
    ) -> None:
        """Take no part yet. Runs in: any thread; that of the loop is the main thread of a worker.

        :param joins: returns how many workers have ever joined the bus.
        :param say: sends a message and descriptors to the master; False: not now. None: there is no master, and no
            other worker.
        :param queue_bytes: the most that waits for a worker that does not read.
        """
        self._loop = loop
        self._reactor = reactor
        self._thread = threading.main_thread().ident
        self._calls = Calls(loop)
        self._topics = Topics()
        self._peers = Peers(reactor, loop, self._flush_later, queue_bytes)
        self._membership = Membership(loop, self._peers, joins, say, self._release_held)
        self._mailbox: Mailbox | None = None
        self._table: Table | None = None
        self._local = KeptMessages()
        """For listeners here."""
        self._held = KeptMessages()
        """For others, while some are not known yet."""
        self._held_losses = Losses()
        self._from_threads = KeptMessages()
        self._losses_from_threads = Losses()
        self._lock = threading.Lock()
        """Of those from threads."""
        self._will_flush = False
        self._has_ended = False
        """No message comes any more."""
        self._is_over = False
        """None can be published either."""
        self._rate_limited = RateLimitedLog(log)
        self.published = self.delivered = self.lost = 0

    # --- publishing

    def publish(self, topic: bytes | str, data: bytes | bytearray | memoryview | str) -> int:
        topic = as_topic(topic)
        data = data.encode() if isinstance(data, str) else bytes(data)
        if len(data) > MAX_MESSAGE_BYTES:
            raise ValueError(f"a message of the bus has {MAX_MESSAGE_BYTES} bytes at most, and not {len(data)}")
        self._refuse_if_over()
        if threading.get_ident() == self._thread:
            return self._publish(topic, data)
        with self._lock:
            is_first = not self._from_threads
            for dropped in self._from_threads.add(topic, data):
                self._losses_from_threads.count(dropped.topic)
                self.lost += 1
        if is_first:
            self._calls.post(self._take_from_threads)
        return 0

    def _take_from_threads(self) -> None:
        while not self._is_over:
            with self._lock:
                if not self._from_threads:
                    return
                losses = self._losses_from_threads.take()
                message = self._from_threads.take()
            for topic, number in losses:
                self._on_lost(topic, number)
                self._held_losses.count(topic, number)
            self._publish(message.topic, message.data)

    def _publish(self, topic: bytes, data: bytes) -> int:
        self.published += 1
        dropped = 0
        if route := self._topics.route(topic):
            for message in self._local.add(topic, data, route):
                self._tell_lost(message.route, 1)
                dropped += 1
            self._flush_later()
        if self._membership.is_behind or self._held:
            self._membership.ask_if_behind()
            for message in self._held.add(topic, data):
                self._held_losses.count(message.topic)
                dropped += 1
        else:
            if self._held_losses:
                self._tell_held_losses()
            dropped += self._peers.publish(topic, data)
        self.lost += dropped
        return dropped

    def _tell_held_losses(self) -> None:
        for topic, number in self._held_losses.take():
            self._peers.lose(topic, number)

    def _release_held(self) -> None:
        self._tell_held_losses()
        while self._held:
            message = self._held.take()
            self.lost += self._peers.publish(message.topic, message.data)

    def _flush_later(self) -> None:
        if not self._will_flush:
            self._will_flush = True
            self._reactor.at_batch_end(self._flush)

    def _flush(self) -> None:
        self._will_flush = False
        try:
            self.lost += self._peers.flush()
            while self._local:
                message = self._local.take()
                self._call(message.route, message.topic, message.data)
        except HOOK_ERRORS as error:  # a bug of ours: the reactor must not hear of it
            events.bus_failed.exception(self._rate_limited, error)

    # --- subscribing

    def subscribe(self, *topics: bytes | str, limit: int = MAX_QUEUED_MESSAGES) -> Subscription:
        wanted = Patterns.told(topics)
        made = AsyncSubscription(limit)
        return made.start(self._listen(Listener(made.put, made.put_lost, made.end), wanted))

    def subscribe_in_thread(self, *topics: bytes | str, limit: int = MAX_QUEUED_MESSAGES) -> ThreadSubscription:
        wanted = Patterns.told(topics)
        if threading.get_ident() == self._thread:
            raise RuntimeError("subscribe_in_thread() in the loop's thread, which it would block; use subscribe()")
        self._refuse_if_over()
        post = self._calls.post
        made = BlockingSubscription(limit, post)
        listener = Listener(made.put, made.put_lost, made.end)
        return start_from_thread(made, lambda: self._listen(listener, wanted), post, lambda: self._has_ended)

    def listen(
        self,
        call: Callable[[bytes, bytes], object],
        topics: Iterable[bytes | str] = (),
        prefixes: Iterable[bytes | str] = (),
        on_lost: Callable[[int], object] | None = None,
    ) -> Listening:
        return self._listen(Listener(call, on_lost), Patterns.checked(topics, prefixes))

    def _listen(self, listener: Listener, wanted: Patterns) -> _Listening:
        self.add(listener, wanted)
        return _Listening(self, self._membership, listener)

    def add(self, listener: Listener, wanted: Patterns) -> None:
        """Have a listener get more."""
        self._refuse_if_over()
        fresh = wanted.beyond(listener)
        table = self._open()
        self._topics.add(listener, fresh)
        for topic in fresh.topics:
            table.add(topic)
        for prefix in fresh.prefixes:
            table.add_prefix(prefix)

    def remove(self, listener: Listener, unwanted: Patterns) -> None:
        """Have a listener get less."""
        known = unwanted.within(listener)
        self._topics.remove(listener, known)
        if self._table is not None and not self._has_ended:
            for topic in known.topics:
                self._table.remove(topic)
            for prefix in known.prefixes:
                self._table.remove_prefix(prefix)

    def _open(self) -> Table:
        """Return the table; at the first call, it and the mailbox are made and handed to the others."""
        if self._table is None:
            self._mailbox = Mailbox(self._reactor, self._loop, self._on_message, self._on_lost, self._on_lost_of)
            try:
                self._table = Table()
            except OSError:
                self._mailbox.close()
                self._mailbox.sending_end.close()
                raise
            self._membership.enter(self._mailbox.sending_end.detach(), self._table.fd)
        return self._table

    def subscribers(self, topic: bytes | str) -> int:
        topic = as_topic(topic)
        if threading.get_ident() == self._thread:
            self._membership.ask_if_behind()
            here = self._topics.route(topic)
        else:  # it keeps nothing: what it finds may have changed by then
            if self._membership.is_behind:
                self._calls.post(self._membership.ask_if_behind)
            here = self._topics.find(topic)
        return len(here) + self._peers.wanting(topic)

    # --- receiving

    def heard(self, message: BusPeers | BusPeerGone | BusJoined, fds: Sequence[int]) -> None:
        """Take what the master says of others; owns the descriptors that came with it."""
        if self._is_over:
            for fd in fds:
                release(fd)
        else:
            self._membership.heard(message, fds)

    def _on_message(self, topic: bytes, data: bytes) -> None:
        if route := self._topics.route(topic):
            self._call(route, topic, data)

    def _call(self, route: tuple[Listener, ...], topic: bytes, data: bytes) -> None:
        for listener in route:
            if listener.is_open:
                self.delivered += 1
                try:
                    listener.call(topic, data)
                except HOOK_ERRORS as error:
                    name = topic.decode(errors="replace")
                    events.bus_listener_failed.exception(self._rate_limited, error, topic=name)

    def _on_lost(self, topic: bytes, count: int) -> None:
        self._tell_lost(self._topics.route(topic) if topic else self._topics.listeners(), count)

    def _on_lost_of(self, count: int, topics: Iterable[bytes | str], prefixes: Iterable[bytes | str]) -> None:
        self._tell_lost(self._topics.overlapping(Patterns.checked(topics, prefixes)), count)

    def lose(self, count: int, topics: Iterable[bytes | str] = (), prefixes: Iterable[bytes | str] = ()) -> None:
        patterns = Patterns.checked(topics, prefixes)
        self._refuse_if_over()
        self._tell_lost(self._topics.overlapping(patterns), count)
        self._peers.lose_of(patterns, count)

    def _tell_lost(self, listeners: Iterable[Listener], count: int) -> None:
        for listener in listeners:
            if listener.on_lost is not None and listener.is_open:
                try:
                    listener.on_lost(count)
                except HOOK_ERRORS as error:
                    events.bus_listener_failed.exception(self._rate_limited, error, topic="")

    # --- the end

    def end(self) -> None:
        """Have every subscription end: the loop has turned for the last time. Messages can still be published."""
        self._has_ended = True
        if self._table is not None:
            self._table.clear()
        self._flush()
        for listener in self._topics.listeners():
            listener.is_open = False
            if listener.on_end is not None:
                listener.on_end()

    def close(self) -> None:
        """Send the last messages, as far as the others take them soon, and end."""
        self._take_from_threads()
        self._flush()
        deadline = time.monotonic() + _LAST_S
        while not self._peers.is_done and time.monotonic() < deadline:
            time.sleep(_LAST_LOOK_S)
            self._peers.send_again()
        self.drop()

    def drop(self) -> None:
        """Take no part any more, and drop unsent messages. Idempotent."""
        self.abandon()
        if self._mailbox is not None:
            self._mailbox.close()
        self._peers.close()

    def abandon(self) -> None:
        """Refuse every use from now on: the worker has ended, or this is a process that was forked by code in it."""
        self._is_over = True

    def _refuse_if_over(self) -> None:
        if self._is_over:
            raise RuntimeError("this worker has ended, and so has its bus; or this process was forked by code in it")


class _Listening:
    """Implements `corepool.Listening`."""

    def __init__(self, bus: WorkerBus, membership: Membership, listener: Listener) -> None:
        self._bus = bus
        self._membership = membership
        self._listener = listener

    @property
    def is_active(self) -> bool:
        return self._membership.is_active

    def when_active(self, call: Callable[[], None]) -> None:
        self._membership.when_active(call)

    def add(self, topics: Iterable[bytes | str] = (), prefixes: Iterable[bytes | str] = ()) -> None:
        self._bus.add(self._listener, Patterns.checked(topics, prefixes))

    def remove(self, topics: Iterable[bytes | str] = (), prefixes: Iterable[bytes | str] = ()) -> None:
        self._bus.remove(self._listener, Patterns.checked(topics, prefixes))

    def close(self) -> None:
        listener = self._listener
        listener.is_open = False
        self._bus.remove(listener, Patterns(frozenset(listener.topics), frozenset(listener.prefixes)))
