"""Clients of `plugins/bus_teller.py`: one for each worker of a pool, which use the bus as they are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sources import metadata, source

from corepool.testing.sockets import connect

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from corepool.testing.pools import Pools

_POOL = """
[[pool]]
name = "{name}"
workers = {workers}
respawn_delay = "1ms"
respawn_delay_max = "1ms"
drain_timeout = "300s"
heartbeat_timeout = "300s"
"""
_LISTENER = """
[[listener]]
name = "{name}"
pool = "{name}"
bind = ["tcp://127.0.0.1:0"]
protocol = "teller"
dispatcher = "round-robin"
"""


def configuration(*workers: int) -> str:
    """Return that of one pool for each number of workers: `a`, `b`, and so on."""
    pools = [("abcdef"[place], count) for place, count in enumerate(workers)]
    tables = [_POOL.format(name=name, workers=count) for name, count in pools]
    return "".join([*tables, *(_LISTENER.format(name=name) for name, _ in pools)])


class Teller:
    """A connection to one worker. Lines that are no answer are kept as messages."""

    def __init__(self, url: str) -> None:
        self.sock: socket.socket = connect(url, 120.0)
        self._lines = self.sock.makefile("rb")
        self.pid = int(self.ask("pid"))

    def send(self, order: str) -> None:
        self.sock.sendall(order.encode() + b"\n")

    def ask(self, order: str) -> str:
        self.send(order)
        return self.line()

    def line(self) -> str:
        return self._lines.readline().decode().rstrip("\n")

    def lines(self, count: int) -> list[str]:
        return [self.line() for _ in range(count)]

    def sub(self, *topics: str) -> Teller:
        assert self.ask("sub " + " ".join(topics)) == "subscribed"
        return self

    def close(self) -> None:
        self._lines.close()
        self.sock.close()


class BusPools:
    """A running master with a pool for each number of workers, and the clients of its workers. Close it."""

    def __init__(self, pool: Pools, workers: Sequence[int]) -> None:
        files = {
            "bus_teller.py": source("plugins/bus_teller.py"),
            **metadata("bus_teller", "[corepool.protocols]\nteller = bus_teller:Teller\n"),
        }
        self.running = pool(configuration(*workers), files=files)
        self._made: list[Teller] = []

    def teller(self, url: str) -> Teller:
        self._made.append(Teller(url))
        return self._made[-1]

    def tellers(self, name: str = "a") -> list[Teller]:
        """Connect to each worker of a pool once."""
        wanted = sum(each["pool"] == name and each["state"] == "ready" for each in self.running.status()["workers"])
        found: dict[int, Teller] = {}
        (url,) = self.running.urls(name)
        while len(found) < wanted:
            teller = self.teller(url)
            if teller.pid in found:
                teller.close()
            found.setdefault(teller.pid, teller)
        return list(found.values())

    def totals(self) -> tuple[int, int, int]:
        """Return published, delivered and lost."""
        counted = self.running.status()["totals"]
        return counted["bus_published"], counted["bus_delivered"], counted["bus_lost"]

    def close(self) -> None:
        for each in self._made:
            each.close()
        if self.running.status()["pid"] != self.running.pid:  # an upgrade has put another one in its place
            self.running.request("stop")
