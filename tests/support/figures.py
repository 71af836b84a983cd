"""The figures of a scenario with visitors, printed: a test's time on a shared machine is nothing to assert."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet import Request


def percentile(requests: Sequence[Request], part: float) -> float:
    """Return the time that this part of the requests took at most, in seconds."""
    took = sorted(each.took for each in requests)
    return took[min(len(took) - 1, int(part * len(took)))] if took else 0.0


def tell(what: str, requests: Sequence[Request], event: float, lost: int | None = None) -> None:
    """Print them.

    :param event: when it happened, on the clock of the requests.
    :param lost: acknowledged writes that are gone.
    """
    failed = [each for each in requests if each.failed]
    last = max((each.at + each.took - event for each in failed), default=0.0)
    served = [each for each in requests if not each.failed]
    before, during, after = (
        [each for each in served if each.at < event],
        [each for each in served if event <= each.at < event + last],
        [each for each in served if each.at >= event + last],
    )
    p99 = [f"{percentile(each, 0.99) * 1000:.0f}" for each in (before, during, after)]
    print(  # noqa: T201
        f"{what}: {len(requests)} requests, {len(failed)} failed, the last one {last:.1f} s after the event; "
        f"p99 before, meanwhile, after: {', '.join(p99)} ms"
        + ("" if lost is None else f"; {lost} acknowledged writes lost")
        + f"; {Counter((each.status, each.body[:50]) for each in failed).most_common(4)}"
    )
