"""Power of two choices: two workers at random, the less loaded of them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from corepool import Dispatcher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corepool import Incoming, WorkerView


class PowerOfTwo(Dispatcher):
    """Draw two different workers at random and choose the one with fewer connections.

    Nearly as even as least-connections at a cost that doesn't grow with the workers, and without its
    herding: after a restart the new worker is one choice of two, not the target of every connection.
    """

    def __init__(self, chance: random.Random | None = None) -> None:
        # An instance of its own: seeding the shared generator is the application's right.
        self._random = (chance or random.Random()).random  # noqa: S311 - load, not secrets

    def pick(self, workers: Sequence[WorkerView], incoming: Incoming) -> WorkerView:  # noqa: ARG002
        """Choose the less loaded of two; the first drawn when they are equal, so that ties stay random."""
        count = len(workers)
        if count == 1:
            return workers[0]
        first_index = int(self._random() * count)
        # One of the others, each equally likely: 1 to count-1 places further on, wrapping.
        second_index = (first_index + 1 + int(self._random() * (count - 1))) % count
        first, second = workers[first_index], workers[second_index]
        return second if second.connections < first.connections else first
