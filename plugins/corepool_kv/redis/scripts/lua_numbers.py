"""Functions on numbers that the libraries of scripts call: Lua 5.1 has neither bits nor the bytes of a double."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

Number = int | float

_BITS = 32
_ALL = (1 << _BITS) - 1


def _to_bits(number: Number) -> int:
    """Return 32 bits of a number, rounded to even as LuaBitOp does; of one that is none, 0."""
    return round(number) & _ALL if math.isfinite(number) else 0


def _signed(bits: int) -> int:
    return bits - (1 << _BITS) if bits >> (_BITS - 1) else bits


def _rotate_left(bits: int, by: int) -> int:
    by %= _BITS
    return (bits << by | bits >> (_BITS - by)) & _ALL


_OF_ONE: dict[str, Callable[[int], int]] = {
    "tobit": lambda bits: bits,
    "bnot": lambda bits: ~bits & _ALL,
    "bswap": lambda bits: int.from_bytes(bits.to_bytes(4), "little"),
}
_OF_TWO: dict[str, Callable[[int, int], int]] = {
    "band": lambda one, two: one & two,
    "bor": lambda one, two: one | two,
    "bxor": lambda one, two: one ^ two,
    "lshift": lambda bits, by: bits << by % _BITS & _ALL,
    "rshift": lambda bits, by: bits >> by % _BITS,
    "arshift": lambda bits, by: _signed(bits) >> by % _BITS & _ALL,
    "rol": _rotate_left,
    "ror": lambda bits, by: _rotate_left(bits, -by),
}


def bit_functions() -> dict[str, Callable[..., int]]:
    """Return the functions of the library `bit`, by the names that bit.lua knows."""

    def of_one(compute: Callable[[int], int]) -> Callable[[Number], int]:
        return lambda number: _signed(compute(_to_bits(number)))

    def of_two(compute: Callable[[int, int], int]) -> Callable[[Number, Number], int]:
        return lambda one, two: _signed(compute(_to_bits(one), _to_bits(two)))

    functions: dict[str, Callable[..., int]] = {f"bit_{name}": of_one(each) for name, each in _OF_ONE.items()}
    return functions | {f"bit_{name}": of_two(each) for name, each in _OF_TWO.items()}


def pack(code: bytes, number: Number) -> bytes:
    """Return the bytes of a number, as `struct.pack` does; a number too large for a float becomes infinite."""
    if code[-1:] in b"fd":
        try:
            return struct.pack(code, number)
        except OverflowError:
            return struct.pack(code, math.copysign(math.inf, number))
    return struct.pack(code, int(number))


def pack_float(number: Number) -> bytes:
    """Return a number in MessagePack: of 32 bits if nothing is lost by it, and otherwise of 64."""
    short = pack(b">f", number)
    if struct.unpack(">f", short)[0] == number:
        return b"\xca" + short
    return b"\xcb" + struct.pack(">d", number)


def unpack(code: bytes, data: bytes) -> Number:
    """Return the number of some bytes."""
    number: Number = struct.unpack(code, data)[0]
    return number
