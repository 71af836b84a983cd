"""Exceptions of hooks, `SystemExit` and `CancelledError` among them, cost their own connection and no other."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING

import pytest
from sources import metadata, source

from corepool.testing.sockets import receive_all, receive_exactly
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pools import Pools

RAISES = source("plugins/raises_in_hooks.py")

BRITTLE = source("plugins/brittle.py")

FILES = {
    "brittle.py": BRITTLE,
    "raises.py": RAISES,
    **metadata(
        "raises",
        "[corepool.protocols]\nraises = raises:Raises\n"
        "[corepool.extensions]\ncounts = raises:Counts\n[corepool.transports]\nbrittle = brittle:Brittle\n",
    ),
}

CONFIG = """
[pool]
workers = 1
[[listener]]
name = "raises"
bind = ["{transport}://127.0.0.1:0"]
protocol = "raises"
extensions = ["counts"]
"""


def pid_of(client: socket.socket) -> bytes:
    client.sendall(b"pid ")
    return receive_exactly(client, 7)


@pytest.mark.parametrize("what", ["exit", "cancel", "quit", "group"])
def test_whatever_a_hook_raises_costs_its_connection_only(pool: Pools, what: str) -> None:
    running = pool(CONFIG.format(transport="tcp"), files=FILES, traceback=True)
    reasons = running.directory / "reasons"
    bystander = running.connect()
    pid = pid_of(bystander)
    for count, when in enumerate(("now", "at_the_end", "later", "after_the_batch"), 1):
        with running.connect() as victim:
            victim.sendall(f"{what} {when}".encode())
            assert receive_all(victim) == b""
        assert pid_of(bystander) == pid, when
        wait_until(
            lambda count=count: reasons.exists() and len(reasons.read_text().split()) == count,
            what="the end is told once, to everybody",
        )


MASTER = """
import sys
from corepool import hookimpl
from corepool_echo import Echo

class Leaves(Echo):
    @hookimpl
    def on_child_exit(self, worker, exit):
        sys.exit("as asked")
"""


def test_a_hook_of_the_master_can_not_end_it(pool: Pools) -> None:
    files = {
        "leaves.py": MASTER,
        **metadata("leaves", "[corepool.protocols]\nleaves = leaves:Leaves\n"),
    }
    running = pool(
        CONFIG.format(transport="tcp").replace('"raises"', '"leaves"').replace('extensions = ["counts"]', ""),
        files=files,
        traceback=True,
    )
    os.kill(running.workers()[0], signal.SIGKILL)

    wait_until(lambda: running.status()["totals"]["restarts"] == 1 and running.workers())

    running.wait_logged("master_hook_failed hook=on_child_exit")


def test_whatever_a_transports_layer_raises_costs_its_connection_only(pool: Pools) -> None:
    running = pool(CONFIG.format(transport="brittle"), files=FILES, traceback=True)
    finished = running.directory / "finished"
    bystander, unwatched = running.connect(), running.connect()
    pid = pid_of(bystander)
    assert receive_all(unwatched) == b""
    with running.connect() as victim:
        victim.sendall(b"send_later ")
        assert receive_all(victim) == b""

    assert pid_of(bystander) == pid
    assert pid_of(running.connect()) == pid
    with running.connect() as other:
        pid_of(other)
        other.shutdown(socket.SHUT_WR)
        assert receive_all(other) == b""
    wait_until(lambda: finished.read_text() == "finished\n", what="what broke off has no last words")


@pytest.mark.parametrize("where", ["at its import", "when it is made"])
def test_a_plugin_that_calls_sys_exit_ends_no_running_pool(pool: Pools, where: str) -> None:
    """It asks for a licence, say. `check` says so, and a reload is refused."""
    leaves = "import sys\nclass Leaves:\n    def __init__(self):\n        sys.exit('no licence')\n"
    if where == "at its import":
        leaves = "import sys\nsys.exit('no licence')\n"
    files = {
        "leaves.py": leaves,
        **metadata("leaves", "[corepool.extensions]\nleaves = leaves:Leaves\n"),
    }
    toml = '[[listener]]\nname = "echo"\nbind = ["tcp://127.0.0.1:0"]\nprotocol = "echo"\n'
    running = pool(toml, files=files, traceback=True)
    (running.directory / "corepool.toml").write_text(toml + 'extensions = ["leaves"]\n')

    running.send_signal(signal.SIGHUP)

    running.wait_logged("reload_failed kept=", "SystemExit: no licence")
    with running.connect() as client:
        client.sendall(b"hello")
        assert receive_exactly(client, 5) == b"hello"
