"""Groups of consumers of a stream: the last entry that each has delivered, and those that are not acknowledged.

Their elements are described in streams.py. A group has a number of its own, so that a change of one touches no other. A
change of groups leaves the version of the key as it is: WATCH does not notice it, as in Redis.
"""

from __future__ import annotations

import itertools
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple, Self

from corepool_kv.engine.names import pack, shorten, unpack
from corepool_kv.engine.streams import ENTRY_ID_BYTES, MAX_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from corepool_kv.engine.streams import Stream

_GROUPS, _GROUPS_END = b"g", b"h"
_CONSUMERS, _PENDING, _PENDING_OF = b"c", b"p", b"q"

_GROUP = Struct(">8s16sqQII")
_UNKNOWN = -1
_MAX_READ = (1 << 63) - 1
_CONSUMER = Struct(">IQQ")
_NUMBER = Struct(">I")
_DELIVERY = Struct(">QQ")
_REMOVED_AT_A_TIME = 1000


def _end_of(begin: bytes) -> bytes:
    """Return the first name behind all those that begin so."""
    return (int.from_bytes(begin) + 1).to_bytes(len(begin))


class Consumer:
    """A consumer of a group. Its group saves it."""

    def __init__(self, name: bytes, stored: bytes) -> None:
        self.name = name
        self.stored = stored
        """As it was read."""
        self.number: int
        self.seen_ms: int
        self.pending: int
        self.number, self.seen_ms, self.pending = _CONSUMER.unpack(stored)

    def write(self) -> bytes:
        """Return it as bytes."""
        return _CONSUMER.pack(self.number, self.seen_ms, self.pending)


class Delivery(NamedTuple):
    """An entry that was delivered and not acknowledged."""

    id: int
    consumer: Consumer
    at_ms: int
    """The time of the last delivery, since the epoch."""
    times: int


