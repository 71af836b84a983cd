"""Errors."""

from __future__ import annotations

import contextlib
import http.client
from typing import TYPE_CHECKING

import pytest
from grid.client import TIMEOUT_S, ask_on

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from grid.client import Site


def exception_that_is_handled(site: Site) -> None:
    answer = site.get("/handled")
    assert (answer.status, answer.json) == (418, {"error": "handled"})


def exception_that_is_not_handled(site: Site) -> None:
    assert site.get("/unhandled").status == 500
    site.assert_serves()


def worker_survives_exceptions(site: Site) -> None:
    before = site.running.workers()
    for target in ("/unhandled", "/breaks", "/handled"):
        with contextlib.suppress(http.client.IncompleteRead):
            site.get(target)
    site.assert_serves()
    assert site.running.workers() == before


def connection_survives_an_exception(site: Site) -> None:
    connection = site.connection()
    assert ask_on(connection, "GET", "/unhandled").status == 500
    assert ask_on(connection, "GET", "/hello?name=x").text == "hello x"
    connection.close()


def exception_half_way_through_a_stream(site: Site) -> None:
    # The sent part arrives, and the client can tell that it is not everything.
    with pytest.raises(http.client.IncompleteRead) as caught:
        site.get("/breaks")
    assert caught.value.partial == b"partial"
    site.assert_serves()


def exception_is_logged(site: Site) -> None:
    site.get("/unhandled")
    wait_until(lambda: "RuntimeError: unhandled" in site.running.stderr, TIMEOUT_S)
