"""The extension `pace`: its own tests, and a pool that is started and reloaded as its README says."""

from __future__ import annotations

import hashlib
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from example_folders import Run, Start

DATA = bytes(range(256)) * 2560
"""640 KiB: more than a burst, and what a worker reads at once besides."""


def test_its_own_tests_pass(run: Run) -> None:
    done = run("rate-limit", "-m", "pytest", "-q", "-p", "no:cacheprovider")

    assert done.returncode == 0, done.stdout + done.stderr


def test_excess_input_arrives_later_and_whole_even_through_a_reload(start: Start) -> None:
    running = start("rate-limit")
    client = running.connect()

    def send() -> None:
        client.sendall(DATA)
        client.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    received = bytearray()
    while piece := client.recv(65_536):
        received += piece
        if len(received) == len(piece):
            running.request("reload")
    sender.join()

    assert hashlib.sha256(received).digest() == hashlib.sha256(DATA).digest()
    wait_until(lambda: running.status()["reload"]["state"] == "done")


def test_a_client_that_waits_for_its_turn_holds_up_no_other(start: Start) -> None:
    running = start("rate-limit")
    with running.connect() as greedy:
        address = greedy.getpeername()
        greedy.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                greedy.send(DATA)

        for host in ("127.0.0.2", "127.0.0.3", "127.0.0.4"):
            with socket.create_connection(address, timeout=60, source_address=(host, 0)) as modest:
                modest.sendall(b"hello")
                assert modest.recv(5) == b"hello"
