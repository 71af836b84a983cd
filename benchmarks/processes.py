"""Accounting of processes: where they run, the CPU time they used, the memory that is theirs.

CPU time is read from each process's CPU clock, in nanoseconds. `/proc/PID/stat` has the same sum but
in ticks of 10 ms, and `/proc/PID/schedstat` exists only in kernels built for it. What the kernel does
for a process in a system call, the loopback's softirq work included, is charged to that process unless
the kernel was built with CONFIG_IRQ_TIME_ACCOUNTING.
"""

from __future__ import annotations

import os
import resource
import time
from collections import defaultdict
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.results import BenchError

if TYPE_CHECKING:
    from collections.abc import Iterator

PROC = Path("/proc")
NS_PER_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cores:
    """The core that the server has for itself, and the load's; the same one if there is only one."""

    server: int
    load: int

    @classmethod
    def pick(cls) -> Cores:
        """Take the first and the last of the cores that this process may use."""
        usable = sorted(os.sched_getaffinity(0))
        return cls(server=usable[0], load=usable[-1])


@contextmanager
def pinned(*cores: int) -> Iterator[None]:
    """Keep this thread, and for good every process that it starts meanwhile, on some cores.

    Children inherit the affinity, so it holds from their first instruction on, workers forked later
    included; setting it on a running child would race with its forks.
    """
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def raise_descriptor_limit(needed: int) -> None:
    """Raise this process's limit of open files, which the servers then inherit.

    :raises BenchError: the hard limit is lower.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise BenchError(f"{needed} open files are needed; the hard limit (ulimit -Hn) is {hard}")
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def process_tree(root: int) -> list[int]:
    """List `root` and its living descendants, parents first."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    for entry in PROC.iterdir():
        if entry.name.isdecimal() and (fields := _stat(int(entry.name))):
            children[int(fields[_PPID])].append(int(entry.name))
    tree = [root]
    for pid in tree:  # grows while it is walked
        tree.extend(sorted(children[pid]))
    return tree


def cpu_ns(root: int) -> int:
    """Sum up the CPU time of `root` and its descendants so far, those that have ended included.

    A descendant that ends between two calls moves from its own clock into the waited-for time of its
    parent, so the difference of two calls counts it once.
    """
    return sum(_own_cpu_ns(pid) + _ended_children_cpu_ns(pid) for pid in process_tree(root))


def descriptors(root: int) -> int:
    """Count the open descriptors of `root` and its descendants."""
    count = 0
    for pid in process_tree(root):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            count += sum(1 for _ in (PROC / str(pid) / "fd").iterdir())
    return count


def rss_bytes(pid: int) -> int:
    """Memory resident for `pid`. From smaps, which counts; `statm` is off by up to some pages per core."""
    return _smaps_bytes(pid, "Rss")


def peak_rss_bytes(pid: int) -> int:
    """Return the most memory that was ever resident for `pid`."""
    for line in (PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def uss_bytes(pid: int) -> int:
    """Memory that would be free if `pid` were not there: the pages that no other process maps."""
    return _smaps_bytes(pid, "Private_Clean", "Private_Dirty")


# Positions in /proc/PID/stat after the command's name, which may hold spaces; see proc_pid_stat(5).
_PPID = 1
_CUTIME = 13
_CSTIME = 14


def _stat(pid: int) -> list[str]:
    """Read the fields after the name; none if the process has gone."""
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()


def _own_cpu_ns(pid: int) -> int:
    # What clock_getcpuclockid(3) computes, which Python doesn't offer for processes: the complement of
    # the pid, and CPUCLOCK_SCHED of the whole process (2) in the low three bits.
    try:
        return time.clock_gettime_ns(~pid << 3 | 2)
    except OSError:  # EINVAL: it ended since the tree was listed; its parent has its time in the next call
        return 0


def _ended_children_cpu_ns(pid: int) -> int:
    fields = _stat(pid)
    return (int(fields[_CUTIME]) + int(fields[_CSTIME])) * NS_PER_TICK if fields else 0


def _smaps_bytes(pid: int, *names: str) -> int:
    total_kib = 0
    for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in names:
            total_kib += int(value.split()[0])
    return total_kib * 1024
