"""The figures of a scenario with visitors: a test's time on a shared machine is nothing to assert.

They are printed, and added to the file that HOST_FIGURES names, as a line of JSON: `tests/hosts/write_figures.py`
makes the table of docs/howto/several-hosts.md of those.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet import Request


class Figures(NamedTuple):
    """What visitors saw, before, during and after a thing that happened."""

    what: str
    requests: int
    failed: int
    full_service_s: float
    """Seconds from the event to the end of the last request that failed."""
    p99_ms: tuple[float, float, float]
    """Before it, until it was over, and from then on."""
    lost: int | None
    """Acknowledged writes that are gone; None: nothing was written."""


def percentile(requests: Sequence[Request], part: float) -> float:
    """Return the time that this part of the requests took at most, in seconds."""
    took = sorted(each.took for each in requests)
    return took[min(len(took) - 1, int(part * len(took)))] if took else 0.0


def tell(
    what: str,
    requests: Sequence[Request],
    event: float,
    *,
    warm: float = 0.0,
    over: float | None = None,
    lost: int | None = None,
) -> None:
    """Print the figures, and write them down.

    :param event: when it happened, on the clock of the requests.
    :param warm: from when on the quiet ones count: the first ones of a process have much to find out.
    :param over: when it was over; None: with the last failure.
    :param lost: acknowledged writes that are gone.
    """
    failed = [each for each in requests if each.failed]
    last = max((each.at + each.took - event for each in failed), default=0.0)
    served = [each for each in requests if not each.failed]
    end = max(over or event, event + last)
    quiet, during, after = (
        [each for each in served if warm <= each.at and each.at + each.took < event],
        [each for each in served if event <= each.at + each.took and each.at < end],
        [each for each in served if each.at >= end],
    )
    p99 = (percentile(quiet, 0.99) * 1000, percentile(during, 0.99) * 1000, percentile(after, 0.99) * 1000)
    its = Figures(what, len(requests), len(failed), last, p99, lost)
    print(f"{its}; {Counter((each.status, each.body[:50]) for each in failed).most_common(4)}")  # noqa: T201
    if place := os.environ.get("HOST_FIGURES"):
        with Path(place).open("a") as file:
            file.write(json.dumps(its._asdict()) + "\n")
