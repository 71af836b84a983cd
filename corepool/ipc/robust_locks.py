"""Locks between processes that the kernel frees when their owner dies: robust mutexes, pthread_mutexattr_setrobust(3).

Called through ctypes, a lock and its release take 0.33 us without a wait. fcntl(2) locks, which the kernel frees as
well, take 0.76 us, and know nothing of threads; atomic operations in machine code would need a second, equal way
for installations without a compiler. (Measured on one machine, CPython 3.11.)

What a lock protects is written so that each single store leaves it whole. So the death of an owner needs no repair.
"""

from __future__ import annotations

import ctypes
import errno
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import mmap

LOCK_BYTES = 64
"""Room for a pthread_mutex_t, which has 40 bytes on x86-64 and 48 on arm64: a cache line each."""

WAIT_S = 1.0
"""How long a lock is waited for. Its owner has it for 2 us; longer only if it was stopped, or has no CPU to run on."""

_POLL_S = 0.000_1

_PROCESS_SHARED, _ROBUST = 1, 1  # <pthread.h>

# Not CDLL: that lets other threads run meanwhile, which takes longer than the call.
_libc = ctypes.PyDLL(None)
_trylock, _unlock, _consistent = _libc.pthread_mutex_trylock, _libc.pthread_mutex_unlock, _libc.pthread_mutex_consistent
for _each in (_trylock, _unlock, _consistent):
    _each.argtypes = [ctypes.c_void_p]


class RobustLocks:
    """Locks in shared memory, by number."""

    def __init__(self, area: mmap.mmap, first: int, count: int) -> None:
        """Find `count` locks at byte `first`. `make` is called once, when the memory is made."""
        start = ctypes.addressof(ctypes.c_char.from_buffer(area)) + first
        self._places = [start + LOCK_BYTES * number for number in range(count)]
        self._stuck: set[int] = set()
        """Those that were waited for in vain: they are not waited for again before they were free once."""

    def make(self) -> None:
        """Make them.

        :raises OSError: the system has no robust mutexes.
        """
        attributes = ctypes.create_string_buffer(LOCK_BYTES)
        _demand(_libc.pthread_mutexattr_init(attributes))
        _demand(_libc.pthread_mutexattr_setpshared(attributes, _PROCESS_SHARED))
        _demand(_libc.pthread_mutexattr_setrobust(attributes, _ROBUST))
        for place in self._places:
            _demand(_libc.pthread_mutex_init(ctypes.c_void_p(place), attributes))
        _libc.pthread_mutexattr_destroy(attributes)

    def take(self, number: int) -> None:
        """Take a lock. By any thread; a thread that has it must not take it again.

        :raises TimeoutError: its owner goes on to have it.
        """
        if status := _trylock(self._places[number]):
            self._wait(number, status)
        elif self._stuck:
            self._stuck.discard(number)

    def release(self, number: int) -> None:
        """Release a lock, by the thread that has it."""
        _unlock(self._places[number])

    def _wait(self, number: int, status: int) -> None:
        place = self._places[number]
        ends_at = time.monotonic() + (0 if number in self._stuck else WAIT_S)
        while status == errno.EBUSY:
            if time.monotonic() >= ends_at:
                self._stuck.add(number)
                raise TimeoutError(f"a process has held a lock of shared counts for {WAIT_S:g} s: was it stopped?")
            time.sleep(_POLL_S)
            status = _trylock(place)
        if status == errno.EOWNERDEAD:
            status = _consistent(place)
        _demand(status)
        self._stuck.discard(number)


def _demand(status: int) -> None:
    if status:
        raise OSError(status, os.strerror(status))
