"""Splitting an inline command into words, as Redis's `sdssplitargs` does."""

from __future__ import annotations

import re

from corepool_kv.redis.replies import Error

_BLANKS = b" \t\n\v\f\r"

_WORD = re.compile(
    rb"""[ \t\n\v\f\r]*
    ([^ \t\n\r"']*)                                               # bare, where \v and \f are letters
    (?:
        "((?:[^"\\]|\\.)*)"(?=[ \t\n\v\f\r]|\Z)                   # double quotes: escapes
      | '((?:[^'\\]|\\'|\\(?!'))*)'(?=[ \t\n\v\f\r]|\Z)           # single quotes: only \' is one
      | (?=[ \t\n\r]|\Z)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}


class UnbalancedQuotesError(ValueError):
    """A quote is not closed, or not followed by a blank."""


def split_line(line: bytes) -> list[bytes]:
    """Split a line, which has no NUL in it.

    A word may begin bare and end in quotes; the closing quote ends it.

    :raises UnbalancedQuotesError: a quote is not closed, or not followed by a blank.
    """
    if not (0x22 in line or 0x27 in line or 0x0B in line or 0x0C in line):
        return line.split()  # no quote, and no blank that may be a letter
    words: list[bytes] = []
    position = _skip_blanks(line, 0)
    while position < len(line):
        found = _WORD.match(line, position)
        if found is None:
            raise UnbalancedQuotesError
        bare, double, single = found.groups()
        if double is not None:
            bare += _ESCAPE.sub(_unescape, double)
        elif single is not None:
            bare += single.replace(b"\\'", b"'")
        words.append(bare)
        position = _skip_blanks(line, found.end())
    return words


def split_first_line(text: bytes, no_line: str, wrong_quotes: str) -> tuple[list[bytes], bytes]:
    """Return the words of the first line of a script, and the rest of it from the end of that line on.

    :param no_line: the error if that line has no end, or a NUL.
    :param wrong_quotes: the error for its quotes.
    :raises Error: with these words.
    """
    line, end, body = text.partition(b"\n")
    if not end or 0 in line:
        raise Error(no_line)
    try:
        return split_line(line), end + body
    except UnbalancedQuotesError:
        raise Error(wrong_quotes) from None


def _skip_blanks(line: bytes, position: int) -> int:
    while position < len(line) and line[position] in _BLANKS:
        position += 1
    return position


def _unescape(found: re.Match[bytes]) -> bytes:
    if found[1] is not None:
        return bytes((int(found[1], 16),))
    return _ESCAPES.get(found[2], found[2])
