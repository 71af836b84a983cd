"""Channels and patterns of one listener in one worker, over the bus.

Listeners of one store have the same, in all workers. Topics on the bus begin with the name of the store. Then a letter:
`c` and a channel, for clients that have subscribed to it; `s` and a shard channel, likewise; `a` and a channel, for
those with patterns, which listen to the beginning of their patterns; `p` and a pattern, on which nothing is ever
published: the bus counts the clients that listen to it. The bus counts, but does not list. So workers
tell each other, on the topic `n`, which channels and patterns they have a first client of, and one that begins asks.

Nothing of this happens before the first client asks for it.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import re
import time
from collections import Counter
from typing import TYPE_CHECKING

from corepool.logs.rate_limited import RateLimitedLog
from corepool_kv import events
from corepool_kv.redis.glob import Glob
from corepool_kv.redis.replies import Error, Push, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from corepool import Bus, Listening, Worker

log = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = 1 << 20
"""As the bus has it, which sends a message in one piece."""

MAX_NAME_BYTES = 4000
"""Of a channel or pattern; the bus has 4,096 for a topic."""

MAX_KNOWN_BYTES = 64 << 20
"""Memory of the channels and patterns of all workers, in each."""

_KNOWN_NAME_BYTES = 100
"""Of each besides its name."""

CHANNEL, PATTERN, SHARD = b"c", b"p", b"s"
_FOR_PATTERNS, _NAMES, _ANSWERS = b"a", b"n", b"r"
_ASKED, _GAINED, _TOLD, _MORE, _LAST, _KNOWN = b"?", b"+", b"&", b".", b"!", b"k"

_ANSWER_TIMEOUT_S = 0.25
"""For a worker that dies before it has answered: it has no clients then."""

_ANSWER_BYTES = 262_144
_STALE_NAMES = 1000
_KEPT_GLOBS = 128
_FORGET_INTERVAL_S = 5.0
"""Looking at all names takes time."""

_LITERAL = re.compile(rb"[^*?\[\\]+")


class PubSub:
    """The bus as the sessions of one listener use it. Runs in: the worker."""

    def __init__(self, worker: Worker, store: str) -> None:
        """Take no part yet.

        :param store: the same for listeners that have their channels in common.
        """
        self._worker = worker
        self._prefix = b"kv" + hashlib.sha256(store.encode(errors="surrogateescape")).digest()[:8]
        self._mine = self._prefix + _ANSWERS + b"%d %d" % (worker.pid, id(self))
        self._bus: Bus
        self._listening: Listening | None = None
        self.is_ready = False
        """Other workers send here, and have told their channels and patterns."""
        self._when_ready: list[Callable[[], None]] = []
        self._answers_due = 0
        self._clients: Counter[bytes] = Counter()
        """Of each channel and pattern, with its letter, that clients of this listener have subscribed to."""
        self._names: dict[bytes, set[bytes]] = {CHANNEL: set(), PATTERN: set(), SHARD: set()}
        """Channels and patterns of all workers, without the letter, and some that have no client by now."""
        self._known_bytes = 0
        """Memory that they take."""
        self._announced: dict[bytes, int] = {}
        """Patterns that other workers are told before a client is: how many of these have not answered."""
        self._forget_at = _STALE_NAMES
        """So many names: there may be as many stale ones."""
        self._forget_again_s = 0.0
        self._glob = functools.lru_cache(_KEPT_GLOBS)(Glob)
        self._slow_log = RateLimitedLog(log)
        self._message = b""
        self._encoded: dict[tuple[bool, tuple[bytes, ...]], bytes] = {}
        """Of that message."""

    def is_ready_for(self, patterns: Sequence[bytes]) -> bool:
        """Report whether clients can be served, and other workers know the patterns: their publishers count them."""
        if self._known_bytes > MAX_KNOWN_BYTES and time.monotonic() >= self._forget_again_s:
            self._forget_stale()
        return self.is_ready and all(
            self._announced.get(PATTERN + each) == 0 for each in patterns if len(each) <= MAX_NAME_BYTES
        )

    def when_ready_for(self, patterns: Sequence[bytes], call: Callable[[], None]) -> None:
        """Call `call` when `is_ready_for`, some milliseconds from now; or sooner, and it looks again."""
        self._when_ready.append(call)
        if self._listening is None:
            self._bus = self._worker.bus
            self._listening = self._bus.listen(self._heard, [self._prefix + _NAMES, self._mine])
            self._listening.when_active(self._ask)
        elif self.is_ready:
            names = {PATTERN + each for each in patterns if len(each) <= MAX_NAME_BYTES}  # others will be refused
            for name in names - self._announced.keys():
                self._announce(name)
            if self.is_ready_for(patterns):
                self._worker.loop.call_soon(self._become_ready)

    def close(self) -> None:
        """Take part no more."""
        self._when_ready.clear()
        if self._listening is not None:
            self._listening.close()

    # --- publishing

    def publish(self, channel: bytes, message: bytes) -> None:
        """Send a message to the subscribers of a channel, in all workers. Needs no part in the bus."""
        publish = self._worker.bus.publish
        publish(self._prefix + CHANNEL + channel, message)
        publish(self._prefix + _FOR_PATTERNS + channel, message)

    def publish_to_shard(self, channel: bytes, message: bytes) -> None:
        """Send a message to the subscribers of a shard channel, in all workers."""
        self._worker.bus.publish(self._prefix + SHARD + channel, message)

    def count_receivers(self, channel: bytes) -> int:
        """Count the clients that a message would reach now; those with a pattern, too, once for each that matches."""
        count = self.count(CHANNEL + channel)
        for pattern in list(self._names[PATTERN]):
            if self._glob(pattern).matches(channel):
                count += self.count(PATTERN + pattern)
        return count

    def count(self, name: bytes) -> int:
        """Count the clients that have subscribed to a channel or pattern.

        :param name: with its letter.
        """
        return self._bus.subscribers(self._prefix + name) if len(name) <= MAX_NAME_BYTES + 1 else 0

    def names(self, kind: bytes) -> list[bytes]:
        """List the channels, or the patterns, that any client has subscribed to."""
        return [name for name in list(self._names[kind]) if self.count(kind + name)]

    # --- subscribing

    def check_room(self) -> None:
        """Refuse one more channel or pattern if clients have too many. Runs in: any thread.

        :raises Error: it is refused.
        """
        if self._known_bytes > MAX_KNOWN_BYTES:
            raise Error(f"ERR the channels and patterns of all clients take more than {MAX_KNOWN_BYTES} bytes")

    def listen(self, call: Callable[[bytes, bytes, bytes], None], on_lost: Callable[[int], None]) -> Listening:
        """Begin to listen for one client, to nothing yet.

        :param call: called with CHANNEL, SHARD, or another letter for clients with patterns, and channel and message.
        """
        begin = len(self._prefix)
        return self._bus.listen(
            lambda topic, data: call(topic[begin : begin + 1], topic[begin + 1 :], data), on_lost=on_lost
        )

    def gain(self, listening: Listening, name: bytes) -> None:
        """Have a client get the messages of a channel or pattern."""
        beginning = [self._prefix + _FOR_PATTERNS + literal_beginning(name[1:])] if name[:1] == PATTERN else []
        listening.add([self._prefix + name], beginning)
        self._clients[name] += 1
        if self._clients[name] == 1:
            self._note(name)
            self._bus.publish(self._prefix + _NAMES, _GAINED + name)

    def lose(self, listening: Listening, name: bytes, beginning: bytes | None = None) -> None:
        """Have a client get them no more.

        :param beginning: of a pattern: its literal beginning, if the client has no other with the same.
        """
        prefixes = [] if beginning is None else [self._prefix + _FOR_PATTERNS + beginning]
        listening.remove([self._prefix + name], prefixes)
        self.forget(name)

    def forget(self, name: bytes) -> None:
        """Count one client less here."""
        self._clients[name] -= 1
        if not self._clients[name]:
            del self._clients[name]
            self._announced.pop(name, None)  # others may forget it

    def encode(self, words: tuple[bytes, ...], message: bytes, *, resp3: bool) -> bytes:
        """Encode a message for a client; for the next client it is often the same."""
        if message is not self._message:
            self._message = message
            self._encoded.clear()
        encoded = self._encoded.get((resp3, words))
        if encoded is None:
            encoded = self._encoded[resp3, words] = encode(Push([*words, message]), resp3)
        return encoded

    def log_slow(self, client: object, buffered: int) -> None:
        """Log that a client is cut since it does not take its messages; once a second at most."""
        events.kv_slow_subscriber(self._slow_log, client=client, buffered=buffered)

    # --- what workers tell each other

    def _ask(self) -> None:
        self._answers_due = self._bus.subscribers(self._prefix + _NAMES) - 1
        if self._answers_due > 0:
            self._bus.publish(self._prefix + _NAMES, _ASKED + self._mine)
            self._worker.loop.call_later(_ANSWER_TIMEOUT_S, self._become_ready)
        else:
            self._worker.loop.call_soon(self._become_ready)  # a request is just being kept for it

    def _announce(self, name: bytes) -> None:
        if len(self._announced) > 2 * len(self._clients) + _STALE_NAMES:  # of clients that have ended meanwhile
            self._announced = {name: due for name, due in self._announced.items() if due or name in self._clients}
        self._announced[name] = self._bus.subscribers(self._prefix + _NAMES) - 1
        self._note(name)
        if self._announced[name] > 0:
            self._bus.publish(self._prefix + _NAMES, _TOLD + len(name).to_bytes(2) + name + self._mine)
            self._worker.loop.call_later(_ANSWER_TIMEOUT_S, self._give_up, name)
        else:
            self._announced[name] = 0

    def _give_up(self, name: bytes) -> None:
        if self._announced.get(name):
            self._announced[name] = 0
            self._become_ready()

    def _hear_answer(self, kind: bytes, text: bytes) -> None:
        if kind == _KNOWN:
            if self._announced.get(text):
                self._announced[text] -= 1
                if not self._announced[text]:
                    self._become_ready()
            return
        for name in _split(text):
            self._note(name)
        self._answers_due -= kind == _LAST
        if not self._answers_due and not self.is_ready:
            self._become_ready()

    def _become_ready(self) -> None:
        self.is_ready = True
        calls, self._when_ready = self._when_ready, []
        for call in calls:
            call()

    def _heard(self, topic: bytes, data: bytes) -> None:
        kind, text = data[:1], data[1:]
        if topic == self._mine:
            self._hear_answer(kind, text)
        elif kind == _GAINED:
            self._learn(text)
        elif kind == _TOLD:
            end = 2 + int.from_bytes(text[:2])
            if text[end:] != self._mine:
                self._learn(text[2:end])
                self._bus.publish(text[end:], _KNOWN + text[2:end])
        elif kind == _ASKED and text != self._mine:
            *parts, last = _joined(self._clients)
            for part in parts:
                self._bus.publish(text, _MORE + part)
            self._bus.publish(text, _LAST + last)

    def _learn(self, name: bytes) -> None:
        self._note(name)
        if sum(map(len, self._names.values())) > self._forget_at:
            self._forget_stale()

    def _note(self, name: bytes) -> None:
        known = self._names[name[:1]]
        if name[1:] not in known:
            known.add(name[1:])
            self._known_bytes += _KNOWN_NAME_BYTES + len(name)

    def _forget_stale(self) -> None:
        self._names = {kind: set(self.names(kind)) for kind in self._names}
        self._known_bytes = sum(_KNOWN_NAME_BYTES + 1 + len(name) for each in self._names.values() for name in each)
        self._forget_again_s = time.monotonic() + _FORGET_INTERVAL_S
        self._forget_at = 2 * sum(map(len, self._names.values())) + _STALE_NAMES


def literal_beginning(pattern: bytes) -> bytes:
    """Return what each channel that matches a pattern begins with."""
    found = _LITERAL.match(pattern)
    return b"" if found is None else found[0]


def check_name(name: bytes) -> None:
    """Refuse a channel or pattern that is too long.

    :raises Error: it is.
    """
    if len(name) > MAX_NAME_BYTES:
        raise Error(f"ERR a channel or pattern of more than {MAX_NAME_BYTES} bytes")


def check_message(message: bytes) -> None:
    """Refuse a message that is too long.

    :raises Error: it is.
    """
    if len(message) > MAX_MESSAGE_BYTES:
        raise Error(f"ERR a message of more than {MAX_MESSAGE_BYTES} bytes")


def _joined(names: Counter[bytes]) -> Iterator[bytes]:
    """Yield names, each behind its length, in parts of bounded size; at least one."""
    part = bytearray()
    for name in names:
        part += len(name).to_bytes(2) + name
        if len(part) > _ANSWER_BYTES:
            yield bytes(part)
            part.clear()
    yield bytes(part)


def _split(text: bytes) -> Iterator[bytes]:
    place = 0
    while place < len(text):
        end = place + 2 + int.from_bytes(text[place : place + 2])
        yield text[place + 2 : end]
        place = end
