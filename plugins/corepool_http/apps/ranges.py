"""Ranges of bytes (RFC 9110, 14): which are asked for, and the parts of a response that has several."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_RANGE = re.compile(r"([0-9]{0,32})-([0-9]{0,32})")
_MAX_RANGES = 16


class Range(NamedTuple):
    """The first and the last byte."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """Return the number of bytes."""
        return self.last - self.first + 1

    def of(self, size: int) -> str:
        """Return the Content-Range of content of so many bytes."""
        return f"bytes {self.first}-{self.last}/{size}"


def parse_ranges(text: str, size: int) -> list[Range] | None:
    """Read a Range header.

    :param size: bytes of the file.
    :returns: [] when no range can be satisfied; None when the header is to be ignored.
    """
    unit, _, specification = text.partition("=")
    wanted = [each for part in specification.split(",") if (each := part.strip(" \t"))]
    if unit.lower() != "bytes" or not 0 < len(wanted) <= _MAX_RANGES:
        return None
    ranges = []
    for each in wanted:
        found = _RANGE.fullmatch(each)
        if found is None or not (found[1] or found[2]):
            return None
        if not found[1]:
            if not size and int(found[2]):
                return None  # satisfied by all of it, which is nothing: no 206 can say that
            length = min(int(found[2]), size)
            first, last = size - length, size - 1
        else:
            first, last = int(found[1]), min(int(found[2] or size), size - 1)
            if found[2] and int(found[2]) < first:
                return None
        if first <= last:
            ranges.append(Range(first, last))
    if sum(each.length for each in ranges) > size + size // 2:
        return None  # overlapping again and again: more bytes would be sent than the file has
    return ranges


class Parts:
    """The delimiters of the ranges of a multipart/byteranges response (RFC 9110, 14.6)."""

    def __init__(self, ranges: Sequence[Range], size: int, media_type: str) -> None:
        """Make them.

        :param size: bytes of all of the content.
        """
        boundary = secrets.token_hex(16)
        self.media_type = f"multipart/byteranges; boundary={boundary}"
        self.heads = [
            f"--{boundary}\r\nContent-Type: {media_type}\r\nContent-Range: {each.of(size)}\r\n\r\n".encode()
            for each in ranges
        ]
        self.end = f"--{boundary}--\r\n".encode()
        self.length = sum(len(head) + each.length + 2 for head, each in zip(self.heads, ranges, strict=True)) + len(
            self.end
        )
