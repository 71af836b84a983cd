"""A real redis-server to compare with."""

from __future__ import annotations

import os
import socket
import subprocess
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from kv_client import Client

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@contextmanager
def running_redis(folder: Path, *options: str, environment: Mapping[str, str] | None = None) -> Iterator[Path]:
    """Run a real redis-server; yield the path of its UNIX socket."""
    path = folder / "r.sock"
    command = ["redis-server", "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(folder)]
    # On a busy machine any command may be slow.
    command += ["--slowlog-log-slower-than", "-1", *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | dict(environment or {}))  # noqa: S603
    try:

        def listens() -> bool:  # its file is there a moment before it does
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                return sock.connect_ex(str(path)) == 0

        wait_until(listens, what="redis-server listening")
        yield path
    finally:
        process.terminate()
        process.wait()


def serve_every_slot(path: Path) -> None:
    """Make a cluster of one server, which was started with `--cluster-enabled yes`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.connect(str(path))
        admin = Client(sock)
        assert admin("CLUSTER", "ADDSLOTSRANGE", 0, 16383) == b"OK"
        wait_until(lambda: b"cluster_state:ok" in admin("CLUSTER", "INFO"), what="the cluster serves")


SLOTS = 16384


@contextmanager
def running_cluster(folder: Path, size: int = 3) -> Iterator[list[int]]:
    """Run a cluster of Redis without replicas on this host; yield the ports of its servers."""
    ports = free_ports(2 * size)
    servers = list(zip(ports[:size], ports[size:], strict=True))
    with ExitStack() as stack:
        for port, bus_port in servers:
            own = folder / f"redis-{port}"
            own.mkdir()
            options = ["--port", str(port), "--bind", "127.0.0.1", "--cluster-enabled", "yes"]
            stack.enter_context(running_redis(own, *options, "--cluster-port", str(bus_port)))
        for number, (port, _) in enumerate(servers):
            first, behind = (SLOTS * each // size for each in (number, number + 1))
            ask(port, "cluster", "addslotsrange", str(first), str(behind - 1))
            ask(port, "cluster", "set-config-epoch", str(number + 1))
            if number:
                ask(servers[0][0], "cluster", "meet", "127.0.0.1", str(port), str(servers[number][1]))

        def is_whole() -> bool:
            states = [ask(port, "cluster", "info") for port, _ in servers]
            return all("cluster_state:ok" in each and f"cluster_known_nodes:{size}" in each for each in states)

        wait_until(is_whole, what="the cluster of Redis is whole")
        yield ports[:size]


def ask(port: int, *words: str) -> str:
    """Return the answer of a server to redis-cli."""
    command = ["redis-cli", "-p", str(port), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603


def free_ports(number: int) -> list[int]:
    """Return ports of TCP that nothing listens on."""
    with ExitStack() as stack:
        socks = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [sock.getsockname()[1] for sock in socks]
