"""Numbers as Redis reads and writes them."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from corepool_kv.redis.replies import Error
from corepool_kv.stores import DATABASES

_INTEGER = re.compile(rb"0|-?[1-9][0-9]{0,18}")
_FLOAT = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE]([+-]?[0-9]{1,5}))?")
_FLOAT_OF_ANY_SIZE = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NOT_ZERO = re.compile(rb"[1-9]")
_HEXADECIMAL = re.compile(rb"([+-]?)0[xX]([0-9a-fA-F]*)\.?([0-9a-fA-F]*)(?:[pP]([+-]?[0-9]{1,5}))?")
_INFINITY = re.compile(rb"[+-]?inf(?:inity)?", re.IGNORECASE)

SMALLEST, LARGEST = -(2**63), 2**63 - 1

_LARGEST_EXPONENT = 4900  # of the long double that Redis computes with, nearly
_LARGEST_BINARY_EXPONENT = 16_000
_MAX_FLOAT_BYTES = 5120  # characters that Redis reads (MAX_LONG_DOUBLE_CHARS)
_MANTISSA_BITS = 64
_MANTISSA_DIGITS = 15  # of a double: so many are exact
_DECIMALS = 17


def parse_integer(text: bytes, message: str = "ERR value is not an integer or out of range") -> int:
    """Read a signed 64-bit number, in decimal and in no other spelling (string2ll).

    :raises Error: with `message`.
    """
    if _INTEGER.fullmatch(text) is None:
        raise Error(message)
    number = int(text)
    if not SMALLEST <= number <= LARGEST:
        raise Error(message)
    return number


def parse_int32(text: bytes) -> int:
    """Read a signed 32-bit number.

    :raises Error: it is none.
    """
    return parse_range(text, -(2**31), 2**31 - 1)


def parse_database(text: bytes) -> int:
    """Read the number of a database.

    :raises Error: there is no such database.
    """
    number = parse_int32(text)
    if not 0 <= number < DATABASES:
        raise Error("ERR DB index is out of range")
    return number


def parse_range(text: bytes, smallest: int, largest: int, message: str = "") -> int:
    """Read a number between two others, inclusive (getRangeLongFromObjectOrReply).

    :raises Error: it is none; with `message`, if there is one.
    """
    number = parse_integer(text, message or "ERR value is not an integer or out of range")
    if not smallest <= number <= largest:
        raise Error(message or f"ERR value is out of range, value must between {smallest} and {largest}")
    return number


def parse_positive(text: bytes, message: str = "ERR value is out of range, must be positive") -> int:
    """Read a number that is not negative.

    :raises Error: it is none; with `message`.
    """
    return parse_range(text, 0, LARGEST, message)


def check_doubled(count: int, *, doubled: bool) -> None:
    """Refuse a count of pairs of which there can't be twice as many parts.

    :raises Error: it is refused.
    """
    if doubled and abs(count) > LARGEST // 2:
        raise Error("ERR value is out of range")


def parse_float(text: bytes, message: str = "ERR value is not a valid float") -> Fraction | None:
    """Read a floating-point number; None: it is infinite.

    :raises Error: it is not a number, or not one that Redis computes with; with `message`.
    """
    if _INFINITY.fullmatch(text):
        return None
    if (hexadecimal := _HEXADECIMAL.fullmatch(text)) is not None and len(text) <= _MAX_FLOAT_BYTES:
        return _parse_hexadecimal(hexadecimal, message)
    found = _FLOAT.fullmatch(text)
    if found is None or abs(int(found[1] or 0)) > _LARGEST_EXPONENT or len(text) > _MAX_FLOAT_BYTES:
        raise Error(message)
    return Fraction(text.decode())


def parse_double(text: bytes, message: str = "ERR value is not a valid float") -> float:
    """Read a number of 64 bits, or an infinite one (getDoubleFromObject).

    :raises Error: it is none, or too large or too small; with `message`.
    """
    if len(text) <= _MANTISSA_DIGITS and text.isdigit():
        return float(text)  # nothing of what follows can be: the expressions take longer than a place in the index
    number = read_double(text)
    if number is None:
        raise Error(message)
    overflows = math.isinf(number) and _INFINITY.fullmatch(text) is None
    if overflows or (number == 0 and _NOT_ZERO.search(text.lower().partition(b"e")[0])):
        raise Error(message)
    return number


def read_double(text: bytes) -> float | None:
    """Read a number as strtod(3) does, to the end of the text; None: that is no number."""
    if _INFINITY.fullmatch(text) or _FLOAT_OF_ANY_SIZE.fullmatch(text):
        return float(text)
    hexadecimal = _HEXADECIMAL.fullmatch(text)
    if hexadecimal is None or not hexadecimal[2] + hexadecimal[3]:
        return None
    try:
        return float.fromhex(text.decode())
    except OverflowError:
        return -math.inf if hexadecimal[1] == b"-" else math.inf


def _parse_hexadecimal(found: re.Match[bytes], message: str) -> Fraction:
    """Read what strtold(3) reads, too: 0x1.8p3."""
    sign, whole, decimals, power = found.groups()
    exponent = int(power or 0) - 4 * len(decimals)
    if not whole + decimals or abs(exponent) > _LARGEST_BINARY_EXPONENT:
        raise Error(message)
    number = int(whole + decimals, 16) * Fraction(2) ** exponent
    return -number if sign == b"-" else number


def add_floats(first: Fraction | None, second: Fraction | None) -> bytes:
    """Add as an x87 long double does, and write 17 decimal places without zeros at the end (ld2string, LD_STR_HUMAN).

    Redis computes with a mantissa of 64 bits; a sum with more digits right would differ from Redis's.

    :raises Error: the sum is infinite.
    """
    if first is None or second is None:
        raise Error("ERR increment would produce NaN or Infinity")
    total = _round(_round(first) + _round(second))
    scaled, rest = divmod(abs(total.numerator) * 10**_DECIMALS, total.denominator)
    if 2 * rest > total.denominator or (2 * rest == total.denominator and scaled % 2):
        scaled += 1
    whole, decimals = divmod(scaled, 10**_DECIMALS)
    text = f"{whole}.{decimals:0{_DECIMALS}}".rstrip("0").rstrip(".")
    return (f"-{text}" if total < 0 and text != "0" else text).encode()


def _round(number: Fraction) -> Fraction:
    """Round to 64 bits of mantissa, to even."""
    if not number:
        return number
    exponent = abs(number.numerator).bit_length() - number.denominator.bit_length() - _MANTISSA_BITS
    unit = Fraction(2) ** exponent
    if abs(number) >= unit * 2**_MANTISSA_BITS:
        unit *= 2
    return round(number / unit) * unit
