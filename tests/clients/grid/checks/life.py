"""Life of an application."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from grid.client import TIMEOUT_S

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from grid.client import Site


def background_task(site: Site) -> None:
    gate = site.gate()
    assert site.get(f"/background?gate={gate.name}").text == "accepted"
    # The response is here, and the task has not been able to end.
    assert not gate.is_marked("done")
    gate.open("go")
    gate.wait_for("done")
    site.assert_serves()


def state_of_the_startup(site: Site) -> None:
    assert site.get("/state").text == "from startup"


def shutdown(site: Site) -> None:
    """A reload replaces the worker, whose application is shut down."""
    before = site.running.workers()
    mark = site.running.directory / "shut-down"
    mark.unlink(missing_ok=True)
    site.running.send_signal(signal.SIGHUP)
    wait_until(mark.exists, TIMEOUT_S)
    wait_until(lambda: len(site.running.workers()) == 1 and site.running.workers() != before, TIMEOUT_S)
    site.assert_serves()


def long_poll(site: Site) -> None:
    gate = site.gate()
    connection = site.connection()
    connection.request("GET", f"/poll?gate={gate.name}")
    gate.wait_for("waits")
    site.assert_serves()
    gate.open("go")
    assert connection.getresponse().read() == b"woken"
    connection.close()


def client_that_leaves_a_long_poll(site: Site) -> None:
    gate = site.gate()
    connection = site.connection()
    connection.request("GET", f"/poll?gate={gate.name}")
    gate.wait_for("waits")
    connection.close()
    gate.wait_for("left")
    site.assert_serves()
