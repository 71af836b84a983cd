"""The line that HAProxy's agent check reads: whether to send clients to this host, and how many beside the others.

HAProxy's configuration manual, "agent-check". Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Sample(NamedTuple):
    """The part of a status that the next one is compared with."""

    at: float
    """Seconds, of a monotonic clock."""
    cpu: Mapping[int, float]
    """CPU seconds of each worker, by pid."""


MIN_SPAN_S = 1.0
"""Between two samples that are compared: the kernel counts CPU time in hundredths of a second (proc(5), stat)."""

_APART_S = MIN_SPAN_S / 4


class Samples:
    """Samples of the last checks. Several HAProxys ask at any time: each is told of a span that is long enough."""

    def __init__(self) -> None:
        self._kept: list[Sample] = []
        """The oldest first, and no more than are needed."""

    def before(self, at: float) -> Sample | None:
        """Return the newest one that a sample taken now can be compared with."""
        return next((each for each in reversed(self._kept) if at - each.at >= MIN_SPAN_S), None)

    def add(self, sample: Sample) -> None:
        """Keep a sample for later checks, unless there is one of nearly the same time."""
        if self._kept and sample.at - self._kept[-1].at < _APART_S:
            return
        base = self.before(sample.at)
        self._kept = [each for each in self._kept if base is None or each.at >= base.at]
        self._kept.append(sample)


class Advice(NamedTuple):
    """The answer, and what the next one needs."""

    line: bytes
    sample: Sample


def advise(status: Mapping[str, Any], own: str | None, at: float, before: Sample | None, min_weight: int) -> Advice:
    """Return the words for HAProxy.

    `drain` while the pool is told to stop; `down` while no worker is ready; else `ready up N%`, where N is the part of
    the workers that is ready, times the part of its time that they were idle since `before`.

    :param status: as `corepool status --json` has it.
    :param own: the pool of the agent itself, which does not count; None: every pool does.
    :param at: when the status was taken, on the clock of the samples.
    :param min_weight: N at least, in percent: 0 would be a drain.
    """
    workers = [each for each in status["workers"] if each["pool"] != own]
    ready = [each for each in workers if each["state"] == "ready"]
    wanted = sum(each["wanted"] for each in status["pools"] if each["name"] != own)
    sample = Sample(at, {each["pid"]: each["cpu"] for each in workers})
    if status["state"] == "stopping":
        return Advice(b"drain\n", sample)
    if status["state"] != "ready" or not ready:
        # Not `fail` or `stopped`: HAProxy treats them alike, and its log shows the text behind the number sign.
        return Advice(b"down #no worker is ready\n", sample)
    idle = sum(1.0 - _busyness(each, sample, before) for each in ready) / max(wanted, len(ready))
    return Advice(b"ready up %d%%\n" % min(100, max(min_weight, round(100 * idle))), sample)


def _busyness(worker: Mapping[str, Any], now: Sample, before: Sample | None) -> float:
    """Return the busy part of a worker's time: of its CPU time or of its threads, whichever is more."""
    threads = worker["threads_busy"] / worker["threads"] if worker["threads"] else 0.0
    pid = worker["pid"]
    if before is None or pid not in before.cpu or now.at <= before.at:
        return threads
    cpu = (now.cpu[pid] - before.cpu[pid]) / (now.at - before.at)
    return min(1.0, max(0.0, cpu, threads))
