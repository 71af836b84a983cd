"""`corepool top`: a running pool, live: the load of each worker, and its last minute."""

import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Annotated, Any

import typer

from corepool.cli.arguments import Config, Control
from corepool.cli.client import ask
from corepool.cli.reloads import failed_reload
from corepool.cli.status import socket_of
from corepool.errors import ControlError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rich.console import RenderableType

_HISTORY = 60
_MIN_S, _MAX_S = 0.1, 60.0
BARS = " ▁▂▃▄▅▆▇█"
ASCII_BARS = " .:-=+*#@"  # for terminals that don't have the others


def _interval(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not _MIN_S <= seconds <= _MAX_S:
        raise typer.BadParameter(f"expected {_MIN_S:g} to {_MAX_S:g} seconds, not {text!r}")
    return seconds


def top(
    config: Config = None,
    control: Control = None,
    *,
    interval: Annotated[
        float, typer.Option(metavar="SECONDS", parser=_interval, help="Time between two looks, 0.1 to 60.")
    ] = 1.0,
) -> None:
    """Watch a running pool in the terminal, until Ctrl-C.

    For programs: `corepool status --json`.
    """
    from rich.console import Console  # noqa: PLC0415 - rich is slow to import
    from rich.live import Live  # noqa: PLC0415

    if not sys.stdout.isatty():
        raise ControlError("top needs a terminal; `corepool status --json` is for programs")
    path = socket_of(config, control)
    console = Console()
    view = View(ASCII_BARS if console.options.ascii_only else BARS)
    view.add(ask(path, "status"), time.monotonic())
    try:
        with Live(view.render(), console=console, screen=True, auto_refresh=False) as live:
            while True:
                time.sleep(interval)
                view.add(ask(path, "status"), time.monotonic())
                live.update(view.render(), refresh=True)
    except KeyboardInterrupt:
        return


class View:
    """The samples, and their display."""

    def __init__(self, bars: str = BARS) -> None:
        """Begin without samples; `bars` are the characters that draw history, from nothing to full."""
        self._bars = bars
        self._status: Mapping[str, Any] = {}
        self._seen_at = 0.0
        self._requests: dict[int, int] = {}
        self._rates: dict[int, float] = {}
        self._requests_history: deque[float] = deque(maxlen=_HISTORY)
        self._connections_history: deque[float] = deque(maxlen=_HISTORY)

    def add(self, status: "Mapping[str, Any]", now: float) -> None:
        """Take a look at a pool.

        :param now: the moment in seconds, for rates.
        """
        elapsed_s = now - self._seen_at
        requests = {worker["pid"]: worker["requests"] for worker in status["workers"]}
        if self._status and elapsed_s > 0:
            # A worker that was not there has done all it did since then.
            self._rates = {
                pid: max(0, count - self._requests.get(pid, 0)) / elapsed_s for pid, count in requests.items()
            }
            before = self._status["totals"]["requests"]
            self._requests_history.append(max(0, status["totals"]["requests"] - before) / elapsed_s)
        self._connections_history.append(sum(worker["connections"] for worker in status["workers"]))
        self._status, self._seen_at, self._requests = status, now, requests

    def render(self) -> "RenderableType":
        """Draw it."""
        from rich.console import Group  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        status = self._status
        rate = self._requests_history[-1] if self._requests_history else 0.0
        held = self._connections_history[-1]
        lines = [
            f"corepool {status['version']}, pid {status['pid']}, {status['state']}, generation {status['generation']}",
            *([] if (failed := failed_reload(status)) is None else [failed]),
            f"requests/s  {rate:>9.1f}  {sparkline(self._requests_history, self._bars)}",
            f"connections {held:>9.0f}  {sparkline(self._connections_history, self._bars)}",
        ]
        pool = ("pool",) if len(status["pools"]) > 1 else ()
        listeners = Table("listener", *pool, "bound to", "protocol", "dispatcher", "accepted", "active")
        for each in status["listeners"]:
            name = f"{each['name']} (paused)" if each["paused"] else each["name"]
            bind = " ".join(each["bind"])
            row: list[object] = [name, *(each[key] for key in pool), bind]
            row += [each[key] for key in ("protocol", "dispatcher", "accepted", "active")]
            listeners.add_row(*(Text(str(cell)) for cell in row))
        workers = Table(
            *pool, "slot", "pid", "state", "generation", "connections", "requests/s", "lag ms", "MiB", "up s"
        )
        for each in status["workers"]:
            row = [each[key] for key in (*pool, "slot", "pid", "state", "generation", "connections")]
            row += [f"{self._rates.get(each['pid'], 0.0):.1f}", f"{each['lag_ms']:.1f}"]
            row += [f"{each['rss'] / 2**20:.1f}", f"{each['uptime']:.0f}"]
            workers.add_row(*(Text(str(cell)) for cell in row))
        totals = ", ".join(f"{name} {count}" for name, count in status["totals"].items())
        return Group(*(Text(line) for line in lines), listeners, workers, Text(totals), Text("Ctrl-C ends"))


def sparkline(values: "Iterable[float]", bars: str = BARS) -> str:
    """Draw values as bars, the highest of them full."""
    known = list(values)
    highest = max(known, default=0.0)
    if highest <= 0:
        return bars[0] * len(known)
    return "".join(bars[-(-int(value / highest * 1000) * (len(bars) - 1) // 1000)] for value in known)
