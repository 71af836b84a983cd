"""A client's demand for new entries of streams: each reader gets all of them, and of a group one consumer each."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from corepool_kv.engine.packing import join, split
from corepool_kv.engine.stream_groups import Group
from corepool_kv.engine.streams import ENTRY_ID_BYTES, MAX_ID, Stream, pack_entry
from corepool_kv.engine.taken import MAX_TAKEN_BYTES, NoGroupError, Taken
from corepool_kv.stores import STREAM

if TYPE_CHECKING:
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.engine.streams import Entry

_HEAD = struct.Struct(">BB??IQQ")


class StreamDemand(NamedTuple):
    """What a client waits for: entries of the first of its streams that gets any."""

    number: int
    """The database."""
    keys: tuple[bytes, ...]
    after: tuple[int, ...]
    """For each key the largest ID that the client knows. For a group it is that of the group."""
    most: int
    """Entries, at most."""
    group: bytes | None = None
    consumer: bytes = b""
    acknowledges: bool = False
    """The consumer will acknowledge the entries."""
    client: int = 0
    """The client's number."""
    expires_ms: int = 0
    """The end of its patience, since the epoch; 0: it has none."""

    @property
    def type(self) -> int:
        """The type of its keys."""
        return STREAM

    def pack(self) -> bytes:
        """Return it as bytes."""
        has_group = self.group is not None
        head = _HEAD.pack(self.number, STREAM, has_group, self.acknowledges, self.most, self.client, self.expires_ms)
        after = b"".join([each.to_bytes(ENTRY_ID_BYTES) for each in self.after])
        return head + join([self.group or b"", self.consumer, after, *self.keys])

    @classmethod
    def unpack(cls, packed: bytes) -> StreamDemand:
        """Return the demand that `pack` has made bytes of."""
        number, _, has_group, acknowledges, most, client, expires_ms = _HEAD.unpack_from(packed)
        group, consumer, joined, *keys = split(packed[_HEAD.size :])
        after = tuple(
            int.from_bytes(joined[place : place + ENTRY_ID_BYTES]) for place in range(0, len(joined), ENTRY_ID_BYTES)
        )
        return cls(
            number, tuple(keys), after, most, group if has_group else None, consumer, acknowledges, client, expires_ms
        )

    def take(self, db: Keyspace, key: bytes) -> Taken | None:
        """Take the new entries of a stream; None: it has none, or does not exist.

        :raises WrongTypeError: the key holds another type.
        :raises NoGroupError: the stream has no such group any more.
        """
        stream = Stream.find(db, key)
        if stream is None:
            return None
        if self.group is None:
            after = self.after[self.keys.index(key)]
            return None if stream.last_id <= after else _packed(key, self._new(stream, after))
        group = Group.find(stream, self.group)
        if group is None:
            raise NoGroupError
        if stream.last_id <= group.last_id:
            return None
        entries = self._new(stream, group.last_id)
        consumer = group.seen(self.consumer)
        group.deliver(consumer, [entry_id for entry_id, _ in entries], keeps=self.acknowledges)
        group.save()
        return _packed(key, entries)

    def _new(self, stream: Stream, after: int) -> list[Entry]:
        found: list[Entry] = []
        size = 0
        for entry in stream.entries(after + 1, MAX_ID):
            found.append(entry)
            size += sum(map(len, entry[1]))
            if len(found) == self.most or size > MAX_TAKEN_BYTES:
                break
        return found


def _packed(key: bytes, entries: list[Entry]) -> Taken:
    return Taken(key, list(map(pack_entry, entries)), [])
