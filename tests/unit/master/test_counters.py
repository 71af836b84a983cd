"""One table of counters: each place that shows counters shows those of the table."""

from __future__ import annotations

from corepool.ipc.earlier import EarlierBoards
from corepool.ipc.scoreboard import ListenerPlace, Scoreboard, listener_cell
from corepool.master.shared_counts import SharedCounts
from corepool.master.status import ListenerStatus, sums
from corepool.master.totals import TotalCounts
from corepool.spec.counters import OF_LISTENERS, OF_SERVICES, OF_THE_MASTER, SHOWN_OF_LISTENERS, TOTALS


def test_the_totals_of_the_status_are_those_of_the_table() -> None:
    totals = TotalCounts(dict, EarlierBoards(), SharedCounts({}))
    for number, counter in enumerate(OF_THE_MASTER):
        totals.board.count(counter.name, number + 1)
    shown = sums(totals)
    totals.close()

    assert list(shown) == [each.name for each in TOTALS]
    assert [shown[each.name] for each in OF_THE_MASTER] == [1, 2, 3, 4]


def test_what_authors_of_tests_see_of_a_listener_is_in_the_table() -> None:
    facts = {"name", "pool", "bind", "protocol", "dispatcher", "paused", "active", "protocols", "handshake_failures"}

    assert ListenerStatus.__required_keys__ - facts <= {each.name for each in SHOWN_OF_LISTENERS}


def test_each_counter_of_each_listener_has_a_cell_of_its_own() -> None:
    cells = [listener_cell(ListenerPlace(place), each.name) for place in range(3) for each in OF_LISTENERS]

    assert cells == list(range(cells[0], cells[0] + len(cells)))


def test_a_total_is_the_sum_over_listeners_and_processes_alive_and_dead() -> None:
    board = Scoreboard(listeners=2)
    dead, alive = board.claim(0), board.claim(0)
    for row, size in ((dead, 1), (alive, 10)):
        for place in (0, 1):
            for number, counter in enumerate(OF_SERVICES):
                row.cells[listener_cell(ListenerPlace(place), counter.name)] = size * (place + 1) * (number + 1)
    before = [board.total(each.name) for each in OF_SERVICES]
    board.retire(dead)

    assert before == [33 * (number + 1) for number in range(len(OF_SERVICES))]
    assert [board.total(each.name) for each in OF_SERVICES] == before
    of_second = [board.total_of(ListenerPlace(1), each.name) for each in OF_SERVICES]
    assert of_second == [22 * (number + 1) for number in range(len(OF_SERVICES))]
