"""A cluster of Redis on the hosts of a fleet: on each a primary of one of three shards, and a replica of another's."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from hosts import BACK, Host
from sources import source

from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

PRIMARY, REPLICA = 7000, 7001
"""Ports. Which of the two is the primary changes with a failover."""


class RedisCluster:
    """The servers. They are ended with their hosts."""

    def __init__(self, folder: Path, hosts: Mapping[str, Host]) -> None:
        """Start them, and wait until every slot is served and replicated."""
        self._folder = folder
        self._hosts = dict(hosts)
        self._servers: dict[tuple[str, int], subprocess.Popen[bytes]] = {}
        for name in hosts:
            for port in (PRIMARY, REPLICA):
                self.start(name, port)
        nodes = [f"{host.address(BACK)}:{port}" for port in (PRIMARY, REPLICA) for host in hosts.values()]
        self.nodes = ",".join(nodes)
        first = next(iter(hosts.values()))
        wait_until(lambda: all(self._answers(name, port) for name, port in self._servers), what="Redis answers")
        first.run("redis-cli", "--cluster", "create", *nodes, "--cluster-replicas", "1", "--cluster-yes")
        wait_until(self._is_whole, what="the cluster of Redis is whole")

    def start(self, name: str, port: int) -> None:
        """Start a server, with the data that it had."""
        folder = self._folder / f"redis-{name}-{port}"
        folder.mkdir(exist_ok=True)
        host = self._hosts[name]
        options = {
            "port": port, "bind": host.address(BACK), "protected-mode": "no", "save": "", "appendonly": "yes",
            "cluster-enabled": "yes", "cluster-node-timeout": 1500, "repl-diskless-sync-delay": 0,
        }  # fmt: skip
        words = [word for key, value in options.items() for word in (f"--{key}", str(value))]
        self._servers[name, port] = host.start(["redis-server", *words], folder)

    def kill(self, name: str, port: int) -> None:
        """Kill a server."""
        server = self._servers[name, port]
        server.kill()
        server.wait()

    def role(self, name: str, port: int) -> str:
        """Return "master" or "slave"."""
        return self._ask(name, port, "role").split("\n", 1)[0]

    def is_served(self, seen_from: str) -> bool:
        """Return whether every slot has a primary, as that host's servers see it."""
        return "cluster_state:ok" in self._ask(seen_from, PRIMARY, "cluster", "info")

    def missing(self, keys: Iterable[str], outside: Host) -> list[str]:
        """Return those of the keys that no server has."""
        program = self._folder / "missing_keys.py"
        program.write_text(source("programs/missing_keys.py"))
        done = subprocess.run(  # noqa: S603 - our own words
            [*outside.inside, sys.executable, str(program), self.nodes],
            input="\n".join(keys), capture_output=True, text=True, timeout=DEADLINE_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    def _ask(self, name: str, port: int, *words: str) -> str:
        host = self._hosts[name]
        done = subprocess.run(  # noqa: S603
            [*host.inside, "redis-cli", "-h", host.address(BACK), "-p", str(port), *words],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.stdout

    def _answers(self, name: str, port: int) -> bool:
        return self._ask(name, port, "ping").strip() == "PONG"

    def _is_whole(self) -> bool:
        return all(
            "cluster_state:ok" in self._ask(name, port, "cluster", "info")
            and (self.role(name, port) == "master" or "\nconnected" in self._ask(name, port, "role"))
            for name, port in self._servers
        )
