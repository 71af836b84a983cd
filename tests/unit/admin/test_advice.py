"""The words for HAProxy's agent check, from statuses made here."""

from __future__ import annotations

from typing import Any

import pytest

from corepool_admin.advice import MIN_SPAN_S, Sample, Samples, advise

MIN_WEIGHT = 10


def worker(pid: int, *, pool: str = "web", state: str = "ready", cpu: float = 0.0, **threads: int) -> dict[str, Any]:
    return {"pid": pid, "pool": pool, "state": state, "cpu": cpu, "threads": 0, "threads_busy": 0} | threads


def status(*workers: dict[str, Any], state: str = "ready", wanted: int | None = None) -> dict[str, Any]:
    web = len([each for each in workers if each["pool"] == "web"]) if wanted is None else wanted
    return {
        "state": state,
        "pools": [{"name": "web", "wanted": web}, {"name": "probes", "wanted": 1}],
        "workers": [*workers, worker(99, pool="probes")],
    }


def line(told: dict[str, Any], at: float = 0.0, before: Sample | None = None) -> str:
    return advise(told, "probes", at, before, MIN_WEIGHT).line.decode()


def test_an_idle_host_has_its_whole_weight() -> None:
    assert line(status(worker(1), worker(2))) == "ready up 100%\n"


@pytest.mark.parametrize(
    ("cpu", "weight"), [(0.0, 100), (1.0, 75), (2.0, 50), (3.9, MIN_WEIGHT), (4.0, MIN_WEIGHT), (9.0, MIN_WEIGHT)]
)
def test_its_weight_is_the_idle_part_of_the_time_since_the_last_check(cpu: float, weight: int) -> None:
    before = advise(status(worker(1, cpu=5.0), worker(2, cpu=7.0)), "probes", 10.0, None, MIN_WEIGHT).sample

    assert line(status(worker(1, cpu=5.0 + cpu), worker(2, cpu=7.0 + cpu)), 14.0, before) == f"ready up {weight}%\n"


def test_threads_that_wait_for_a_database_are_busy_too() -> None:
    assert line(status(worker(1, threads=4, threads_busy=3))) == "ready up 25%\n"


def test_workers_that_are_missing_take_their_part_away() -> None:
    assert line(status(worker(1), worker(2, state="booting"), wanted=4)) == "ready up 25%\n"


def test_a_replacement_beside_its_worker_adds_nothing() -> None:
    assert line(status(worker(1), worker(2), wanted=1)) == "ready up 100%\n"


def test_a_new_worker_counts_as_idle_until_the_next_check() -> None:
    before = advise(status(worker(1, cpu=3.0)), "probes", 10.0, None, MIN_WEIGHT).sample

    assert line(status(worker(2, cpu=1.0)), 11.0, before) == "ready up 100%\n"


def test_two_checks_at_one_moment_divide_by_nothing() -> None:
    before = advise(status(worker(1)), "probes", 10.0, None, MIN_WEIGHT).sample

    assert line(status(worker(1, cpu=1.0)), 10.0, before) == "ready up 100%\n"


def test_two_haproxys_that_ask_in_turn_compare_with_a_sample_of_a_span_ago() -> None:
    samples = Samples()
    spans = []
    for check in range(50):
        for at in (2.0 * check, 2.0 * check + 0.003, 2.0 * check + 0.01):
            before = samples.before(at)
            samples.add(Sample(at, {}))
            if before is not None:
                spans.append(at - before.at)
    assert len(spans) == 3 * 49
    assert all(MIN_SPAN_S <= span < 2.1 for span in spans)


def test_many_checks_keep_few_samples() -> None:
    samples = Samples()
    for check in range(10_000):
        samples.add(Sample(check / 1000, {}))
        assert len(samples._kept) < 10  # noqa: SLF001
    before = samples.before(10.0)
    assert before is not None
    assert MIN_SPAN_S <= 10.0 - before.at < 2 * MIN_SPAN_S


@pytest.mark.parametrize("state", ["starting", "ready"])
def test_a_host_without_a_ready_worker_is_down(state: str) -> None:
    assert line(status(worker(1, state="booting"), state=state)) == "down #no worker is ready\n"


def test_a_host_that_is_told_to_stop_drains() -> None:
    assert line(status(worker(1), state="stopping")) == "drain\n"
