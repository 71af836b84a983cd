"""Numbers and keys as memcached reads them."""

from __future__ import annotations

_MONTH_S = 30 * 24 * 3600
"""A longer time to live is a time since the epoch."""

_SIGN = 1 << 31
"""memcached keeps that time in 32 bits: libmemcached sends 4294967295 for -1."""

LARGEST = 2**64 - 1
LARGEST_FLAGS = 2**32 - 1
MAX_KEY_BYTES = 250

_SIGNED_DIGITS = 18
_UNSIGNED_DIGITS = 20

BAD_FORMAT = b"CLIENT_ERROR bad command line format\r\n"


class RefusedLineError(Exception):
    """A command is refused before it has begun."""

    def __init__(self, reply: bytes = BAD_FORMAT) -> None:
        super().__init__(reply)
        self.reply = reply


def parse_signed(word: bytes, reply: bytes = BAD_FORMAT) -> int:
    """Read a number.

    :raises RefusedLineError: it is none; with `reply`.
    """
    digits = word[1:] if word[:1] in (b"+", b"-") else word
    if not digits.isdigit() or len(digits) > _SIGNED_DIGITS:
        raise RefusedLineError(reply)
    return int(word)


def parse_unsigned(word: bytes, largest: int = LARGEST, reply: bytes = BAD_FORMAT) -> int:
    """Read a number without a sign.

    :raises RefusedLineError: it is none, or too large; with `reply`.
    """
    if not word.isdigit() or len(word) > _UNSIGNED_DIGITS or (number := int(word)) > largest:
        raise RefusedLineError(reply)
    return number


def check_key(key: bytes) -> bytes:
    """Return a key that is short enough.

    :raises RefusedLineError: it is not.
    """
    if len(key) > MAX_KEY_BYTES:
        raise RefusedLineError
    return key


def number_in(value: bytes) -> int | None:
    """Return the number that an item is; None: it is none that incr and decr take."""
    digits = value.rstrip(b" ")
    if len(value) > _UNSIGNED_DIGITS or not digits.isdigit() or (number := int(digits)) > LARGEST:
        return None
    return number


def last_ms(exptime: int, now_ms: int) -> int:
    """Return the last millisecond of an item's life; 0: it has no end.

    :param exptime: seconds from now; more than 30 days: since the epoch; negative: it has ended.
    """
    exptime = (exptime + _SIGN) % (2 * _SIGN) - _SIGN
    if exptime == 0:
        return 0
    if exptime < 0:
        return 1
    return now_ms + exptime * 1000 if exptime <= _MONTH_S else exptime * 1000 - 1


def left_s(expires_ms: int, now_ms: int) -> int:
    """Return the seconds that an item has left; -1: it has no end."""
    return -1 if not expires_ms else (expires_ms - now_ms + 999) // 1000
