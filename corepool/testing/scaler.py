"""The contract of every scaler, as tests to inherit.

class TestMyScaler(ScalerContract):
    def make(self):
        return MyScaler()
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod

from corepool import PoolLoad, Scaler

_LEAST, _MOST = 1, 32
_ROUNDS = 1000  # loads of every kind; done in milliseconds
_SETTLES_WITHIN = 3600  # rounds of about a second: slow is fine
_WATCHED = 600  # rounds after that, in which nothing may change


class ScalerContract(ABC):
    """Derive, name the class Test..., and say how to make yours; pytest runs the rest."""

    @abstractmethod
    def make(self) -> Scaler:
        """Make a new instance of the scaler."""

    def test_is_written_for_this_contract(self) -> None:
        assert isinstance(self.make(), Scaler)
        assert self.make().api_version == Scaler.api_version

    def test_decides_a_number_whatever_the_load(self) -> None:
        chance = random.Random(1)  # noqa: S311 - the same cases every time
        scaler = self.make()

        for _ in range(_ROUNDS):
            workers = chance.randint(_LEAST, _MOST)
            load = PoolLoad(
                workers=workers,
                ready=chance.randint(0, workers),
                busyness=chance.choice((0.0, 1.0, chance.random())),
                connections=chance.choice((0, chance.randrange(1_000_000))),
                min_workers=_LEAST,
                max_workers=_MOST,
                elapsed_s=chance.choice((0.0, 1.0, 3600.0)),
            )
            decided = scaler.decide(load)
            assert type(decided) is int, f"{decided!r} for {load}"

    def test_decides_a_number_when_nobody_is_ready_and_nothing_has_happened(self) -> None:
        load = PoolLoad(workers=1, ready=0, busyness=0.0, connections=0, min_workers=1, max_workers=1, elapsed_s=0.0)

        assert type(self.make().decide(load)) is int

    def test_comes_to_rest_under_a_steady_load(self) -> None:
        """A pool that swings starts and stops processes for ever, and moves or drains their connections each time."""
        for busy_workers, connections in ((0.0, 0), (1.0, 100), (6.3, 1_000), (50.0, 100_000)):
            scaler, workers = self.make(), 4
            seen: list[int] = []
            for _ in range(_SETTLES_WITHIN + _WATCHED):
                busyness = min(1.0, busy_workers / workers)
                load = PoolLoad(workers, workers, busyness, connections, _LEAST, _MOST, elapsed_s=1.0)
                # As the master does: within the limits, whatever was decided.
                workers = min(max(scaler.decide(load), _LEAST), _MOST)
                seen.append(workers)

            assert len(set(seen[_SETTLES_WITHIN:])) == 1, f"swings between {sorted(set(seen[_SETTLES_WITHIN:]))}"
