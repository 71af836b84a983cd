"""System calls that fail in the processes of a pool, as often as a test says: the other side of preload/failing.c."""

from __future__ import annotations

import mmap
import struct
import subprocess
from contextlib import contextmanager
from enum import IntFlag
from pathlib import Path
from typing import TYPE_CHECKING, Self

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

FAULTS = 16
ALWAYS = 2**30

_FAULT = struct.Struct("=20siiiiiii")
_LEFT, _HITS = _FAULT.size - 8, _FAULT.size - 4
_COUNT = struct.Struct("=i")


class Kinds(IntFlag):
    """Kinds of descriptors that a fault may be limited to."""

    INET = 1
    SEQPACKET = 2
    UNIX_STREAM = 4
    DATAGRAM = 8
    REGULAR = 16
    OTHER = 32
    LISTENING = 64


ANY = Kinds(0)


class Fault:
    """A call that fails now."""

    def __init__(self, page: mmap.mmap, place: int) -> None:
        self._page = page
        self._start = place * _FAULT.size

    @property
    def hits(self) -> int:
        """The number of failures until now."""
        (hits,) = _COUNT.unpack_from(self._page, self._start + _HITS)
        return int(hits)

    @property
    def is_free(self) -> bool:
        return self._page[self._start] == 0

    def set(self, call: str, numbers: tuple[int, ...], times: int) -> None:
        _FAULT.pack_into(self._page, self._start, call.encode(), *numbers, 0, 0)
        _COUNT.pack_into(self._page, self._start + _LEFT, times)

    def clear(self) -> None:
        _COUNT.pack_into(self._page, self._start + _LEFT, 0)
        self._page[self._start] = 0

    def wait_for_hits(self, hits: int = 1) -> None:
        """Wait until it has failed so often."""
        wait_until(lambda: self.hits >= hits, what=f"{hits} failing calls")


class Failing:
    """The faults of one pool; start its processes with `environment`."""

    def __init__(self, folder: Path) -> None:
        """Compile the library, and write the file of faults beside it, empty at first."""
        source = Path(__file__).parent / "preload" / "failing.c"
        library, path = folder / "failing.so", folder / "failing"
        command = ["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", str(library), str(source), "-ldl"]
        subprocess.run(command, check=True)  # noqa: S603
        path.write_bytes(bytes(FAULTS * _FAULT.size))
        self.environment = {"LD_PRELOAD": str(library), "TEST_FAILING": str(path)}
        with path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._page.close()

    @contextmanager
    def __call__(
        self,
        call: str,
        error: int,
        *,
        pid: int = 0,
        not_pid: int = 0,
        kinds: Kinds = ANY,
        operation: int = -1,
        times: int = ALWAYS,
    ) -> Iterator[Fault]:
        """Have a call fail, until the end of the `with`.

        :param call: its name in the C library; open64 and fcntl64 are "open" and "fcntl".
        :param error: what errno says.
        :param pid: only in this process; 0: in any.
        :param not_pid: in any process but this one.
        :param kinds: only on descriptors of one of these kinds.
        :param operation: only this operation of epoll_ctl, this option of setsockopt, and the like; 0: a pwrite into
            the first 8192 bytes of a file, 1: one behind them.
        :param times: so many times; what comes after that succeeds.
        """
        fault = next(each for place in range(FAULTS) if (each := Fault(self._page, place)).is_free)
        fault.set(call, (pid, not_pid, kinds, operation, error), times)
        try:
            yield fault
        finally:
            fault.clear()
