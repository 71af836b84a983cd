"""Two simulations for docs/explanation/scale.md: a storm of clients that reconnect, and hosts that are drained in turn.

Plain and small: a queue with a clock of its own, and a shuffle. The seeds are fixed, so the page has these figures.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from html import escape
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

# --- the storm: every client of a host has lost its connection at the same moment

CLIENTS = 2_000
SERVICE_S = 0.02
"""CPU time of a new connection with its handshake and the application's login; one core."""
TIMEOUT_S = 10.0
"""How long a client waits for its connection before it gives up that attempt."""
MAX_BACKOFF_S = 60.0
HORIZON_S = 300.0


class Policy(NamedTuple):
    """How clients come back."""

    name: str
    first: Callable[[random.Random], float]
    """Seconds from the loss of the connection to the first attempt."""
    again: Callable[[random.Random, int], float]
    """Seconds after the attempt of that number, counted from 1, has failed."""
    backlog: int
    """Connections that may wait at the server; the kernel drops others, and their clients' kernels ask again."""


class Storm(NamedTuple):
    """What came of it."""

    policy: str
    connected: list[int]
    """How many clients are connected after each second."""
    attempts: float
    """Of each client, in the mean."""
    wasted: float
    """The part of the server's work that was for clients which had given up."""

    @property
    def over_s(self) -> int | None:
        """Seconds until every client is connected; None: not within the horizon."""
        return next((second for second, count in enumerate(self.connected) if count == CLIENTS), None)


def _doubled(_: random.Random, number: int) -> float:
    return min(MAX_BACKOFF_S, 2.0 ** (number - 1))


def _jittered(chance: random.Random, number: int) -> float:
    return chance.uniform(0.0, min(MAX_BACKOFF_S, 2.0**number))


POLICIES = (
    Policy("at once, then every second", lambda _: 0.0, lambda _, __: 1.0, 2048),
    Policy("at once, then doubled, without jitter", lambda _: 0.0, _doubled, 2048),
    Policy("at once, then doubled, with jitter", lambda _: 0.0, _jittered, 2048),
    Policy("the same, and a backlog of 256", lambda _: 0.0, _jittered, 256),
    Policy("spread over 60 s, then doubled, with jitter", lambda chance: chance.uniform(0.0, 60.0), _jittered, 256),
)


def storm(policy: Policy) -> Storm:
    """Play it."""
    chance = random.Random(7)  # noqa: S311 - always the same, nothing secret
    events: list[tuple[float, int, str, int, int]] = []
    count = 0

    def at(when: float, what: str, client: int, attempt: int) -> None:
        nonlocal count
        count += 1
        heapq.heappush(events, (when, count, what, client, attempt))

    waiting: deque[tuple[int, int]] = deque()
    attempts = [0] * CLIENTS
    done = [False] * CLIENTS
    ends: list[float] = []
    served = wasted = 0
    busy = False
    syns: dict[tuple[int, int], int] = {}
    for client in range(CLIENTS):
        at(policy.first(chance), "attempt", client, 1)
    while events and events[0][0] <= HORIZON_S and len(ends) < CLIENTS:
        now, _, what, client, attempt = heapq.heappop(events)
        if what == "attempt":
            attempts[client] = attempt
            at(now + TIMEOUT_S, "give up", client, attempt)
            at(now, "syn", client, attempt)
        elif what == "syn":
            if attempts[client] == attempt and not done[client]:
                if len(waiting) < policy.backlog:
                    waiting.append((client, attempt))
                else:  # dropped: tcp(7) asks again after 1, 2, 4 seconds
                    syns[client, attempt] = again = syns.get((client, attempt), 0) + 1
                    at(now + 2.0 ** (again - 1), "syn", client, attempt)
        elif what == "give up":
            if attempts[client] == attempt and not done[client]:
                attempts[client] = -attempt
                at(now + policy.again(chance, attempt), "attempt", client, attempt + 1)
        else:
            busy = False
            served += 1
            if attempts[client] == attempt:
                done[client] = True
                ends.append(now)
            else:  # it has gone meanwhile: the server finds out when the work is done
                wasted += 1
        if not busy and waiting:
            client, attempt = waiting.popleft()
            busy = True
            at(now + SERVICE_S, "served", client, attempt)
    connected = [sum(end <= second for end in ends) for second in range(int(HORIZON_S) + 1)]
    return Storm(policy.name, connected, sum(map(abs, attempts)) / CLIENTS, wasted / max(1, served))


# --- the waves: hosts are emptied one after the other, and their clients go to others

HOSTS = 1_000
A_HOST = 100
"""Connections of a host, when all have as many."""


WAYS = (("random", 1), ("random", 100), ("least connections", 1), ("least connections", 100))
"""Where clients go, and how many hosts are emptied at a time."""


class Waves(NamedTuple):
    """What came of rolling every host once."""

    policy: str
    moves: float
    """How often a client had to reconnect, in the mean."""
    course: list[float]
    """Connections of the fullest host after each wave, as a multiple of the mean."""

    @property
    def fullest(self) -> float:
        """Its connections at the worst moment."""
        return max(self.course)


