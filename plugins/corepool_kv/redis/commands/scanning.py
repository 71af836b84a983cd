"""Cursors and options of SCAN, HSCAN, SSCAN and ZSCAN."""

from __future__ import annotations

import re
from typing import NamedTuple

from corepool_kv.redis.glob import Glob, glob_of_names
from corepool_kv.redis.numbers import parse_integer
from corepool_kv.redis.replies import Error

SYNTAX = "ERR syntax error"

_COUNT = 10
_MAX_COUNT = 10_000
"""COUNT is a wish: the list is in memory, and no other client is served meanwhile."""
_MAX_CURSOR = 2**64 - 1
_CURSOR = re.compile(rb"(?:([+-]?)0*([0-9]{1,20}))?")


class Scan(NamedTuple):
    """Options of a command of the SCAN family."""

    at_once: int
    glob: Glob | None
    type: bytes | None

    def wants(self, name: bytes) -> bool:
        """Report whether a key or member matches."""
        return self.glob is None or self.glob.matches(name)


def parse_cursor(text: bytes) -> int:
    """Read a cursor as strtoul(3) does, with which Redis reads it: nothing is 0, and -1 the largest.

    :raises Error: it is none.
    """
    found = _CURSOR.fullmatch(text.partition(b"\0")[0])
    if found is None or int(found[2] or 0) > _MAX_CURSOR:
        raise Error("ERR invalid cursor")
    number = int(found[2] or 0)
    return -number & _MAX_CURSOR if found[1] == b"-" else number


def parse_options(options: list[bytes], *, takes_type: bool = False) -> Scan:
    """Read the options behind the cursor.

    :raises Error: they are none.
    """
    count, glob, wanted_type = _COUNT, None, None
    words = iter(options)
    for word in words:
        option, value = word.upper(), next(words, None)
        if value is None:
            raise Error(SYNTAX)
        if option == b"COUNT":
            count = min(parse_integer(value), _MAX_COUNT)
            if count < 1:
                raise Error(SYNTAX)
        elif option == b"MATCH":
            glob = glob_of_names(value)
        elif option == b"TYPE" and takes_type:
            wanted_type = value.lower()
        else:
            raise Error(SYNTAX)
    return Scan(count, glob, wanted_type)
