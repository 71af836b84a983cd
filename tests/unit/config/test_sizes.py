"""Sizes: read and written as people write them."""

from __future__ import annotations

import pytest

from corepool.config.settings import ListenerSettings
from corepool.spec.sizes import format_size, parse_size


@pytest.mark.parametrize(
    ("size", "written"),
    [
        (67_108_864, "64MiB"),
        (262_144, "256KiB"),
        (3 * 2**30, "3GiB"),
        (2**30 + 2**20, "1025MiB"),
        (2**41, "2048GiB"),
        (1_000_000, 1_000_000),
        (1, 1),
        (0, 0),
    ],
)
def test_a_size_is_written_in_the_largest_unit_that_leaves_no_rest(size: int, written: object) -> None:
    assert format_size(size) == written
    assert parse_size(written) == size


def test_check_shows_sizes_as_they_are_written() -> None:
    listener = ListenerSettings(name="a", bind=("tcp://127.0.0.1:0",), protocol="echo")

    shown = listener.model_dump(mode="json")

    assert (shown["output_limit"], shown["output_high_water"], shown["write_timeout"]) == ("64MiB", "256KiB", "60s")
    assert ListenerSettings.model_validate(shown) == listener
