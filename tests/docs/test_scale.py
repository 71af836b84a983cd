"""docs/explanation/scale.md: its tables are those of the simulations, which are as the page says."""

from __future__ import annotations

import random

import documents

from docs.making.fleet import CLIENTS, POLICIES, SERVICE_S, Policy, storm, storm_rows, wave_rows, waves

PAGE = (documents.DOCS / "explanation" / "scale.md").read_text()
STORMS = [storm(each) for each in POLICIES]


def test_the_tables_are_those_of_the_simulations() -> None:
    for row in (*storm_rows(STORMS), *wave_rows()):
        assert row in PAGE


def test_no_server_is_faster_than_its_work() -> None:
    for its in STORMS:
        assert its.connected == sorted(its.connected)
        assert all(count <= second / SERVICE_S + 1 for second, count in enumerate(its.connected))
        assert its.attempts >= 1


def test_clients_that_wait_for_their_turn_are_served_at_their_first_attempt() -> None:
    turns = iter(range(CLIENTS))
    in_turn = Policy("in turn", lambda _: next(turns) * SERVICE_S, lambda _, __: 1.0, 16)
    its = storm(in_turn)
    assert (its.attempts, its.wasted) == (1.0, 0.0)


def test_the_emptiest_host_moves_each_client_once() -> None:
    assert 1.0 <= waves("least connections", 1).moves < 1.01
    assert 1.6 < waves("random", 1).moves < 1.8


def test_it_is_the_same_again() -> None:
    random.seed(1)
    assert storm(POLICIES[-1]) == STORMS[-1]
