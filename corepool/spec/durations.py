"""Durations as people write them: "250ms", "30s", "5m", "1h", or seconds as a number."""

from __future__ import annotations

import re
from typing import Annotated

from corepool.spec.fields import BeforeValidator, Field, PlainSerializer

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)?", re.ASCII)


def parse_duration(value: object) -> float:
    """Turn a written duration into seconds.

    :raises ValueError: it has none of the accepted forms.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:  # TOML's integers have no limit here; the model refuses infinity in words
            return float("inf")
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError('expected a duration such as "250ms", "30s" or "5m", or a number of seconds')
    return float(match[1]) * _UNITS[match[2] or "s"]


def format_duration(seconds: float) -> str:
    """Write a duration so that `parse_duration` gives the same number back."""
    from decimal import Decimal  # noqa: PLC0415 - a start writes none

    # By way of Decimal: the shortest digits that round-trip, without the exponent that repr may use.
    return f"{Decimal(repr(seconds)):f}".removesuffix(".0") + "s"


_as_written = PlainSerializer(format_duration, when_used="json")

Duration = Annotated[
    float,
    BeforeValidator(parse_duration, json_schema_input_type=str | float),
    Field(gt=0, allow_inf_nan=False),
    _as_written,
]
"""Seconds, more than 0: the type of an option."""

DurationOrOff = Annotated[
    float,
    BeforeValidator(parse_duration, json_schema_input_type=str | float),
    Field(ge=0, allow_inf_nan=False),
    _as_written,
]
"""Seconds; 0 is allowed, for never or none."""
