"""The counts of a master before this one are read by name, whatever its version, and each is found once."""

from __future__ import annotations

import copy
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepool import Metric
from corepool.ipc.earlier import EarlierBoard, EarlierBoards, Sums, describe
from corepool.ipc.metric_cells import Layout
from corepool.ipc.scoreboard import Cell, ListenerPlace, Scoreboard, listener_cell
from corepool.ipc.scoreboard_head import Head
from corepool.master.shared_counts import SharedCounts
from corepool.master.totals import TotalCounts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.ipc.scoreboard import Row

ORDERS = Metric("orders", "Orders.", labels={"kind": ("buy", "sell")})
TIMES = Metric("times", "Times.", kind="histogram", bounds=(0.1, 1))
OPEN = Metric("open", "Open.", kind="gauge")
LAYOUT = Layout((ORDERS, OPEN, TIMES))
FIRST, SECOND = ListenerPlace(0), ListenerPlace(1)
PLACES = {"web": FIRST, "chat": SECOND}


class Master:
    """A board that others can read."""

    def __init__(self) -> None:
        self.fd = os.memfd_create("test")
        self.board = Scoreboard(64, self.fd)

    def described(self, layout: Layout = LAYOUT) -> Any:
        return json.loads(json.dumps(describe(self.board, PLACES, {SECOND: layout})))

    def read_by_another(self, described: Any = None) -> EarlierBoard:
        fd = os.dup(self.fd)
        try:
            return EarlierBoard(fd, described or self.described(), 64)
        except BaseException:
            os.close(fd)
            raise


@pytest.fixture
def master() -> Iterator[Master]:
    made = Master()
    yield made
    os.close(made.fd)


def count(row: Row, size: int) -> None:
    """Count `size` finished connections, as a worker does, and one that is open."""
    row.cells[Cell.RECEIVED] = row.cells[Cell.ACCEPTED] = size + 1
    row.cells[Cell.CLOSED] = size
    row.cells[Cell.REQUESTS] = 10 * size
    row.cells[listener_cell(SECOND, "accepted")] = size + 1
    row.cells[listener_cell(SECOND, "closed")] = size
    row.cells[listener_cell(SECOND, "bytes_in")] = 100 * size
    cells = LAYOUT.cells(row.block(SECOND))
    cells["orders"][1] = size
    cells["times"][0] = size
    cells["open"][0] = 1


def facts(sums: Sums, layout: Layout = LAYOUT) -> dict[str, object]:
    block = layout.counted(sums.block_of(SECOND, layout))
    return {
        "requests": sums.total("requests"),
        "accepted": sums.total("accepted"),
        "bytes_in": (sums.total("bytes_in"), sums.total_of(FIRST, "bytes_in"), sums.total_of(SECOND, "bytes_in")),
        "restarts": sums.total("restarts"),
        "metrics": {name: list(cells) for name, cells in block.items()},
    }


def test_what_the_living_and_the_dead_have_counted_is_read_by_name(master: Master) -> None:
    dead, alive = master.board.claim(0), master.board.claim(0)
    count(dead, 2)
    count(alive, 3)
    master.board.count("restarts")
    earlier = EarlierBoards([master.read_by_another()])
    expected = {
        "requests": 50,
        "accepted": 7,
        "bytes_in": (500, 0, 500),
        "restarts": 1,
        "metrics": {"orders": [0, 5], "open": [2], "times": [5, 0, 0, 0]},
    }

    assert facts(earlier.read()) == expected
    master.board.retire(dead)
    assert facts(earlier.read()) == expected | {"metrics": expected["metrics"] | {"open": [1]}}  # type: ignore[operator]
    count(alive, 4)
    assert facts(earlier.read())["requests"] == 60, "its workers go on"
    earlier.close()


def test_a_version_with_other_counters_in_other_places_is_understood(master: Master) -> None:
    """Its board is this one's, but for the names: the first column is of a counter that is not known here."""
    row = master.board.claim(0)
    for number in range(3):
        row.cells[Cell.COUNT + number] = 1 + number
    row.cells[Cell.REQUESTS] = 7
    described = master.described()
    described["listeners"][1][:3] = ["pigeons", "bytes_out", "accepted"]
    described["cells"] = {"letters": int(Cell.REQUESTS)}
    described["master"] = {}
    earlier = EarlierBoards([master.read_by_another(described)])
    sums = earlier.read()

    assert [sums.total_of(FIRST, name) for name in ("bytes_out", "accepted", "closed")] == [2, 3, 0]
    assert (sums.total("requests"), sums.total("restarts")) == (0, 0)
    here = TotalCounts(lambda: PLACES, earlier, SharedCounts({}))
    here.refresh()
    assert [here.total_of(FIRST, name) for name in ("bytes_out", "accepted")] == [2, 3]
    here.take([])
    assert [here.total_of(FIRST, name) for name in ("bytes_out", "accepted", "closed")] == [2, 3, 3]
    here.close()


def test_metrics_that_have_changed_go_on_where_their_cells_mean_the_same(master: Master) -> None:
    count(master.board.claim(0), 5)
    later = Layout(
        (
            OPEN,
            Metric("times", "Other times.", kind="histogram", bounds=(0.1, 1.0)),
            Metric("orders", "Orders.", labels={"kind": ("lend", "sell", "buy")}),
            Metric("cups", "Cups."),
        )
    )
    incomparable = Layout((Metric("times", "Times.", kind="histogram", bounds=(0.2, 1)), Metric("orders", "Orders.")))
    earlier = EarlierBoards([master.read_by_another()])

    assert facts(earlier.read(), later)["metrics"] == {
        "open": [1],
        "times": [5, 0, 0, 0],
        "orders": [0, 5, 0],
        "cups": [0],
    }
    assert facts(earlier.read(), incomparable)["metrics"] == {"times": [0, 0, 0, 0], "orders": [0]}
    earlier.close()


