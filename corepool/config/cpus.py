"""How many CPUs this process may really use: affinity, and the quota of its cgroup.

A container on a machine of 64 CPUs that is granted two sees all 64 in the affinity mask; that many
workers would only take turns. The quota is in the cgroup file system, and the limit of any group
above the process's own counts as well.
"""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def available_cpus(cgroup_root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> int:
    """Count the CPUs this process may use, at least 1; a fraction of a CPU counts as one more.

    :param cgroup_root: where the cgroup file systems are mounted.
    :param membership: the file that says which groups this process is in, as cgroups(7) describes it.
    """
    if sys.version_info >= (3, 13):
        allowed = os.process_cpu_count() or 1
    else:
        allowed = len(os.sched_getaffinity(0))
    quotas = [math.ceil(quota) for quota in _quotas(cgroup_root, membership)]
    return max(1, min([allowed, *quotas]))


def _quotas(root: Path, membership: Path) -> Iterator[float]:
    try:
        lines = membership.read_text().splitlines()
    except (OSError, ValueError):  # no /proc, or one that isn't ours to read: then no quota is known
        return
    for line in lines:
        _, controllers, group = (*line.split(":", 2), "", "")[:3]
        if not controllers:  # version 2; mounted one level down where both versions are in use
            for folder in (*_upwards(root, group), *_upwards(root / "unified", group)):
                yield from _quota(_words(folder / "cpu.max"))
        elif "cpu" in controllers.split(","):
            for folder in _upwards(root / controllers, group):
                yield from _quota(_words(folder / "cpu.cfs_quota_us") + _words(folder / "cpu.cfs_period_us"))


def _upwards(mount: Path, group: str) -> Iterator[Path]:
    """List the folder of a group and of all above it.

    In a container without a cgroup namespace the group is named as the host sees it, and isn't there;
    the container's own limit is then in the root of the mount, where this ends anyway.
    """
    parts = [part for part in PurePosixPath(group).parts if part not in ("/", "..")]
    for depth in range(len(parts), -1, -1):
        yield mount.joinpath(*parts[:depth])


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except (OSError, ValueError):  # no such group, or no limit set: the root group has no cpu.max
        return []


def _quota(words: list[str]) -> Iterator[float]:
    """Yield quota / period if both are numbers: "max" (version 2) and -1 (version 1) mean no limit."""
    match words:
        case [quota, period] if quota.isdecimal() and period.isdecimal() and int(period) > 0:
            yield int(quota) / int(period)
