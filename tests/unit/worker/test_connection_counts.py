"""The counts of connections: of a worker that may be killed before it publishes them, and by the way they came."""

from __future__ import annotations

from corepool.hot.reactor import Reactor
from corepool.ipc.scoreboard import ListenerPlace, Scoreboard
from corepool.worker.counts import ConnectionCounts

PLACE = ListenerPlace(0)


def test_a_connection_that_has_just_left_for_another_worker_has_not_ended() -> None:
    reactor = Reactor()
    board = Scoreboard(1)
    killed, taking = board.claim(0), board.claim(0)
    leaving = ConnectionCounts(killed, 10, reactor)
    leaving.received()
    leaving.began(PLACE)
    leaving.publish([])
    leaving.moved_out(PLACE)
    board.retire(killed)

    counts = ConnectionCounts(taking, 10, reactor)
    counts.received_moved(PLACE)
    counts.ended(PLACE)
    counts.publish([])

    assert (board.total("accepted"), board.total("closed")) == (1, 1)
    assert [board.total_of(PLACE, name) for name in ("accepted", "moved", "moved_out", "closed")] == [1, 1, 1, 1]


def test_a_connection_that_had_just_come_from_another_worker_is_not_begun_again() -> None:
    reactor = Reactor()
    board = Scoreboard(1)
    leaving, killed = board.claim(0), board.claim(0)
    counts = ConnectionCounts(leaving, 10, reactor)
    counts.received()
    counts.began(PLACE)
    counts.moved_out(PLACE)
    counts.publish([])

    ConnectionCounts(killed, 10, reactor).received_moved(PLACE)
    board.retire(killed)

    assert (board.total("accepted"), board.total("closed")) == (1, 1)
    assert [board.total_of(PLACE, name) for name in ("accepted", "moved", "moved_out", "closed")] == [1, 1, 1, 1]
    assert board.active(PLACE) == 0


def test_the_master_has_no_copy_of_a_connection_that_the_worker_has_accepted_by_itself() -> None:
    row = Scoreboard(1).claim(0)
    counts = ConnectionCounts(row, 10, Reactor())
    handed_over = counts.received()
    counts.began(PLACE)

    assert counts.is_shared(handed_over)
    assert not counts.is_shared(counts.own_number())
