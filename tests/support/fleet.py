"""Three hosts with a pool each behind HAProxy, as docs/howto/several-hosts.md has them, and visitors outside."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import documents
from hosts import Host, Hosts
from sources import source

from corepool.testing.pool import PoolProcess
from corepool.testing.sockets import connect, receive_all
from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType

_PAGE = {
    block.file: block.text for block in documents.blocks(documents.DOCS / "howto" / "several-hosts.md") if block.file
}
NAMES = {"one": 11, "two": 12, "three": 13}
"""The hosts of the page, and the last byte of their addresses."""


class Request(NamedTuple):
    """What became of a visitor's request."""

    at: float
    """When it began, in seconds of the monotonic clock."""
    took: float
    path: str
    status: int
    """0: no response."""
    body: str

    @property
    def failed(self) -> bool:
        """Whether the visitor saw an error."""
        return self.status != 200


class Visitors:
    """A load from outside. Use as a context manager, after which `requests` is complete."""

    def __init__(self, host: Host, folder: Path, path: str = "", visitors: int = 20, think_s: float = 0.02) -> None:
        self._host = host
        self._output = folder / f"visits{path.replace('/', '-')}.txt"
        self._program = folder / "visitors.py"
        self._program.write_text(source("programs/visitors.py"))
        self._arguments = (f"http://10.0.0.2{path}", str(visitors), str(think_s))

    def __enter__(self) -> Self:
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own words
                [*self._host.inside, sys.executable, str(self._program), *self._arguments],
                stdin=subprocess.PIPE,
                stdout=output,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    @property
    def requests(self) -> list[Request]:
        """Those that are over, in the order of their ends."""
        lines = self._output.read_text().splitlines(keepends=True)
        return [Request(**json.loads(line)) for line in lines if line.endswith("\n")]

    def wait_for(self, number: int, is_one: Callable[[Request], bool] = lambda request: not request.failed) -> None:
        """Wait until that many more requests of a kind are over."""
        before, number = len(self.requests), number * int(os.environ.get("HOST_PATIENCE", "1"))
        deadline_s = 5 * DEADLINE_S  # each may wait for a failover, and for a busy machine
        wait_until(lambda: sum(map(is_one, self.requests[before:])) >= number, deadline_s, "the visitors' requests")


class Fleet:
    """The hosts, their pools and HAProxy. Use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment: dict[str, str] = {}
        """Variables of every pool, beside its host's name."""
        self._stack = contextlib.ExitStack()
        self.hosts: dict[str, Host] = {}
        self.pools: dict[str, PoolProcess] = {}

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            network = stack.enter_context(Hosts())
            self.balancer = network.add("balancer", 2)
            self.outside = network.add("outside", 200)
            self.hosts = {name: network.add(name, number) for name, number in NAMES.items()}
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def serve(self) -> None:
        """Start every pool, and HAProxy before them."""
        for name in self.hosts:
            self.start_pool(name)
        self.start_haproxy()
        wait_until(lambda: set(self.up()) == set(NAMES), what="HAProxy has found every host")

    def start_pool(self, name: str) -> PoolProcess:
        """Start the pool of a host."""
        host = self.hosts[name]
        pool = PoolProcess.run(
            _PAGE["corepool.toml"].replace('workers = "auto"', "workers = 2"),
            files={"shop.py": source("served/fleet_shop.py")},
            environment={"SHOP_HOST": name, "PYTHONDONTWRITEBYTECODE": "1", **self.environment},
            wrapper=host.inside,
        )
        self.pools[name] = self._stack.enter_context(pool)
        return pool

    def start_haproxy(self) -> None:
        """Start HAProxy with the page's file, and a socket for questions beside."""
        own = f"global\n    master-worker\n    stats socket {self.folder}/haproxy.sock mode 600 level admin\n\n"
        (self.folder / "haproxy.cfg").write_text(own + _PAGE["haproxy.cfg"])
        command = ["haproxy", "-W", "-f", f"{self.folder}/haproxy.cfg"]
        self.haproxy = self.balancer.start(command, self.folder)
        wait_until(self._haproxy_answers, what="HAProxy runs")

    def servers(self) -> Iterator[dict[str, str]]:
        """Yield what HAProxy knows of each host: `show stat`."""
        with connect(f"unix:{self.folder}/haproxy.sock") as sock:
            sock.sendall(b"show stat\n")
            text = receive_all(sock).decode()
        for row in csv.DictReader(text.removeprefix("# ").splitlines()):
            if row["pxname"] == "shop" and row["svname"] in NAMES:
                yield row

    def up(self) -> list[str]:
        """Return the hosts that HAProxy sends requests to."""
        return [row["svname"] for row in self.servers() if row["status"].startswith("UP")]

    def haproxy_starts(self) -> int:
        """Return how often HAProxy has read its file, and has begun to serve with it."""
        return (self.folder / "output.txt").read_text().count("Loading success.")

    def visitors(self, path: str = "", **how: Any) -> Visitors:
        """Make a load."""
        return Visitors(self.outside, self.folder, path, **how)

    def _haproxy_answers(self) -> bool:
        assert self.haproxy.poll() is None, (self.folder / "output.txt").read_text()
        with contextlib.suppress(OSError):
            return len(list(self.servers())) == len(NAMES)
        return False
