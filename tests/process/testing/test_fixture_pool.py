"""The checks of the fixture `pool` at the end of a test: each fault that it looks for is found."""

from __future__ import annotations

from contextlib import nullcontext, suppress

import psutil
import pytest
from extension_client import plugin_files

from corepool.testing.pools import Pools
from corepool.testing.sockets import receive_all

ARGUMENTS = ("wrong", "-b", "tcp://127.0.0.1:0", "-w", "1")

FORGETS_A_CHILD = """
import subprocess
from corepool import hookimpl

class Wrong:
    @hookimpl
    def on_worker_start(self):
        subprocess.Popen(["sleep", "100"])

    @hookimpl
    def on_readable(self, conn):
        conn.recv()
"""

RAISES = """
from corepool import hookimpl

class Wrong:
    @hookimpl
    def on_readable(self, conn):
        raise ValueError("as asked")
"""


def test_a_process_that_is_left_over_fails_the_test_and_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corepool.testing.pools._LEAVE_WITHIN_S", 0.1)  # it does not leave by itself
    pools = Pools()
    pool = pools.serve(*ARGUMENTS, files=plugin_files("wrong", "Wrong", FORGETS_A_CHILD))
    assert "sleep" in {psutil.Process(pid).name() for pid in pool.left_over()}

    with pytest.raises(AssertionError, match="every process of the pool gone"):
        pools.__exit__(None, None, None)

    assert pool.left_over() == []


@pytest.mark.parametrize("expected", [True, False])
def test_a_traceback_in_the_log_fails_the_test_unless_it_is_expected(*, expected: bool) -> None:
    pools = Pools()
    pool = pools.serve(*ARGUMENTS, traceback=expected, files=plugin_files("wrong", "Wrong", RAISES))
    with pool.connect() as client, suppress(ConnectionResetError):  # the worker has not read the byte
        client.sendall(b"x")
        assert receive_all(client) == b""

    with nullcontext() if expected else pytest.raises(AssertionError, match="there is a traceback in the log"):
        pools.__exit__(None, None, None)


@pytest.mark.parametrize("is_running", [True, False])
def test_another_exit_status_than_the_expected_one_fails_the_test(*, is_running: bool) -> None:
    """Also that of a pool that should have failed, and runs."""
    pools = Pools()
    pool = pools.serve("echo", "-b", "tcp://127.0.0.1:0", "-w", "1", exit_status=3)
    if not is_running:
        pool.stop()

    with pytest.raises(AssertionError, match="exit status 0, expected 3"):
        pools.__exit__(None, None, None)
