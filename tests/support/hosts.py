"""Several hosts on one machine: network namespaces, joined by bridges in a namespace of their own (ip-netns(8)).

Nothing of the machine's own network is touched, and every address is free: a page's own ones work as they stand there.
Only root makes namespaces.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Self

from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

FRONT, BACK = "front", "back"
NETWORKS = {FRONT: "10.0.0", BACK: "10.0.1"}
"""Of each network its first three bytes: clients and load balancers are in front, what hosts share is at the back."""


def why_no_hosts() -> str | None:
    """Return why there can be no other hosts here."""
    if os.geteuid() != 0:
        return "only root makes network namespaces"
    return None


class Host:
    """A namespace with an address in each network. Made by `Hosts.add`."""

    def __init__(self, namespace: str, switch: str, number: int) -> None:
        """Describe it.

        :param number: the last byte of its addresses.
        """
        self.namespace = namespace
        self._switch = switch
        self.number = number
        self.inside = ("nsenter", f"--net=/run/netns/{namespace}")
        """Words before a command that runs on this host."""
        self._processes: list[subprocess.Popen[bytes]] = []

    def address(self, network: str = FRONT) -> str:
        """Return its address in a network."""
        return f"{NETWORKS[network]}.{self.number}"

    def start(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program here, which is ended with the host.

        :param folder: where it runs, and where its output goes: `output.txt`.
        """
        with (folder / "output.txt").open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 - the test's own words
                [*self.inside, *command],
                cwd=folder,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def run(self, *command: str) -> str:
        """Run a command here, and return what it prints."""
        done = subprocess.run(  # noqa: S603
            [*self.inside, *command], capture_output=True, text=True, timeout=DEADLINE_S, check=False
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    def unplug(self, *networks: str) -> None:
        """Take it off networks: packets are lost, and no peer is told."""
        for network in networks or NETWORKS:
            _ip("-n", self._switch, "link", "set", f"{network}{self.number}", "down")

    def plug_in(self, *networks: str) -> None:
        """Undo `unplug`."""
        for network in networks or NETWORKS:
            _ip("-n", self._switch, "link", "set", f"{network}{self.number}", "up")

    def slow_down(self, rate: str) -> None:
        """Have its front network send no faster than this, such as "64kbit" (tc-tbf(8)); "" undoes it."""
        where = ("tc", "qdisc", "replace" if rate else "del", "dev", FRONT, "root")
        self.run(*where, *(("tbf", "rate", rate, "burst", "4kb", "latency", "1s") if rate else ()))

    def power_off(self) -> None:
        """Take it off all networks, then end everything that runs on it."""
        self.unplug()
        self.end()

    def end(self) -> None:
        """End everything that runs here, at once."""
        for pid in self._pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in self._processes:
            process.wait()
        self._processes.clear()
        wait_until(lambda: not self._pids(), what="the processes of the host are gone")

    def _pids(self) -> list[int]:
        told = subprocess.run(  # noqa: S603
            ["ip", "netns", "pids", self.namespace],  # noqa: S607
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return [int(pid) for pid in told.stdout.split() if _runs(int(pid))]


class Hosts:
    """Hosts that reach each other. Use as a context manager: all are gone with it."""

    def __enter__(self) -> Self:
        # One token for all: a run that was killed leaves namespaces that are in no other's way.
        self._token = f"corepool-{uuid.uuid4().hex[:8]}"
        self._switch = f"{self._token}-switch"
        self._all: list[Host] = []
        _ip("netns", "add", self._switch)
        for network in NETWORKS:
            _ip("-n", self._switch, "link", "add", network, "type", "bridge")
            _ip("-n", self._switch, "link", "set", network, "up")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for host in self._all:
            with contextlib.suppress(subprocess.CalledProcessError):
                host.end()
            _ip("netns", "del", host.namespace)
        _ip("netns", "del", self._switch)

    def add(self, name: str, number: int) -> Host:
        """Make a host.

        :param number: the last byte of its addresses.
        """
        host = Host(f"{self._token}-{name}", self._switch, number)
        _ip("netns", "add", host.namespace)
        self._all.append(host)
        _ip("-n", host.namespace, "link", "set", "lo", "up")
        for network in NETWORKS:
            port = f"{network}{number}"
            _ip(
                "-n",
                self._switch,
                "link",
                "add",
                port,
                "type",
                "veth",
                "peer",
                "name",
                network,
                "netns",
                host.namespace,
            )
            _ip("-n", self._switch, "link", "set", port, "master", network, "up")
            _ip("-n", host.namespace, "addr", "add", f"{host.address(network)}/24", "dev", network)
            _ip("-n", host.namespace, "link", "set", network, "up")
        return host


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)  # noqa: S603, S607


def _runs(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"
