"""A picture of each dispatch strategy: the same connections, placed by the dispatcher's own code.

Each bar is a connection from its arrival to its end, in the lane of the worker that has it; its colour is its client.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from corepool import Address, Dispatcher, Incoming, WorkerView
from corepool.plugins.registry import Registry
from corepool_dispatch.power_of_two import PowerOfTwo

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORKERS = 4
_CONNECTIONS = 80
_CLIENTS = 6
_LENGTH = 60.0  # of the time axis, in no particular unit
_LONG = 4  # every fourth stays long, as when each page brings two pictures and then a WebSocket
_SERVICE = 0.2  # how long a worker that accepts for itself is busy with one, before it waits for the next

_WIDTH, _LEFT, _RIGHT = 720, 70, 80
_BAR, _LANE, _GAP = 5, 80, 8
# Okabe and Ito's colours, which the colour-blind can tell apart, and which do on white and on black.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
_GREY = "#888888"


class _Arrival(NamedTuple):
    begin: float
    end: float
    client: int


_Placed: TypeAlias = list[tuple[_Arrival, int]]


def pictures() -> dict[str, str]:
    """Draw every dispatcher that comes with corepool."""
    registry = Registry()
    names = [
        each.name for each in registry.installed() if (each.kind, each.distribution) == ("dispatchers", "corepool")
    ]
    return {name: _draw(name, _place(name, registry)) for name in sorted(names)}


def _arrivals() -> list[_Arrival]:
    chance = random.Random(4)  # noqa: S311 - always the same, nothing secret
    begins = sorted(chance.uniform(0, _LENGTH * 0.9) for _ in range(_CONNECTIONS))
    return [
        _Arrival(
            begin,
            min(begin + (chance.uniform(1, 4) if number % _LONG else chance.uniform(15, 30)), _LENGTH),
            chance.randrange(_CLIENTS),
        )
        for number, begin in enumerate(begins)
    ]


def _place(name: str, registry: Registry) -> _Placed:
    loaded = registry.load("dispatchers", name)
    assert isinstance(loaded, type)
    assert issubclass(loaded, Dispatcher)
    if loaded.worker_accepts:
        return list(_accepted_by_themselves())
    return list(_picked(PowerOfTwo(random.Random(1)) if loaded is PowerOfTwo else loaded()))  # noqa: S311 - the same


def _picked(dispatcher: Dispatcher) -> Iterator[tuple[_Arrival, int]]:
    workers = [WorkerView(slot, 1000 + slot) for slot in range(_WORKERS)]
    open_ones: list[tuple[float, WorkerView]] = []
    for arrival in _arrivals():
        for end, worker in open_ones:
            worker.connections -= end <= arrival.begin
        open_ones = [(end, worker) for end, worker in open_ones if end > arrival.begin]
        chosen = dispatcher.pick(workers, Incoming("web", Address(f"192.0.2.{arrival.client + 41}", 50000)))
        assert chosen is not None
        chosen.connections += 1
        chosen.handed_over += 1
        open_ones.append((arrival.end, chosen))
        yield arrival, chosen.slot


def _accepted_by_themselves() -> Iterator[tuple[_Arrival, int]]:
    """Model the kernel: of the workers that wait, the one that has waited for the shortest time is woken."""
    waiting_since = dict.fromkeys(range(_WORKERS), 0.0)
    for arrival in _arrivals():
        idle = [slot for slot in waiting_since if waiting_since[slot] <= arrival.begin]
        slot = max(idle or waiting_since, key=lambda each: waiting_since[each])
        waiting_since[slot] = arrival.begin + _SERVICE
        yield arrival, slot


def _draw(name: str, placed: _Placed) -> str:
    height = _WORKERS * (_LANE + _GAP) + 8
    lanes = [
        _lane(slot, [arrival for arrival, chosen in placed if chosen == slot], top=slot * (_LANE + _GAP) + 4)
        for slot in range(_WORKERS)
    ]
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"
 font-family="sans-serif" font-size="12" role="img">
<title>Connections on four workers, placed by {name}</title>
{"".join(lanes)}</svg>
"""


def _lane(slot: int, arrivals: list[_Arrival], top: int) -> str:
    width = _WIDTH - _LEFT - _RIGHT
    scale = width / _LENGTH
    bars = list(_in_rows(arrivals))
    most = max((row + 1 for _, row in bars), default=0)
    middle = top + _LANE / 2 + 4
    parts = [
        _box(_LEFT, top, width, _LANE, f'fill="{_GREY}" fill-opacity="0.12"'),
        f'<text x="0" y="{middle:g}" fill="{_GREY}">worker {slot}</text>\n',
        f'<text x="{_WIDTH - _RIGHT + 8}" y="{middle:g}" fill="{_GREY}">{most} at once</text>\n',
    ]
    for arrival, row in bars:
        # From the floor of the lane upwards: the height is how many there are.
        left, long = _LEFT + arrival.begin * scale, (arrival.end - arrival.begin) * scale
        look = f'rx="1.5" fill="{_COLOURS[arrival.client]}"'
        parts.append(_box(left, top + _LANE - (row + 1) * _BAR, long, _BAR - 1, look))
    return "".join(parts)


def _box(x: float, y: float, width: float, height: float, look: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:g}" width="{width:.1f}" height="{height:g}" {look}/>\n'


def _in_rows(arrivals: list[_Arrival]) -> Iterator[tuple[_Arrival, int]]:
    """Place each arrival in the lowest row that is free when it comes."""
    ends: list[float] = []
    for arrival in arrivals:
        row = next((row for row, end in enumerate(ends) if end <= arrival.begin), len(ends))
        ends[row : row + 1] = [arrival.end]
        yield arrival, row
