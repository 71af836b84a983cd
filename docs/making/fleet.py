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


class Waves(NamedTuple):
    """What came of rolling every host once."""

    policy: str
    moves: float
    """How often a client had to reconnect, in the mean."""
    fullest: float
    """Connections of the fullest host at any moment, as a multiple of the mean."""


def waves(policy: str, at_a_time: int) -> Waves:
    """Empty all hosts, some at a time; each comes back empty before the next ones go."""
    chance = random.Random(11)  # noqa: S311
    load = [A_HOST] * HOSTS
    moves = 0
    fullest = float(A_HOST)
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
        fullest = max(fullest, *load)
    return Waves(policy, moves / (HOSTS * A_HOST), fullest / A_HOST)


# --- the picture

_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 720, 300, 60, 16, 16, 110
_COLOURS = ("#D55E00", "#E69F00", "#56B4E9", "#0072B2", "#009E73")  # Okabe and Ito's
_SHOWN_S = 180


def picture(storms: list[Storm]) -> str:
    """Draw how many clients are connected, over time."""
    inner, tall = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def x(second: float) -> float:
        return _LEFT + inner * second / _SHOWN_S

    def y(count: float) -> float:
        return _TOP + tall * (1 - count / CLIENTS)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        "<title>Clients that are connected again, over time, by how they come back</title>",
        "<style>text { font: 12px system-ui, sans-serif; fill: #888 } path { fill: none; stroke-width: 2 }</style>",
        f'<path d="M{_LEFT} {_TOP}V{_TOP + tall}H{_LEFT + inner}" stroke="#888888" style="stroke-width: 1"/>',
    ]
    parts += [
        f'<text x="{x(second):g}" y="{_TOP + tall + 16}" text-anchor="middle">{second} s</text>'
        for second in range(0, _SHOWN_S + 1, 30)
    ]
    parts += [
        f'<text x="{_LEFT - 6}" y="{y(count) + 4:g}" text-anchor="end">{count:,}</text>'
        for count in range(0, CLIENTS + 1, 500)
    ]
    for number, (its, colour) in enumerate(zip(storms, _COLOURS, strict=True)):
        line = "L".join(f"{x(second):.1f} {y(its.connected[second]):.1f}" for second in range(_SHOWN_S + 1))
        parts.append(f'<path d="M{line}" stroke="{colour}"/>')
        row = _TOP + tall + 34 + 15 * number
        parts.append(f'<path d="M{_LEFT} {row - 4}h20" stroke="{colour}"/>')
        parts.append(f'<text x="{_LEFT + 26}" y="{row}">{escape(its.policy)}</text>')
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
    ways = [("random", 1), ("random", 100), ("least connections", 1), ("least connections", 100)]
    return [
        f"| {policy}, {at_a_time} at a time | {its.moves:.2f} | {its.fullest:.2f} |"
        for policy, at_a_time in ways
        for its in [waves(policy, at_a_time)]
    ]
