"""Our scalers keep the contract that every plugin's must keep."""

from __future__ import annotations

import pytest

from corepool import PoolLoad, Scaler
from corepool.testing.scaler import ScalerContract
from corepool_scale import Busyness, Fixed


class TestFixed(ScalerContract):
    def make(self) -> Scaler:
        return Fixed()


class TestBusyness(ScalerContract):
    def make(self) -> Scaler:
        return Busyness(Busyness.Options())


class Swings(Scaler):
    """One more when it is busy, one fewer when it is not: for ever."""

    def decide(self, load: PoolLoad) -> int:
        return load.workers + (1 if load.busyness > 0.5 else -1)


def test_a_scaler_that_swings_for_ever_does_not_keep_the_contract() -> None:
    class Suite(ScalerContract):
        def make(self) -> Scaler:
            return Swings()

    with pytest.raises(AssertionError, match="swings between"):
        Suite().test_comes_to_rest_under_a_steady_load()
