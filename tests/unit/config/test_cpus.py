"""CPUs that this process may use, with made-up cgroup trees."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from corepool.config.cpus import available_cpus

if TYPE_CHECKING:
    from pathlib import Path

ALLOWED = 8


@pytest.fixture(autouse=True)
def _eight_cpus_by_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(ALLOWED)))
    monkeypatch.setattr(os, "process_cpu_count", lambda: ALLOWED, raising=False)


def cpus(tmp_path: Path, membership: str, files: dict[str, str]) -> int:
    for name, text in files.items():
        path = tmp_path / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "membership").write_text(membership)
    return available_cpus(tmp_path / "cgroup", tmp_path / "membership")


def test_without_cgroups_the_affinity_mask_counts(tmp_path: Path) -> None:
    assert available_cpus(tmp_path / "nothing", tmp_path / "nothing") == ALLOWED


@pytest.mark.parametrize(
    ("written", "count"),
    [
        ("max 100000", ALLOWED),
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("10000 100000", 1),
        ("6400000 100000", ALLOWED),
        ("nonsense", ALLOWED),
        ("100000 0", ALLOWED),
    ],
)
def test_a_quota_of_version_2_is_rounded_up(tmp_path: Path, written: str, count: int) -> None:
    assert cpus(tmp_path, "0::/app\n", {"app/cpu.max": written}) == count


def test_the_tightest_quota_on_the_way_up_counts(tmp_path: Path) -> None:
    files = {
        "a/cpu.max": "300000 100000",
        "a/b/cpu.max": "max 100000",
        "a/b/c/cpu.max": "500000 100000",
        "other/cpu.max": "100000 100000",
    }

    assert cpus(tmp_path, "0::/a/b/c\n", files) == 3


@pytest.mark.parametrize("group", ["/", "/kubepods/pod1/container", "/../../elsewhere"])
def test_a_container_that_sees_only_its_own_group_finds_its_quota_in_the_root(tmp_path: Path, group: str) -> None:
    assert cpus(tmp_path, f"0::{group}\n", {"cpu.max": "200000 100000"}) == 2


@pytest.mark.parametrize(("quota", "count"), [("250000", 3), ("-1", ALLOWED)])
def test_a_quota_of_version_1_is_in_two_files(tmp_path: Path, quota: str, count: int) -> None:
    files = {"cpu,cpuacct/app/cpu.cfs_quota_us": quota, "cpu,cpuacct/app/cpu.cfs_period_us": "100000"}

    assert cpus(tmp_path, "4:memory:/x\n3:cpu,cpuacct:/app\n0::/\n", files) == count


def test_a_group_of_both_versions_is_looked_up_in_both(tmp_path: Path) -> None:
    assert cpus(tmp_path, "1:name=systemd:/\n0::/app\n", {"unified/app/cpu.max": "100000 100000"}) == 1


def test_this_machine_has_at_least_one() -> None:
    assert 1 <= available_cpus() <= ALLOWED
