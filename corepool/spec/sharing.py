r"""Counters, buckets, semaphores and maps that the workers of a pool share, in shared memory.

A plugin that counts what it does, and does it no more often than it may::

    class Greeter:
        @hookimpl
        def on_worker_start(self, worker):
            self._greeted = worker.counter("greeted")
            self._pace = worker.buckets("greetings", rate=10, burst=20)

        @hookimpl
        def on_readable(self, conn):
            conn.recv()
            if self._pace.take(conn.peer.host):
                self._greeted.add()
                conn.send(b"hello, %d\n" % self._greeted.get())

They are the pool's: objects of the same name are one, in each of its workers, in those that a reload brings, and in
those of the new master of an upgrade. A name is a plugin's own choice; it begins with the plugin's.

A key is bytes or text. A map keeps it as it is. Of others only 64 bits of a keyed hash are kept: two of 65,536 keys are
taken for one with a probability of 1 in 10^10, and a client can't choose one that is.
"""

from __future__ import annotations

from typing import Protocol

Key = bytes | str


class SharedCounter(Protocol):
    """A number that all workers add to. Its methods may be called from any thread."""

    def add(self, amount: int = 1) -> None:
        """Add a number, or a negative one. When the call has returned, the death of the worker takes nothing back.

        No lock is shared with another process, and no system call made: each worker has a cell of its own.

        :raises ValueError: the sum of this worker's would not fit into 64 bits.
        """

    def get(self) -> int:
        """Return the sum over all workers, those that have ended included."""


class LeakyBuckets(Protocol):
    """A bucket for each key, which holds `burst` and is filled again with `rate` a second."""

    def take(self, key: Key, amount: int = 1) -> bool:
        """Take `amount` out of the bucket of `key`; False, and nothing is taken, if there is less in it.

        Exact, also when many workers take at once. From any thread.

        :raises TimeoutError: another worker was stopped in the middle of this, and goes on to be. The first call waits
            a second for it, the next ones not at all.
        """


class Hold(Protocol):
    """One of a semaphore's, which is held."""

    def release(self) -> None:
        """Let it go. Idempotent; from any thread."""


class Semaphores(Protocol):
    """A semaphore for each key: how many are held of it at once, in all workers. What a worker holds ends with it."""

    def acquire(self, key: Key, limit: int | None = None) -> Hold | None:
        """Hold one more of `key`; None if `limit` are held already. From any thread.

        :param limit: None: there is none, but for the room in memory.
        :raises TimeoutError: as of `LeakyBuckets.take`.
        """

    def held(self, key: Key) -> int:
        """Return how many are held of `key`.

        :raises TimeoutError: as of `LeakyBuckets.take`.
        """


class SharedMap(Protocol):
    """A value for each key. Small and exact, for what all workers have to know; its methods, from any thread, copy it.

    All of them raise TimeoutError as `LeakyBuckets.take`.
    """

    def get(self, key: Key) -> bytes | None:
        """Return the value of `key`; None: it has none."""

    def put(self, key: Key, value: bytes | str, seconds: float | None = None) -> None:
        """Set the value of `key`. When the call has returned, the death of the worker takes nothing back.

        :param seconds: after these it has none again; None: until it is taken away.
        :raises MapFullError: there is no room for another key.
        :raises ValueError: key and value are longer than `size` together, or `seconds` is no such time.
        """

    def add(self, key: Key, value: bytes | str, seconds: float | None = None) -> bool:
        """Set the value of `key` if it has none; False: it has one. Of several that ask at once, one is told True.

        Arguments and errors as `put`.
        """

    def replace(self, key: Key, old: bytes | str, new: bytes | str, seconds: float | None = None) -> bool:
        """Change the value of `key` if it is `old`; False: it is another, or there is none.

        Arguments and errors as `put`.
        """

    def pop(self, key: Key) -> bytes | None:
        """Take the value of `key` away, and return it; None: it had none."""

    def items(self) -> list[tuple[bytes, bytes]]:
        """Return all keys with their values. What changes meanwhile may be in it or not."""
