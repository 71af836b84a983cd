"""`corepool top`: a running pool, live: the load of each worker, and its last minute."""

import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Annotated, Any

import typer

from corepool.cli.arguments import Color, Config, Which, Wide
from corepool.cli.keyboard import Keyboard
from corepool.cli.pools import pool_of
from corepool.cli.reloads import failed_reload
from corepool.cli.renew import failures
from corepool.errors import ControlError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from rich.console import RenderableType

_HISTORY = 60
_MIN_S, _MAX_S = 0.1, 60.0
BARS = " ▁▂▃▄▅▆▇█"
ASCII_BARS = " .:-=+*#@"  # for terminals that don't have the others

_LINES = 9
"""Lines that are there whatever the pool has: the head, two headings, and the space between tables."""

_ORDERS = {
    "s": "slot",
    "c": "conns",
    "r": "req/s",
    "n": "reqs",
    "t": "busy",
    "w": "wait",
    "l": "lag",
    "m": "rss",
    "u": "up",
}
"""The keys that sort the workers, by the key to be pressed."""

_FIELDS = {
    "conns": "connections",
    "reqs": "requests",
    "busy": "threads_busy",
    "wait": "threads_waiting",
    "lag": "lag_ms",
    "rss": "rss",
    "up": "uptime",
}


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
    control: Which = None,
    *,
    interval: Annotated[
        float, typer.Option(metavar="SECONDS", parser=_interval, help="Time between two looks, 0.1 to 60.")
    ] = 1.0,
    wide: Wide = False,
    color: Color = "auto",
) -> None:
    """Watch a running pool in the terminal, until q or Ctrl-C.

    Other keys sort the workers: s by slot, c connections, r requests per second, n requests, t busy threads, w waiting
    for a thread, l lag, m memory, u uptime. For programs: `corepool status --json`.
    """
    if not sys.stdout.isatty():
        raise ControlError("top needs a terminal; `corepool status --json` is for programs")
    from rich.live import Live  # noqa: PLC0415 - rich is slow to import

    from corepool.cli.tables import UNLIMITED, console_for  # noqa: PLC0415

    pool = pool_of(config, control)
    console = console_for(color)
    view = View(ASCII_BARS if console.options.ascii_only else BARS)
    view.add(pool.status(), time.monotonic())

    def draw() -> "RenderableType":
        return view.render(UNLIMITED if wide else console.width, console.height)

    try:
        with Keyboard(sys.stdin) as keyboard, Live(draw(), console=console, screen=True, auto_refresh=False) as live:
            due = time.monotonic() + interval
            while True:
                key = keyboard.read(due - time.monotonic())
                if key == "q":
                    return
                if key is not None:
                    view.sort(key)
                else:
                    view.add(pool.status(), time.monotonic())
                    due = time.monotonic() + interval
                live.update(draw(), refresh=True)
    except KeyboardInterrupt:
        return


class View:
    """The samples, and their display."""

    def __init__(self, bars: str = BARS) -> None:
        """Begin without samples; `bars` are the characters that draw history, from nothing to full."""
        self._bars = bars
        self._order = "slot"
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

    def sort(self, key: str) -> None:
        """Sort the workers by what a key stands for; other keys change nothing."""
        self._order = _ORDERS.get(key, self._order)

    def render(self, width: int, height: int) -> "RenderableType":
        """Draw it into `width` cells and `height` lines; workers that don't fit are counted only."""
        from rich.console import Group  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        from corepool.cli import views  # noqa: PLC0415

        status = self._status
        rate = self._requests_history[-1] if self._requests_history else 0.0
        held = self._connections_history[-1]
        listeners, totals = views.listeners(status, width), views.totals(status, width)
        found = len(status["workers"])
        failed = [each for each in (failed_reload(status), *failures(status)) if each is not None]
        above = _LINES + len(failed) + sum(len(each["bind"]) for each in status["listeners"]) + 2 * len(totals)
        room = max(1, height - above)
        room = room if found <= room else max(1, room - 1)
        workers = views.workers(status, width, self._rates, self._sort_key(), room)
        more = [Text(f"and {found - room} more")] if found > room else []
        keys = [Text("q quit; sort:")]
        for key, order in _ORDERS.items():
            keys.append(Text(f" {key} {order}", style="reverse" if order == self._order else ""))
        return Group(
            _line(f"{status['name']}: {views.headline(status)}", "bold"),
            *(_line(each, "red") for each in failed),
            _line(f"requests/s  {rate:>9.1f}  {sparkline(self._requests_history, self._bars)}", "cyan"),
            _line(f"connections {held:>9.0f}  {sparkline(self._connections_history, self._bars)}", "cyan"),
            Text.assemble(*keys, no_wrap=True, overflow="crop"),
            Text(),
            listeners,
            Text(),
            workers,
            *more,
            Text(),
            *totals,
        )

    def _sort_key(self) -> "Callable[[Mapping[str, Any]], float]":
        """Return the key by which the workers are sorted, the highest first; equal ones stay in the order of slots."""
        if self._order == "slot":
            return lambda _: 0.0
        if self._order == "req/s":
            return lambda worker: -self._rates.get(worker["pid"], 0.0)
        field = _FIELDS[self._order]
        return lambda worker: -float(worker[field])


def sparkline(values: "Iterable[float]", bars: str = BARS) -> str:
    """Draw values as bars, the highest of them full."""
    known = list(values)
    highest = max(known, default=0.0)
    if highest <= 0:
        return bars[0] * len(known)
    return "".join(bars[-(-int(value / highest * 1000) * (len(bars) - 1) // 1000)] for value in known)


def _line(text: str, style: str) -> "RenderableType":
    """Return a line that ends at the edge of the terminal instead of going on in the next one."""
    from rich.text import Text  # noqa: PLC0415

    return Text(text, style=style, no_wrap=True, overflow="crop")
