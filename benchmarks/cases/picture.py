"""What clients see of a reload and of a killed worker, drawn.

The same load on three servers, one after the other, with two workers each: connections that stay open and send a
request every 25 ms; one that is broken is made again, and counted. At some moment the server is told to reload, at
another one of its workers is killed.
"""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psutil

from benchmarks.needs import MissingError, is_there
from benchmarks.processes import pinned
from benchmarks.results import Comparison, Figure, Sample, Target
from benchmarks.servers import Server, corepool_run

if TYPE_CHECKING:
    from benchmarks.servers import Running
    from benchmarks.turns import Bench

ROW = "reload-and-crash"
CONNECTIONS = 100
PAUSE_S = 0.025
RELOAD_AT_S, KILL_AT_S, END_AT_S = 3.0, 7.0, 11.0
GIVE_UP_S = 5.0
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@dataclass
class Seen:
    """What the clients of one server saw: moments and latencies in seconds, and what went wrong."""

    moments: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    failed: list[float] = field(default_factory=list)
    reconnects: int = 0


def run(bench: Bench) -> list[Comparison]:
    """Watch each server once: what differs between them differs by more than chance."""

    def measure(running: Running) -> Seen:
        with pinned(bench.cores.load):
            return asyncio.run(watch(running))

    seen = {name: turns[0] for name, turns in bench.take_turns([ROW], servers(), 1, measure).items() if turns}
    if not seen:
        return []
    return [
        Comparison(
            name=ROW,
            title=f"A reload, then kill -9 of a worker, {CONNECTIONS} connections that stay open: requests that failed",
            unit="requests",
            figures=tuple(Figure(name, (Sample(len(each.failed)),)) for name, each in seen.items()),
            targets=(Target("corepool", 0),),
            picture=draw(seen),
        )
    ]


def servers() -> list[Server]:
    """Return the servers in the picture."""
    python = sys.executable
    toml = (
        'pool = {{ workers = 2, respawn_delay = "50ms" }}\n'
        '[[listener]]\nname = "http"\nbind = ["tcp://127.0.0.1:{port}"]\nprotocol = "http"\nkeep_on_crash = true\n'
        'options = {{ target = "benchmarks.peers.hello:wsgi" }}\n'
    )
    gunicorn = (python, "-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--workers", "2", "--keep-alive", "75")
    uvicorn = (python, "-m", "uvicorn", "--host", "127.0.0.1", "--port", "{port}", "--workers", "2", "--no-access-log")
    threads = ("--worker-class", "gthread", "--threads", "4", "benchmarks.peers.hello:wsgi")
    patience = ("--timeout-keep-alive", "75", "benchmarks.peers.hello:asgi")
    return [
        corepool_run("corepool", toml),
        Server("gunicorn", gunicorn + threads, says_ready=False, needs=("gunicorn",)),
        Server("uvicorn", uvicorn + patience, says_ready=False, needs=("uvicorn",)),
    ]


async def client(port: int, began: float, seen: Seen) -> None:
    """Ask again and again on one connection; reconnect when it breaks."""
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    first = True
    while time.monotonic() - began < END_AT_S:
        asked = time.monotonic()
        try:
            async with asyncio.timeout(GIVE_UP_S):
                if streams is None:
                    streams = await asyncio.open_connection("127.0.0.1", port)
                    seen.reconnects += not first
                    first = False
                reader, writer = streams
                writer.write(REQUEST)
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                await reader.readexactly(length)
            if not head.startswith(b"HTTP/1.1 200"):
                raise ConnectionError(head)
            if b"connection: close" in head.lower():
                writer.close()
                streams = None
            seen.moments.append(asked - began)
            seen.latencies.append(time.monotonic() - asked)
        except (OSError, EOFError, ValueError, TimeoutError):
            seen.failed.append(asked - began)
            if streams is not None:
                streams[1].close()
            streams = None
        await asyncio.sleep(PAUSE_S)


async def watch(running: Running) -> Seen:
    """Load a server, reload it and kill one of its workers."""
    seen = Seen()
    began = time.monotonic()
    clients = [asyncio.create_task(client(running.port, began, seen)) for _ in range(CONNECTIONS)]
    for moment, act in ((RELOAD_AT_S, reload), (KILL_AT_S, kill_worker)):
        await asyncio.sleep(began + moment - time.monotonic())
        act(running.pid)
    await asyncio.gather(*clients)
    return seen


def reload(pid: int) -> None:
    """Send a server the signal to reload."""
    os.kill(pid, signal.SIGHUP)


def kill_worker(pid: int) -> None:
    """Kill one of its workers: the youngest, for others may be leaving."""
    workers = [each for each in psutil.Process(pid).children() if each.num_fds() > 3]
    max(workers, key=lambda each: each.create_time()).kill()


def draw(seen: dict[str, Seen]) -> str:
    """Draw latency over time, a panel per server, as SVG.

    :raises MissingError: matplotlib is not installed.
    """
    if not is_there("matplotlib"):
        raise MissingError("matplotlib")
    import matplotlib as mpl  # noqa: PLC0415  # slow to import

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "corepool"  # the same picture from the same figures
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, panels = plt.subplots(len(seen), 1, sharex=True, sharey=True, figsize=(9, 6.5), layout="constrained")
    for panel, (name, each) in zip(panels, seen.items(), strict=True):
        milliseconds = [latency * 1000 for latency in each.latencies]
        panel.scatter(each.moments, milliseconds, s=3, alpha=0.35, linewidths=0, color="#2a6f97", rasterized=True)
        panel.scatter(each.failed, [3000.0] * len(each.failed), s=18, marker="x", color="#c1121f", label="failed")
        for moment, what in ((RELOAD_AT_S, "reload"), (KILL_AT_S, "kill -9")):
            panel.axvline(moment, color="#888888", linewidth=0.8)
            panel.text(moment + 0.05, 0.93, what, transform=panel.get_xaxis_transform(), va="top", fontsize=8)
        panel.set_title(
            f"{name}: {len(each.failed)} failed requests, {each.reconnects} reconnects, "
            f"{len(each.latencies)} answered, slowest {max(milliseconds):.0f} ms",
            loc="left",
            fontsize=10,
        )
        panel.set_yscale("log")
        panel.set_ylabel("latency, ms")
    panels[-1].set_xlabel(f"seconds; {CONNECTIONS} connections that stay open, a request every {PAUSE_S * 1000:.0f} ms")
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", dpi=110, metadata={"Date": None})
    return drawn.getvalue()
