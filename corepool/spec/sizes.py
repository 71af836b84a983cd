"""Sizes as people write them: "512MiB", "2GiB", or bytes as a number."""

from __future__ import annotations

import re
from typing import Annotated

from corepool.spec.fields import BeforeValidator, Field, PlainSerializer

_UNITS = {"": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_SIZE = re.compile(r"(\d{1,18})\s*(KiB|MiB|GiB|)", re.ASCII)


def parse_size(value: object) -> int:
    """Turn a written size into bytes.

    :raises ValueError: it has none of the accepted forms.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError('expected a size such as "512MiB" or "2GiB", or a number of bytes')
    return int(match[1]) * _UNITS[match[2]]


def format_size(size: int) -> str | int:
    """Write a size so that `parse_size` gives the same number back: in the largest unit that leaves no remainder."""
    unit = next((unit for unit, factor in reversed(_UNITS.items()) if size and size % factor == 0), "")
    return f"{size // _UNITS[unit]}{unit}" if unit else size


_as_written = PlainSerializer(format_size, when_used="json")

Size = Annotated[int, BeforeValidator(parse_size, json_schema_input_type=str | int), Field(ge=1), _as_written]
"""Bytes, at least 1: the type of an option. `Annotated[Size, Field(ge=4096)]` sets a higher minimum."""

SizeOrOff = Annotated[int, BeforeValidator(parse_size, json_schema_input_type=str | int), Field(ge=0), _as_written]
"""Bytes; 0 is allowed, for never or none."""
