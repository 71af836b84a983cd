"""HPACK, the decoder: header blocks with their dynamic table (RFC 7541).

A block costs memory by the bound that its caller sets, whatever it refers to: beyond it the block is read to its end,
for the table must follow, but its fields are dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_http.http2.errors import Code, Failure
from corepool_http.http2.fields import fault_of, fault_of_value
from corepool_http.http2.huffman import decode as decode_huffman
from corepool_http.http2.static_table import MAX_PSEUDO_INDEX, STATIC

if TYPE_CHECKING:
    from corepool_http.message import Fields

TABLE_SIZE = 4096
"""Bytes of the dynamic table: the initial value of SETTINGS_HEADER_TABLE_SIZE (RFC 9113, 6.5.2), which is kept."""

_ENTRY_COST = 32
"""RFC 7541, 4.1."""
LINE_COST = 4
"""What a field line costs beside its bytes: HTTP/1 has a colon, a space and a line break there."""

_FIRST_DYNAMIC = len(STATIC)
_MAX_INTEGER_BYTES = 5
"""Behind the prefix: more than any size or index needs (RFC 7541, 5.1 asks for such a limit)."""


class Decoder:
    """Decodes the header blocks of one connection, in their order."""

    __slots__ = ("_max_size", "_size", "_table", "changes", "fault", "has_faults", "size")

    def __init__(self) -> None:
        self._table: Fields = []
        """The dynamic table, its newest entry at the end."""
        self._size = 0
        self._max_size = TABLE_SIZE
        self.changes = 0
        """How often the dynamic table has changed: what a block meant is what it means while this stays."""
        self.has_faults = False
        """An entry of the table is malformed: every field of every block has to be judged from now on."""
        self.fault: str | None = None
        """Why a literal of the block is malformed."""
        self.size = 0
        """Bytes of the fields of the block, even of those that were dropped."""

    def begin(self) -> None:
        """Begin another block."""
        self.fault = None
        self.size = 0

    def decode(self, block: bytes, at: int, fields: Fields, most: int, only_pseudo: bool) -> int:  # noqa: FBT001
        """Decode fields, and return the place behind the last one.

        :param at: the place of the first, 0 at the beginning of the block.
        :param fields: they are added to it.
        :param most: bytes of fields, with LINE_COST each, beyond which they are dropped.
        :param only_pseudo: stop before the first field whose name isn't that of a pseudo-header field by its index.
        :raises Failure: the block can't be read (RFC 9113, 4.3).
        """
        end = len(block)
        table = self._table
        while at < end:
            first = block[at]
            if first & 0x80:  # indexed field (6.1)
                index = first & 0x7F
                if only_pseudo and index > MAX_PSEUDO_INDEX and (index == 0x7F or not self._is_pseudo(index)):
                    return at
                at += 1
                if index == 0x7F:
                    index, at = integer(block, at, 0x7F)
                if 0 < index < _FIRST_DYNAMIC:
                    field = STATIC[index]
                elif index - _FIRST_DYNAMIC < len(table) and index:
                    field = table[_FIRST_DYNAMIC - 1 - index]
                else:
                    raise Failure(Code.COMPRESSION_ERROR, "index beyond the tables of header fields")
            elif first & 0xE0 == 0x20:  # size update (6.3)
                if self.size:
                    raise Failure(Code.COMPRESSION_ERROR, "size update behind a header field")
                at = self._resize(block, at)
                continue
            else:  # literal field: with indexing (6.2.1), without (6.2.2), never indexed (6.2.3)
                mask = 0x3F if first & 0x40 else 0x0F
                index = first & mask
                if only_pseudo and (index in {0, mask} or (index > MAX_PSEUDO_INDEX and not self._is_pseudo(index))):
                    return at
                field, at = self._literal(block, at + 1, index, mask)
                if first & 0x40:
                    self._insert(field)
            self.size += len(field[0]) + len(field[1]) + LINE_COST
            if self.size <= most:
                fields.append(field)
        return at

    def _is_pseudo(self, index: int) -> bool:
        place = index - _FIRST_DYNAMIC
        return 0 <= place < len(self._table) and self._table[-1 - place][0][:1] == b":"

    def _literal(self, block: bytes, at: int, index: int, mask: int) -> tuple[tuple[bytes, bytes], int]:
        if index == mask:
            index, at = integer(block, at, mask)
        if index == 0:
            name, at = string(block, at)
        elif index < _FIRST_DYNAMIC:
            name = STATIC[index][0]
        elif index - _FIRST_DYNAMIC < len(self._table):
            name = self._table[_FIRST_DYNAMIC - 1 - index][0]
        else:
            raise Failure(Code.COMPRESSION_ERROR, "index beyond the tables of header fields")
        value, at = string(block, at)
        if self.fault is None:
            # A name of the table was judged when it came; if it was malformed, all are judged from then on.
            self.fault = fault_of_value(value) if index else fault_of(name, value)
        return (name, value), at

    def _insert(self, field: tuple[bytes, bytes]) -> None:
        """Add an entry, for which older ones leave (RFC 7541, 4.4)."""
        self.changes += 1
        if self.fault is not None:
            self.has_faults = True
        self._size += len(field[0]) + len(field[1]) + _ENTRY_COST
        self._table.append(field)
        if self._size > self._max_size:
            self._evict()

    def _evict(self) -> None:
        table, size, count = self._table, self._size, 0
        while size > self._max_size:
            name, value = table[count]
            size -= len(name) + len(value) + _ENTRY_COST
            count += 1
        del table[:count]
        self._size = size

    def _resize(self, block: bytes, at: int) -> int:
        size = block[at] & 0x1F
        at += 1
        if size == 0x1F:
            size, at = integer(block, at, 0x1F)
        if size > TABLE_SIZE:
            raise Failure(Code.COMPRESSION_ERROR, f"size update of more than {TABLE_SIZE} bytes")
        self._max_size = size
        self.changes += 1
        self._evict()
        return at


def integer(block: bytes, at: int, prefix: int) -> tuple[int, int]:
    """Return an integer that is no less than its prefix can hold, and the place behind it (RFC 7541, 5.1)."""
    value, shift = prefix, 0
    for place in range(at, min(at + _MAX_INTEGER_BYTES, len(block))):
        byte = block[place]
        value += (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place + 1
        shift += 7
    raise Failure(Code.COMPRESSION_ERROR, "an integer that does not end in a header block")


def string(block: bytes, at: int) -> tuple[bytes, int]:
    """Return a string, and the place behind it (RFC 7541, 5.2)."""
    if at >= len(block):
        raise Failure(Code.COMPRESSION_ERROR, "a header block that is cut off")
    first = block[at]
    size = first & 0x7F
    at += 1
    if size == 0x7F:
        size, at = integer(block, at, 0x7F)
    end = at + size
    if end > len(block):
        raise Failure(Code.COMPRESSION_ERROR, "a string beyond its header block")
    data = block[at:end]
    return decode_huffman(data) if first & 0x80 else data, end
