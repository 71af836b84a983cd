"""An exception of any class, wherever the master calls a plugin, costs at most the operation that was asked for."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from sources import metadata, source

from corepool.testing.pools import Pools
from corepool.testing.sockets import receive_exactly
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.testing.pool import PoolProcess

INTERRUPTED = 128 + signal.SIGINT  # as shells have it
EXCEPTIONS = ["Panic", "KeyboardInterrupt", "SystemExit"]

SOURCE = source("plugins/fails_in_the_master.py")

FILES = {
    "fails.py": SOURCE,
    **metadata(
        "fails",
        """[corepool.protocols]
fails = fails:Hooks
[corepool.dispatchers]
picks = fails:Picks
[corepool.scalers]
scales = fails:Scales
[corepool.transports]
brittle = fails:Brittle
""",
    ),
}

CONFIG = """
[pool]
workers = { min = 1, max = 2 }
scaler = "scales"
[[listener]]
name = "echo"
bind = ["tcp://127.0.0.1:0"]
protocol = "fails"
dispatcher = "picks"
"""

MORE = CONFIG + '\n[[listener]]\nname = "more"\nbind = ["brittle://127.0.0.1:0"]\nprotocol = "fails"\n'


@pytest.fixture(scope="module")
def running() -> Iterator[PoolProcess]:
    with Pools() as pools:
        yield pools(CONFIG, files=FILES, traceback=True)


def is_served(running: PoolProcess) -> bool:
    with running.connect("echo") as client:
        client.sendall(b"hello")
        return receive_exactly(client, 5) == b"hello"


def reload(running: PoolProcess, toml: str) -> None:
    (running.directory / "corepool.toml").write_text(toml)
    running.send_signal(signal.SIGHUP)


def arm(running: PoolProcess, case: str) -> None:
    """Have the next call of a place raise: the case is "place:class"."""
    new = running.directory / "case.new"
    new.write_text(case)
    new.replace(running.directory / "case")


def wait_for_log(running: PoolProcess, case: str) -> None:
    kind = case.partition(":")[2]
    told = (f"{kind}: {case}", f"{kind}({case!r})")
    wait_until(lambda: any(each in running.stderr for each in told), what=f"{case} is in the log")


def settle(running: PoolProcess) -> None:
    wait_until(lambda: running.status()["reload"]["state"] != "running" and running.workers())


@pytest.mark.parametrize("place", ["on_reload", "constructor", "check", "listen", "url", "on_child_exit", "on_signal"])
def test_the_master_goes_on(running: PoolProcess, place: str) -> None:
    settle(running)
    for kind in EXCEPTIONS:
        arm(running, f"{place}:{kind}")
        match place:
            case "on_reload" | "constructor":
                reload(running, CONFIG)
            case "check" | "listen" | "url":
                reload(running, MORE)
            case "on_child_exit":
                os.kill(running.workers()[0], signal.SIGKILL)
            case "on_signal":
                running.send_signal(signal.SIGWINCH)
        wait_for_log(running, f"{place}:{kind}")
        settle(running)
        assert is_served(running)
        assert [line["name"] for line in running.status()["listeners"]] == ["echo"], "nothing has changed"


def test_a_dispatcher_and_a_scaler_cost_a_choice(running: PoolProcess) -> None:
    settle(running)
    for case in ("pick:Panic", "decide:KeyboardInterrupt"):
        arm(running, case)
        assert is_served(running)
        wait_for_log(running, case)
    assert is_served(running)


def test_a_socket_whose_transport_can_not_clean_up_is_closed_all_the_same(running: PoolProcess) -> None:
    settle(running)
    reload(running, MORE)
    wait_until(lambda: len(running.urls()) == 2)
    settle(running)
    arm(running, "close:Panic")
    reload(running, CONFIG)
    wait_for_log(running, "close:Panic")
    settle(running)

    assert is_served(running)


@pytest.mark.parametrize("place", ["on_start", "on_ready", "on_stop"])
def test_a_pool_starts_and_stops_all_the_same(pool: Pools, place: str) -> None:
    running = pool(CONFIG, files={**FILES, "case": f"{place}:KeyboardInterrupt"}, traceback=True)
    assert is_served(running)
    running.stop()

    assert running.stderr.count(f"KeyboardInterrupt: {place}:KeyboardInterrupt") == 1


def test_the_operators_interrupt_ends_a_start(pool: Pools) -> None:
    """While plugins are imported, KeyboardInterrupt is Ctrl-C, and no mistake of a plugin's author."""
    hangs = "import time\nopen('importing', 'w').close()\ntime.sleep(600)\n"
    running = pool(CONFIG, files={**FILES, "fails.py": hangs}, wait=False, exit_status=INTERRUPTED, traceback=True)
    wait_until((running.directory / "importing").exists)
    running.send_signal(signal.SIGINT)

    assert running.wait() == INTERRUPTED
    assert "can't be imported" not in running.stderr