def test_counts_that_a_master_has_taken_over_are_found_once_by_the_next_one(master: Master) -> None:
    first, row = master, master.board.claim(0)
    count(row, 5)
    second = TotalCounts(lambda: PLACES, EarlierBoards([first.read_by_another()]), SharedCounts({}))
    about, fds = second.tell([])
    described = json.loads(os.pread(about, 1 << 20, 0))["boards"]
    os.close(about)
    boards = [EarlierBoard(os.dup(fd), its, 64) for fd, its in zip(fds, described, strict=True)]
    third = EarlierBoards(boards)
    count(second.board.claim(0), 7)

    assert third.read().total("requests") == 120
    count(row, 6)
    assert third.read().total("requests") == 130
    first.board.retire(row)
    second.take([])
    memoryview(first.board._map).cast("Q")[Head.FOLDS] += 1  # noqa: SLF001  # killed in a move: it has been taken over
    assert facts(third.read())["requests"] == 130
    assert facts(third.read())["metrics"] == {"orders": [0, 13], "open": [1], "times": [13, 0, 0, 0]}
    third.close()
    second.close()


def test_counts_that_are_being_moved_are_as_they_were_before(master: Master) -> None:
    row = master.board.claim(0)
    count(row, 5)
    board = master.read_by_another()
    earlier = EarlierBoards([board])
    before = earlier.read().total("requests")
    head = memoryview(master.board._map).cast("Q")  # noqa: SLF001
    head[Head.FOLDS] += 1
    row.cells[Cell.REQUESTS] += 1000  # it is in both places

    assert earlier.read().total("requests") == before
    head[Head.FOLDS] += 1
    row.cells[Cell.REQUESTS] -= 1000
    assert earlier.read().total("requests") == before
    row.cells[Cell.REQUESTS] += 1
    assert earlier.read().total("requests") == before + 1
    earlier.close()


def test_counts_of_a_master_that_was_killed_while_it_moved_some_are_taken_all_the_same(
    master: Master, caplog: pytest.LogCaptureFixture
) -> None:
    count(master.board.claim(0), 5)
    here = TotalCounts(lambda: PLACES, EarlierBoards([master.read_by_another()]), SharedCounts({}))
    memoryview(master.board._map).cast("Q")[Head.FOLDS] += 1  # noqa: SLF001

    here.take([])
    assert here.total("requests") == 50
    assert "totals_inexact" in caplog.text
    here.close()


def test_a_field_of_metrics_that_is_not_known_costs_no_total(master: Master) -> None:
    count(master.board.claim(0), 5)
    described = master.described()
    for metric, _ in described["layouts"][0][1]:
        metric["unit"] = "seconds"
    earlier = EarlierBoards([master.read_by_another(described)])

    assert facts(earlier.read())["metrics"] == {"open": [1], "orders": [0, 5], "times": [5, 0, 0, 0]}
    earlier.close()


def test_connections_of_a_master_that_was_killed_have_ended(master: Master) -> None:
    count(master.board.claim(0), 5)
    here = TotalCounts(lambda: PLACES, EarlierBoards([master.read_by_another()]), SharedCounts({}))
    here.refresh()
    assert (here.active(SECOND), here.total("closed")) == (1, 5)
    here.take([])
    assert (here.active(SECOND), here.total("closed"), here.total_of(SECOND, "closed")) == (0, 6, 6)
    assert list(LAYOUT.counted(here.metrics_of(SECOND, LAYOUT))["open"]) == [0]
    here.close()


_VALUES = st.one_of(st.none(), st.integers(-(2**70), 2**70), st.text(max_size=3), st.lists(st.integers(), max_size=3))


@given(st.data())
def test_a_description_that_makes_no_sense_is_refused_or_read_without_failing(data: st.DataObject) -> None:
    master = Master()
    count(master.board.claim(0), 1)
    described = copy.deepcopy(master.described())
    at: Any = described
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = data.draw(st.sampled_from(keys))
        inner = at[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            break
        at = inner
    at[key] = data.draw(_VALUES)
    try:
        board = master.read_by_another(described)
    except ValueError:
        pass
    else:
        earlier = EarlierBoards([board])
        earlier.read()
        earlier.close()
    finally:
        os.close(master.fd)


def test_another_format_is_refused_by_its_number(master: Master) -> None:
    with pytest.raises(ValueError, match="format 2, not 1"):
        master.read_by_another(master.described() | {"format": 2})
    with pytest.raises(ValueError, match="means nothing here"):
        EarlierBoard(master.fd, master.described() | {"size": 2**40}, 64)


def test_what_a_protocol_of_several_has_counted_is_its_listeners_and_in_the_total_once(master: Master) -> None:
    row = master.board.claim(0)
    master.board.parts.add(SECOND)  # of the first listener
    for place in (FIRST, SECOND):
        row.cells[listener_cell(place, "bytes_in")] = 10
    here = TotalCounts(lambda: PLACES, EarlierBoards([master.read_by_another()]), SharedCounts({}))
    here.refresh()

    assert [here.total("bytes_in"), *(here.total_of(place, "bytes_in") for place in (FIRST, SECOND))] == [10, 10, 10]
    here.take([])
    assert [here.total("bytes_in"), *(here.total_of(place, "bytes_in") for place in (FIRST, SECOND))] == [10, 10, 10]
    here.close()
