"""Which open socket serves what a new configuration wants."""

from __future__ import annotations

import pytest

from corepool import Endpoint
from corepool.launch.reuse import match

FREE = "tcp://127.0.0.1:0"
FILE = "unix:///run/x.sock"


@pytest.mark.parametrize(
    ("wanted", "there", "found"),
    [
        ([("b", FREE)], [("a", FREE), ("b", FREE)], {0: 1}),
        ([("c", FREE), ("b", FREE)], [("b", FREE)], {1: 0}),
        ([("b", FREE), ("a", FREE)], [("a", FREE), ("b", FREE)], {0: 1, 1: 0}),
        ([("a", FREE), ("a", FREE)], [("a", FREE)], {0: 0}),
        ([("new", "tcp://h:1")], [("old", "tcp://h:1")], {0: 0}),
        ([("a", "tcp://h:1"), ("a", "tcp://h:2")], [("a", "tcp://h:2")], {1: 0}),
        ([("a", FILE + "?mode=0660")], [("a", FILE)], {0: 0}),
        ([("a", FILE + "?mode=0660"), ("b", FILE)], [("a", FILE)], {1: 0}),
        ([("a", "tcp://h:1?x=1")], [("a", "tcp://h:1")], {}),
        ([], [("a", FREE)], {}),
    ],
)
def test_the_name_decides_among_equal_urls_and_the_address_where_no_url_does(
    wanted: list[tuple[str, str]], there: list[tuple[str, str]], found: dict[int, int]
) -> None:
    places = [(name, Endpoint.parse(url)) for name, url in wanted]
    others = [(name, Endpoint.parse(url)) for name, url in there]

    assert match(places, others, lambda place, _: places[place][1].scheme == "unix") == found
