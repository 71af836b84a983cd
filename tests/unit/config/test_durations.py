"""Durations and sizes in the configuration."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from corepool import Duration, DurationOrOff, Options, Size, SizeOrOff
from corepool.spec.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("250ms", 0.25),
        ("30s", 30.0),
        ("5m", 300.0),
        ("1h", 3600.0),
        ("1.5 m", 90.0),
        (" 7s ", 7.0),
        ("3", 3.0),
        (4, 4.0),
        (0.5, 0.5),
    ],
)
def test_a_duration_is_a_number_with_a_unit_or_plain_seconds(written: object, seconds: float) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written", ["fast", "", "-1s", "1d", "1e3s", "s", "\N{ARABIC-INDIC DIGIT ONE}s", True, [], {}, None]
)
def test_anything_else_is_refused_with_an_example(written: object) -> None:
    with pytest.raises(ValueError, match='expected a duration such as "250ms"'):
        parse_duration(written)


@given(st.floats(min_value=0, allow_infinity=False))
def test_a_formatted_duration_parses_to_the_same_number(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


def test_types_of_options() -> None:
    class Mine(Options):
        wait: Duration = 1.0
        rest: DurationOrOff = 0.0
        most: Size = 1
        least: SizeOrOff = 0

    assert Mine.model_validate({"wait": "5m", "rest": "0", "most": "64MiB", "least": "0"}) == Mine(
        wait=300.0, rest=0.0, most=2**26, least=0
    )
    for wrong in ({"wait": 0}, {"rest": -1}, {"most": "0"}, {"least": -1}, {"wait": float("inf")}):
        with pytest.raises(ValidationError):
            Mine.model_validate(wrong)