def waves(policy: str, at_a_time: int) -> Waves:
    """Empty all hosts, some at a time; each comes back empty before the next ones go."""
    chance = random.Random(11)  # noqa: S311
    load = [A_HOST] * HOSTS
    moves = 0
    course = [1.0]
    for begin in range(0, HOSTS, at_a_time):
        leaving = range(begin, min(begin + at_a_time, HOSTS))
        homeless = sum(load[host] for host in leaving)
        moves += homeless
        for host in leaving:
            load[host] = 0
        others = [host for host in range(HOSTS) if host not in leaving]
        if policy == "random":
            for _ in range(homeless):
                load[chance.choice(others)] += 1
        else:
            heap = [(load[host], host) for host in others]
            heapq.heapify(heap)
            for _ in range(homeless):
                count, host = heap[0]
                heapq.heapreplace(heap, (count + 1, host))
                load[host] = count + 1
        course.append(max(load) / A_HOST)
    return Waves(policy, moves / (HOSTS * A_HOST), course)


# --- the pictures

_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _ROW = 720, 300, 60, 16, 16, 15
_COLOURS = ("#D55E00", "#E69F00", "#56B4E9", "#0072B2", "#009E73")  # Okabe and Ito's
_SHOWN_S = 180


class _Axes(NamedTuple):
    """What a picture shows, and the marks of its axes."""

    title: str
    across: dict[float, str]
    """The last one is the end of the axis."""
    up: dict[float, str]
    bottom: float = 0.0


def picture(storms: list[Storm]) -> str:
    """Draw how many clients are connected, over time."""
    axes = _Axes(
        "Clients that are connected again, over time, by how they come back",
        {second: f"{second} s" for second in range(0, _SHOWN_S + 1, 30)},
        {count: f"{count:,}" for count in range(0, CLIENTS + 1, 500)},
    )
    return _draw(axes, {its.policy: list(enumerate(its.connected[: _SHOWN_S + 1])) for its in storms})


def wave_picture() -> str:
    """Draw the fullest host, over the roll."""
    axes = _Axes(
        "Connections of the fullest host, as a multiple of the mean, by the number of hosts that were replaced",
        {part / 4: f"{part * HOSTS // 4:,}" for part in range(5)},
        {count: f"{count}" for count in (1, 2, 3)},
        bottom=1.0,
    )
    played = {f"{policy}, {at_a_time} at a time": waves(policy, at_a_time) for policy, at_a_time in WAYS}
    return _draw(
        axes,
        {
            name: [(wave / (len(its.course) - 1), height) for wave, height in enumerate(its.course)]
            for name, its in played.items()
        },
    )


def _draw(axes: _Axes, lines: dict[str, list[tuple[float, float]]]) -> str:
    below = 35 + _ROW * len(lines)
    inner, tall = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - below
    right, top = max(axes.across), max(axes.up)

    def x(value: float) -> float:
        return _LEFT + inner * value / right

    def y(value: float) -> float:
        return _TOP + tall * (1 - (value - axes.bottom) / (top - axes.bottom))

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f"<title>{escape(axes.title)}</title>",
        "<style>text { font: 12px system-ui, sans-serif; fill: #888 } path { fill: none; stroke-width: 2 }</style>",
        f'<path d="M{_LEFT} {_TOP}V{_TOP + tall}H{_LEFT + inner}" stroke="#888888" style="stroke-width: 1"/>',
    ]
    parts += [
        f'<text x="{x(place):g}" y="{_TOP + tall + 16}" text-anchor="middle">{text}</text>'
        for place, text in axes.across.items()
    ]
    parts += [
        f'<text x="{_LEFT - 6}" y="{y(place) + 4:g}" text-anchor="end">{text}</text>' for place, text in axes.up.items()
    ]
    for number, (name, line) in enumerate(lines.items()):
        colour = _COLOURS[number]
        points = "L".join(f"{x(across):.1f} {y(up):.1f}" for across, up in line)
        parts.append(f'<path d="M{points}" stroke="{colour}"/>')
        row = _TOP + tall + 34 + _ROW * number
        parts.append(f'<path d="M{_LEFT} {row - 4}h20" stroke="{colour}"/>')
        parts.append(f'<text x="{_LEFT + 26}" y="{row}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def storm_rows(storms: list[Storm]) -> list[str]:
    """Return the rows of the page's table."""
    return [
        f"| {its.policy} | {'not within 300 s' if its.over_s is None else f'{its.over_s} s'} | "
        f"{its.attempts:.1f} | {its.wasted:.0%} |"
        for its in storms
    ]


def wave_rows() -> list[str]:
    """Return the rows of the page's other table."""
    return [
        f"| {policy}, {at_a_time} at a time | {its.moves:.2f} | {its.fullest:.2f} |"
        for policy, at_a_time in WAYS
        for its in [waves(policy, at_a_time)]
    ]
