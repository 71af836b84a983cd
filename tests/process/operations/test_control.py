"""Commands of an operator to a running pool: listeners are paused and resumed, the log says more or less."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from http_client import get
from operated import corepool, reload_by_signal, start, told

from corepool.testing.sockets import connect, receive_all
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pools import Pools

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("dispatcher", ["least-connections", "kernel"])
def test_a_paused_listener_keeps_its_clients_waiting(pool: Pools, dispatcher: str) -> None:
    running = start(pool, dispatcher=dispatcher)
    with connect(running.urls()[0]) as before:
        before.sendall(REQUEST[:10])
        wait_until(lambda: running.status()["listeners"][0]["active"] == 1)
        assert told(running, "pause", "http") == "listener http is paused"
        assert running.status()["listeners"][0]["paused"] is True
        before.sendall(REQUEST[10:])
        assert receive_all(before).endswith(b"one"), "connections that there are go on"

    with connect(running.urls()[0]) as waiting:
        waiting.sendall(REQUEST)
        waiting.settimeout(0.3)
        with pytest.raises(socket.timeout):
            waiting.recv(1)
        waiting.settimeout(60)
        reload_by_signal(running)
        assert running.status()["listeners"][0]["active"] == 0, "workers that come later leave it alone, too"
        assert corepool(running, "resume", "http").returncode == 0
        assert receive_all(waiting).endswith(b"one")
    assert running.status()["listeners"][0]["paused"] is False


def test_wrong_arguments_are_reported(pool: Pools) -> None:
    running = start(pool)
    done = corepool(running, "pause", "other")
    assert (done.returncode, "there are: http" in done.stderr) == (1, True)
    done = corepool(running, "log-level", "loud")
    assert (done.returncode, "there are: debug, info" in done.stderr) == (1, True)
    for wrong in ({"workers": "4"}, {"workers": True}, {}):
        assert "workers: expected a whole number" in str(running.request("scale", **wrong)["error"])
    for beyond in (-1, 0, 513, 10**9):
        assert running.request("scale", workers=beyond)["error"] == f"workers: expected 1 to 512, not {beyond}"
    assert "now: expected true or false" in str(running.request("stop", now="yes")["error"])
    assert "listener: expected text" in str(running.request("pause", listener=1)["error"])
    assert get(running, "/").status == 200


def test_the_log_level_is_changed_everywhere(pool: Pools) -> None:
    running = start(pool)
    assert corepool(running, "log-level", "error", "--json").returncode == 0
    lines = running.stderr.count("\n")
    reload_by_signal(running)
    assert running.stderr.count("\n") == lines
    assert told(running, "log-level", "info") == "log level is now info"
    reload_by_signal(running)
    running.wait_logged("reload_done")
