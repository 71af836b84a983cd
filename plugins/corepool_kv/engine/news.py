"""Whether a stream has anything new for a client that waits: a few bytes in the line tell that without its demand.

Of very many clients that wait for one stream, an entry serves those that read it, and one consumer of each group.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, TypeVar

from corepool_kv.engine.stream_demands import StreamDemand
from corepool_kv.engine.streams import ENTRY_ID_BYTES, Stream
from corepool_kv.stores import STREAM

if TYPE_CHECKING:
    from corepool_kv.engine.demands import AnyDemand
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.stores import Record

T = TypeVar("T")

_BEHIND, _OF_GROUP = b"a", b"g"
_DIGEST_BYTES = 16


def marks_of(demand: AnyDemand) -> dict[bytes, bytes]:
    """Return a mark for each key of a demand; it is empty for lists and sorted sets."""
    if not isinstance(demand, StreamDemand):
        return dict.fromkeys(demand.keys, b"")
    if demand.group is not None:
        digest = hashlib.blake2b(demand.group, digest_size=_DIGEST_BYTES).digest()
        return dict.fromkeys(demand.keys, _OF_GROUP + digest)
    marks: dict[bytes, bytes] = {}
    for key, after in zip(demand.keys, demand.after, strict=True):
        marks.setdefault(key, _BEHIND + after.to_bytes(ENTRY_ID_BYTES))  # the first one counts: `StreamDemand.take`
    return marks


class News:
    """The news of one key, for the clients that wait for it, one after the other."""

    def __init__(self, db: Keyspace, key: bytes, record: Record | None) -> None:
        """Look at the key; None: it does not exist."""
        self._last = b""
        if record is not None and record.type == STREAM:
            self._last = _BEHIND + Stream(db, key, record).last_id.to_bytes(ENTRY_ID_BYTES)
        self._served: set[bytes] = set()
        """Marks of groups that have delivered everything."""

    def is_none_for(self, mark: bytes) -> bool:
        """Report whether a client would surely get nothing."""
        return mark in self._served or (mark[:1] == _BEHIND and mark >= self._last)

    def noted(self, mark: bytes, outcome: T | None) -> T | None:
        """Return the outcome for a client, and remember it if there is none for other consumers of its group either."""
        if outcome is None and mark[:1] == _OF_GROUP:
            self._served.add(mark)
        return outcome