class Group:
    """A group, for one command. After its changes `save` is called, once."""

    def __init__(self, stream: Stream, name: bytes, stored: bytes) -> None:
        """Take a group; see `find` and `create`."""
        self.stream = stream
        self.name = name
        self._id = stream.id
        self._elements = stream.elements
        self.number: bytes
        self.pending: int
        self.consumers: int
        self.number, last_id, read, self.pending, self.consumers, self._made = _GROUP.unpack(stored)
        self.last_id = int.from_bytes(last_id)
        """Of the entry that was delivered last, or as it was set."""
        self.read: int | None = None if read == _UNKNOWN else read
        """Entries up to that one, in the order in which they were added; None: that is unknown."""
        self._consumers: dict[bytes, Consumer] = {}

    @classmethod
    def find(cls, stream: Stream, name: bytes) -> Self | None:
        """Return a group; None: there is no such group."""
        stored = stream.elements.get(stream.id, _GROUPS + shorten(name))
        return None if stored is None else cls(stream, name, unpack(name, stored)[1])

    @classmethod
    def create(cls, stream: Stream, name: bytes, last_id: int, read: int | None, taken: set[bytes]) -> Self:
        """Return a new group, of a stream that has none of this name.

        :param taken: the numbers of the other groups; that of this one is added.
        """
        # In a compact copy of an environment numbers come again: `LmdbTransaction.new_collection`.
        while (number := stream.db.new_collection()) in taken:
            pass
        taken.add(number)
        group = cls(stream, name, _GROUP.pack(number, bytes(ENTRY_ID_BYTES), _UNKNOWN, 0, 0, 0))
        group.last_id = last_id
        group.read = read
        return group

    @classmethod
    def all(cls, stream: Stream) -> list[Self]:
        """Return the groups of a stream, in the order of their names."""
        found = stream.elements.between(stream.id, _GROUPS, _GROUPS_END)
        return [cls(stream, *unpack(short[1:], stored)) for short, stored in found]

    def save(self) -> None:
        """Store the group, and the consumers that have changed."""
        read = _UNKNOWN if self.read is None else min(self.read, _MAX_READ)
        last_id = self.last_id.to_bytes(ENTRY_ID_BYTES)
        stored = _GROUP.pack(self.number, last_id, read, self.pending, self.consumers, self._made)
        self._elements.put(self._id, _GROUPS + shorten(self.name), pack(self.name, stored))
        for short, consumer in self._consumers.items():
            written = consumer.write()
            if written != consumer.stored:
                self._elements.put(self._id, _CONSUMERS + self.number + short, pack(consumer.name, written))
                consumer.stored = written

    def destroy(self) -> None:
        """Remove the group with its consumers."""
        for section in (_CONSUMERS, _PENDING, _PENDING_OF):
            self._remove_all(section + self.number)
        self._elements.delete(self._id, _GROUPS + shorten(self.name))

    # --- consumers

    def consumer(self, name: bytes) -> Consumer | None:
        """Return a consumer; None: there is no such consumer."""
        return self._consumer_of(shorten(name))

    def seen(self, name: bytes) -> Consumer:
        """Return a consumer, which may be new, and note that it was seen now."""
        consumer = self.consumer(name)
        if consumer is None:
            consumer = self.add_consumer(name)
            self.stream.db.notify(b"xgroup-createconsumer", self.stream.key)
        consumer.seen_ms = self.stream.db.now_ms
        return consumer

    def add_consumer(self, name: bytes) -> Consumer:
        """Return a new consumer, of a group that has none of this name."""
        self._made += 1
        self.consumers += 1
        consumer = self._consumers[shorten(name)] = Consumer(name, _CONSUMER.pack(self._made, 0, 0))
        return consumer

    def all_consumers(self) -> Iterator[Consumer]:
        """Yield the consumers, in the order of their names."""
        begin = _CONSUMERS + self.number
        for short, stored in self._elements.between(self._id, begin, _end_of(begin)):
            yield Consumer(*unpack(short[len(begin) :], stored))

    def remove_consumer(self, consumer: Consumer) -> int:
        """Remove a consumer with its deliveries; return their number."""
        mine = self._of(consumer)
        while names := self._some(mine):
            for name in names:
                self._elements.delete(self._id, name)
                self._elements.delete(self._id, _PENDING + self.number + name[len(mine) :])
        short = shorten(consumer.name)
        self._consumers.pop(short, None)
        self._elements.delete(self._id, _CONSUMERS + self.number + short)
        self.consumers -= 1
        self.pending -= consumer.pending
        return consumer.pending

    # --- deliveries

    def deliver(self, consumer: Consumer, ids: Iterable[int], *, keeps: bool) -> None:
        """Note that entries behind the last one were delivered to a consumer.

        :param keeps: have the consumer acknowledge them.
        """
        stream = self.stream
        for entry_id in ids:
            if self.read is not None and not stream.has_gap_behind(entry_id):
                self.read += 1
            elif stream.added:
                self.read = stream.distance(entry_id)
            self.last_id = entry_id
            if keeps:
                self.assign(entry_id, consumer, stream.db.now_ms, 1, self.delivery(entry_id))

    def delivery(self, entry_id: int) -> Delivery | None:
        """Return the delivery of an entry; None: it was not delivered, or is acknowledged."""
        stored = self._elements.get(self._id, self._pending(entry_id))
        return None if stored is None else self._delivery(entry_id, stored)

    def deliveries(self, low: int, high: int, consumer: Consumer | None = None) -> Iterator[Delivery]:
        """Yield those with low <= ID <= high, of all consumers or of one. None may be changed meanwhile."""
        if consumer is None:
            names = self._elements.between(self._id, self._pending(low), self._pending(high) + b"\0")
            for name, stored in names:
                yield self._delivery(int.from_bytes(name[-ENTRY_ID_BYTES:]), stored)
            return
        mine = self._of(consumer)
        low_name, high_name = (mine + each.to_bytes(ENTRY_ID_BYTES) for each in (low, high))
        for name, _ in self._elements.between(self._id, low_name, high_name + b"\0"):
            found = self.delivery(int.from_bytes(name[-ENTRY_ID_BYTES:]))
            if found is not None:
                yield found

    def assign(self, entry_id: int, consumer: Consumer, at_ms: int, times: int, before: Delivery | None) -> None:
        """Note a delivery to a consumer.

        :param before: the one until now, as `delivery` has returned it.
        """
        if before is None:
            self.pending += 1
        if before is None or before.consumer is not consumer:
            if before is not None:
                self._unlink(before)
            self._elements.put(self._id, self._of(consumer) + entry_id.to_bytes(ENTRY_ID_BYTES), b"")
            consumer.pending += 1
        self._elements.put(self._id, self._pending(entry_id), _DELIVERY.pack(at_ms, times) + shorten(consumer.name))

    def release(self, delivery: Delivery) -> None:
        """Forget a delivery: it is acknowledged, or its entry is gone."""
        self._elements.delete(self._id, self._pending(delivery.id))
        self._unlink(delivery)
        self.pending -= 1

    def ends(self) -> tuple[int, int] | None:
        """Return the smallest and the largest ID of the deliveries; None: there are none."""
        low, high = self._pending(0), self._pending(MAX_ID) + b"\0"
        found = [
            int.from_bytes(name[-ENTRY_ID_BYTES:])
            for reverse in (False, True)
            for name, _ in itertools.islice(self._elements.between(self._id, low, high, reverse=reverse), 1)
        ]
        return (found[0], found[1]) if found else None

    @property
    def lag(self) -> int | None:
        """Entries that were not delivered yet; None: that is unknown."""
        stream = self.stream
        if not stream.added:
            return 0
        if self.read is not None and not stream.has_gap_behind(self.last_id):
            return stream.added - self.read
        distance = stream.distance(self.last_id)
        return None if distance is None else stream.added - distance

    def _consumer_of(self, short: bytes) -> Consumer | None:
        found = self._consumers.get(short)
        if found is None:
            stored = self._elements.get(self._id, _CONSUMERS + self.number + short)
            if stored is None:
                return None
            found = self._consumers[short] = Consumer(*unpack(short, stored))
        return found

    def _delivery(self, entry_id: int, stored: bytes) -> Delivery:
        consumer = self._consumer_of(stored[_DELIVERY.size :])
        assert consumer is not None  # with it, its deliveries are removed
        return Delivery(entry_id, consumer, *_DELIVERY.unpack_from(stored))

    def _unlink(self, delivery: Delivery) -> None:
        self._elements.delete(self._id, self._of(delivery.consumer) + delivery.id.to_bytes(ENTRY_ID_BYTES))
        delivery.consumer.pending -= 1

    def _pending(self, entry_id: int) -> bytes:
        return _PENDING + self.number + entry_id.to_bytes(ENTRY_ID_BYTES)

    def _of(self, consumer: Consumer) -> bytes:
        return _PENDING_OF + self.number + _NUMBER.pack(consumer.number)

    def _remove_all(self, begin: bytes) -> None:
        while names := self._some(begin):
            for name in names:
                self._elements.delete(self._id, name)

    def _some(self, begin: bytes) -> list[bytes]:
        """Return some names that begin so."""
        found = self._elements.between(self._id, begin, _end_of(begin))
        return [name for name, _ in itertools.islice(found, _REMOVED_AT_A_TIME)]
