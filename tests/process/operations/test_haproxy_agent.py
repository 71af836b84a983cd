"""The protocol `haproxy-agent`, asked as HAProxy asks it."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import probe
import pytest

from corepool.testing.sockets import receive_all
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

TOML = """
[[pool]]
name = "web"
workers = 2
[[pool]]
name = "probes"
workers = 1
[[listener]]
name = "echo"
pool = "web"
bind = ["tcp://127.0.0.1:0"]
protocol = "echo"
[[listener]]
name = "agent"
pool = "probes"
bind = ["tcp://127.0.0.1:0"]
protocol = "haproxy-agent"
[listener.options]
min_weight = 100
"""


def told(running: PoolProcess, sent: bytes = b"") -> bytes:
    with running.connect("agent") as sock:
        sock.sendall(sent)
        return receive_all(sock)


@pytest.mark.parametrize("sent", [b"", b"one\n"], ids=["", "agent-send"])
def test_a_pool_that_serves_is_up_with_a_weight(pool: Pools, sent: bytes) -> None:
    assert told(pool(TOML), sent) == b"ready up 100%\n"


def test_a_pool_that_is_told_to_stop_drains_while_it_serves(pool: Pools) -> None:
    running = pool('[process]\nshutdown_delay = "1h"\n' + TOML)
    running.send_signal(signal.SIGTERM)
    wait_until(lambda: told(running) == b"drain\n")

    with running.connect("echo") as client:
        client.sendall(b"still here")
        assert client.recv(100) == b"still here"
    running.send_signal(signal.SIGTERM)
    assert running.wait() == 0


def test_a_master_that_does_not_answer_is_down(pool: Pools) -> None:
    other = pool(probe.config(workers=1), files=probe.files())
    agent = TOML.replace("min_weight = 100", f'control = "{other.control}"\ntimeout = "100ms"')
    running = pool(agent)
    assert told(running).startswith(b"ready up ")
    os.kill(other.pid, signal.SIGSTOP)
    try:
        assert told(running) == b"down #the master does not answer\n"
    finally:
        os.kill(other.pid, signal.SIGCONT)
    wait_until(lambda: told(running).startswith(b"ready up "))
