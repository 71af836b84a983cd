"""Records of TLS, counted by their headers (RFC 8446, 5.1): OpenSSL does not tell of those without plaintext."""

from __future__ import annotations

_HEADER_BYTES = 5


class Records:
    """The records of one side's bytes on the wire."""

    __slots__ = ("_head", "_rest")

    def __init__(self) -> None:
        """Begin between two records."""
        self._head = b""
        """The part of a header that has come."""
        self._rest = 0
        """Bytes of a record that are still to come."""

    def align(self) -> None:
        """Begin anew between two records: the last one has ended."""
        self._head = b""
        self._rest = 0

    def ended_in(self, data: bytes | memoryview) -> int:
        """Return how many records end in the next bytes."""
        size = len(data)
        place = count = 0
        while place < size:
            if not self._rest:
                end = place + _HEADER_BYTES - len(self._head)
                self._head += bytes(data[place:end])
                place = min(end, size)
                if len(self._head) < _HEADER_BYTES:
                    break
                self._rest = int.from_bytes(self._head[3:])
                self._head = b""
            step = min(self._rest, size - place)
            self._rest -= step
            place += step
            count += not self._rest
        return count
