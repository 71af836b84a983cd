"""The hosted servers of docs/bus.md: clients of all workers hear each other, in coroutines and in threads."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from documents import DOCS, blocks

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    import socket

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

PAGE = {block.file: block.text for block in blocks(DOCS / "bus.md") if block.file}


class Lines:
    """A client of one worker."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._file = sock.makefile("rb")

    def say(self, line: bytes) -> None:
        self._sock.sendall(line + b"\n")

    def read(self) -> bytes:
        return self._file.readline()

    def close(self) -> None:
        self._file.close()
        self._sock.close()


def start(pool: Pools, target: str) -> PoolProcess:
    toml = PAGE["corepool.toml"].replace("topics:main", target)
    for port in ("7000", "7001"):
        assert f":{port}" in toml
        toml = toml.replace(f":{port}", ":0")
    return pool(toml.replace('protocol = "', 'dispatcher = "round-robin"\nprotocol = "'), files=PAGE)


@pytest.mark.parametrize("target", ["topics:main", "topics:serve"])
def test_what_one_says_is_heard_in_all_workers(pool: Pools, target: str) -> None:
    running = start(pool, target)
    with ExitStack() as stack:

        def clients(listener: str) -> list[Lines]:
            made = [Lines(running.connect(listener)) for _ in range(4)]  # round-robin: one in each worker
            for each in made:
                stack.callback(each.close)
            return made

        coroutines, threads = clients("topics"), clients("follow")
        for each in coroutines:
            each.say(b"listen news")
        for each in threads:
            each.say(b"news")
        for each in coroutines + threads:
            assert each.read() == b"listening\n"

        for number, each in enumerate(coroutines):
            each.say(b"tell news from %d, with blanks" % number)
            each.say(b"tell elsewhere nothing")
            for hearing in coroutines + threads:
                assert hearing.read() == b"news from %d, with blanks\n" % number

        coroutines[0].say(b"tell " + b"x" * 5000 + b" too long")
        assert coroutines[0].read() == b""
        coroutines[1].say(b"tell news bye")
        for hearing in coroutines[1:] + threads:
            assert hearing.read() == b"news bye\n"
        wait_until(lambda: {worker["connections"] for worker in running.status()["workers"]} == {1, 2})

    def totals() -> tuple[int, int, int]:
        total = running.status()["totals"]
        return total["bus_published"], total["bus_delivered"], total["bus_lost"]

    wait_until(lambda: totals() == (9, 5 * 8 - 1, 0))
    wait_until(lambda: {worker["connections"] for worker in running.status()["workers"]} == {0})
