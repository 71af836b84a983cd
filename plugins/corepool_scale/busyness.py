"""By how busy the workers are, slowly: a pool that swings costs more than one that is a little too large.

More workers when they have been too busy for some samples in a row; fewer only when those left would not be busy
either, and that for much longer. What lies between the two marks changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

import corepool
from corepool import Scaler

if TYPE_CHECKING:
    from typing import Self

    from corepool import PoolLoad

_Part = Annotated[float, Field(gt=0, lt=1)]
_Samples = Annotated[int, Field(ge=1, le=3600)]


class Busyness(Scaler):
    """One worker more while they are busy, one fewer when they have long been idle."""

    class Options(corepool.Options):
        """Marks, and how long they have to be passed."""

        high: _Part = 0.7
        """Another worker when the mean has been above this."""

        low: _Part = 0.4
        """One fewer when the mean, spread over those that would be left, has been below this."""

        up_after: _Samples = 3
        """Samples in a row (about a second each) before one is added."""

        down_after: _Samples = 60
        """Samples in a row before one is taken away."""

        @model_validator(mode="after")
        def _check(self) -> Self:
            if self.low >= self.high:
                raise ValueError(f"low = {self.low} has to be below high = {self.high}: the pool would swing")
            return self

    def __init__(self, options: Options) -> None:
        self._options = options
        self._busy = 0
        self._idle = 0

    def decide(self, load: PoolLoad) -> int:
        """Count samples on either side of the marks."""
        options = self._options
        if load.ready < load.workers:
            # Some are still starting: what they will change is not seen yet.
            self._busy = self._idle = 0
            return load.workers
        left = load.workers - 1
        is_idle = left > 0 and load.busyness * load.workers / left < options.low
        self._busy = self._busy + 1 if load.busyness > options.high else 0
        self._idle = self._idle + 1 if is_idle else 0
        if self._busy >= options.up_after:
            self._busy = 0
            return load.workers + 1
        if self._idle >= options.down_after:
            self._idle = 0
            return load.workers - 1
        return load.workers
