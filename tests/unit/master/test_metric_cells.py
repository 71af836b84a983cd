"""The metrics of a protocol's own: each has cells of its own, and no counter of a dead worker is lost."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepool import Metric
from corepool.ipc.metric_cells import BLOCK, COUNTERS, GAUGES, Layout
from corepool.ipc.scoreboard import ListenerPlace, Row, Scoreboard
from corepool_admin.metrics import exposition
from tests.support.made_up_status import made_up_status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ORDERS = Metric("orders", "Orders.", labels={"kind": ("buy", "sell"), "size": ("s", "m", "l")})
TIMES = Metric("times", "Times.", kind="histogram", bounds=(0.1, 1.0))
OPEN = Metric("open", "Open.", kind="gauge")
LAYOUT = Layout((ORDERS, OPEN, TIMES))
FIRST, LAST = ListenerPlace(0), ListenerPlace(63)


def board() -> Scoreboard:
    return Scoreboard(listeners=64)


def counted(on: Scoreboard, place: ListenerPlace, layout: Layout = LAYOUT) -> Mapping[str, Sequence[int]]:
    return layout.counted(on.metrics_of(place, layout))


def count(row: Row, place: ListenerPlace, orders: int, opened: int) -> None:
    cells = LAYOUT.cells(row.block(place))
    cells["orders"][5] += orders
    cells["times"][-1] += 10 * orders
    cells["open"][0] = opened


def test_a_label_that_comes_last_changes_first() -> None:
    assert list(ORDERS.combinations())[:4] == [("buy", "s"), ("buy", "m"), ("buy", "l"), ("sell", "s")]
    assert (ORDERS.size, TIMES.size, OPEN.size) == (6, 4, 1)


def test_what_dead_workers_have_counted_is_kept_and_their_gauges_are_gone() -> None:
    on = board()
    dead, alive = on.claim(0), on.claim(0)
    for place, factor in ((FIRST, 1), (LAST, 100)):
        count(dead, place, 3 * factor, 7)
        count(alive, place, 4 * factor, 2)
    before = {place: counted(on, place) for place in (FIRST, LAST)}
    on.retire(dead)

    assert [before[place]["orders"][5] for place in before] == [7, 700]
    assert [before[place]["open"][0] for place in before] == [9, 9]
    for place in before:
        after = counted(on, place)
        assert (after["orders"], after["times"]) == (before[place]["orders"], before[place]["times"])
        assert list(after["open"]) == [2]
    reused = on.claim(0)
    assert set(reused.cells) == {0}, "a row that is used again begins with nothing"


def test_cells_of_another_protocol_are_not_taken_for_those_of_this_one() -> None:
    on, other = board(), Layout((Metric("cups", "Cups."), OPEN))
    before, after = on.claim(0), on.claim(0)
    count(before, FIRST, 5, 1)
    other.cells(after.block(FIRST))["cups"][0] = 8

    assert list(counted(on, FIRST, other)["cups"]) == [8]
    on.retire(before)
    assert list(counted(on, FIRST, other)["cups"]) == [8]
    on.retire(after)
    assert list(counted(on, FIRST, other)["cups"]) == [8]
    assert counted(on, FIRST)["orders"][5] == 5


def test_a_reload_to_another_protocol_that_fails_takes_no_counts_from_the_one_that_goes_on() -> None:
    on, other = board(), Layout((Metric("cups", "Cups."), OPEN))
    old, stays = on.claim(0), on.claim(0)
    count(old, FIRST, 5, 1)
    count(stays, FIRST, 6, 1)
    on.retire(old)
    for _ in range(3):
        failed = on.claim(0)
        other.cells(failed.block(FIRST))
        on.retire(failed)
        assert counted(on, FIRST)["orders"][5] == 11
    on.retire(stays)
    assert counted(on, FIRST)["orders"][5] == 11


def test_counts_of_layouts_long_gone_are_dropped_but_not_of_one_that_is_asked_for() -> None:
    on = board()
    gone = [Layout((Metric(f"cups_{number}", "Cups."),)) for number in range(30)]
    first = on.claim(0)
    count(first, FIRST, 5, 1)
    on.retire(first)
    for layout in gone:
        row = on.claim(0)
        layout.cells(row.block(FIRST))[layout.metrics[0].name][0] = 1
        on.retire(row)
        assert counted(on, FIRST)["orders"][5] == 5
    assert list(counted(on, FIRST, gone[0])["cups_0"]) == [0]
    assert list(counted(on, FIRST, gone[-1])["cups_29"]) == [1]


def test_a_listener_that_counts_nothing_has_zeros() -> None:
    assert {name: set(cells) for name, cells in counted(board(), FIRST).items()} == {
        "orders": {0},
        "times": {0},
        "open": {0},
    }


@given(
    st.lists(
        st.tuples(st.sampled_from(("counter", "gauge", "histogram")), st.integers(1, 6), st.integers(1, 5)), max_size=8
    )
)
def test_metrics_are_laid_out_side_by_side_or_refused(kinds: list[tuple[Any, int, int]]) -> None:
    metrics = [
        Metric(f"m{number}", "", kind, {"a": [str(value) for value in range(values)]}, _bounds(kind, bounds))
        for number, (kind, values, bounds) in enumerate(kinds)
    ]
    gauges = sum(each.size for each in metrics if each.kind == "gauge")
    if gauges > GAUGES or sum(each.size for each in metrics) - gauges > COUNTERS:
        with pytest.raises(ValueError, match="there is room for"):
            Layout(metrics)
        return
    places = Layout(metrics).places
    taken = [cell for place in places.values() for cell in range(BLOCK)[place]]
    assert len(taken) == len(set(taken)) == sum(each.size for each in metrics)
    assert 0 not in taken, "the tag's"
    kept = [
        cell for name, place in places.items() for cell in range(BLOCK)[place] if kinds[int(name[1:])][0] != "gauge"
    ]
    assert all(cell <= COUNTERS for cell in kept)


def _bounds(kind: str, count: int) -> list[float]:
    return [float(bound) for bound in range(count)] if kind == "histogram" else []


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"name": "Orders"}, "is no name"),
        ({"name": "a-b"}, "is no name"),
        ({"labels": {"a b": ("x",)}}, "is no name"),
        ({"labels": {"listener": ("x",)}}, "added by corepool"),
        ({"bounds": (1.0,)}, "nothing else, has bounds"),
        ({"kind": "histogram"}, "has bounds"),
        ({"kind": "histogram", "bounds": (2.0, 1.0)}, "they grow"),
        ({"kind": "histogram", "bounds": (1.0, float("inf"))}, "bounds are finite"),
        ({"kind": "histogram", "bounds": (float("nan"),)}, "bounds are finite"),
        ({"kind": "summary"}, "is no kind"),
        ({"name": "orders_total"}, "doesn't end in"),
        ({"name": "orders_sum", "kind": "gauge"}, "doesn't end in"),
        ({"labels": {"kind": ("buy", "sell", "buy")}}, "each of them once"),
        ({"labels": {"kind": (1, 2)}}, "are strings"),
    ],
)
def test_a_metric_that_cannot_be_shown_is_refused(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Metric(**{"name": "orders", "meaning": "", **wrong})


def test_no_protocol_can_declare_a_metric_of_corepool_itself() -> None:
    text = exposition(made_up_status())[1].decode()
    names = re.findall("^# TYPE corepool_([a-z_]+?)(?:_total)? ", text, re.MULTILINE)
    own = [name for name in names if not name.startswith("http_")]
    assert {"uptime_seconds", "listener_active", "restarts"} <= set(own)
    for name in own:
        with pytest.raises(ValueError, match="corepool has such names itself"):
            Metric(name, "")


def test_a_name_is_declared_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        Layout((OPEN, OPEN))
