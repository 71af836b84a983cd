"""A store as an application uses it, in coroutines and in threads; and the stores of this worker."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, TypeVar

from corepool_kv.application.calls import CommandError, Value, as_words, decode

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from corepool_kv.application.calls import Driver

_THREAD_TIMEOUT_S = 60.0
"""How long a thread waits for a store that neither answers nor fails."""

Word = bytes | str | float

T = TypeVar("T")


class Store:
    """The methods are coroutines, for the worker's own loop; `in_thread` has the same ones for threads."""

    def __init__(self, name: str, driver: Driver, loop: asyncio.AbstractEventLoop) -> None:
        self.name = name
        self.in_thread = ThreadStore(self, loop)
        self._driver = driver
        self._loop = loop
        self._is_closed = False

    async def execute(self, *words: Word) -> Value:
        """Run any command on data, as Redis knows it: `await store.execute("ZADD", "scores", 5, "ann")`.

        :raises CommandError: the reply is an error, or the store has failed.
        :raises RuntimeError: this is not the worker's loop, or the worker has ended.
        """
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError("a store's coroutines run in the worker's own loop; elsewhere use its `in_thread`")
        if self._is_closed:
            raise RuntimeError("this worker has ended, and so have its stores")
        if not words:
            raise TypeError("a command has one word at least")
        reply: asyncio.Future[bytes] = self._loop.create_future()
        self._driver.submit(as_words(words), lambda data: None if reply.done() else reply.set_result(data))
        return decode(await reply)

    async def get(self, key: bytes | str) -> bytes | None:
        """Return the value of a key; None if there is none."""
        value = await self.execute("GET", key)
        assert value is None or isinstance(value, bytes)
        return value

    async def set(self, key: bytes | str, value: Word, *, expires: float | None = None) -> None:
        """Store a value; written when this returns, as far as the store promises.

        :param expires: seconds after which the key is gone; None: never.
        """
        await self.execute("SET", key, value, *_expiry(expires))

    async def add(self, key: bytes | str, value: Word, *, expires: float | None = None) -> bool:
        """Store a value if the key has none; return whether it was stored. One of several callers wins."""
        return await self.execute("SET", key, value, "NX", *_expiry(expires)) is not None

    async def delete(self, *keys: bytes | str) -> int:
        """Remove keys, and return how many there were. In a cluster they have to be of one slot."""
        return _number(await self.execute("DEL", *keys)) if keys else 0

    async def increment(self, key: bytes | str, amount: int = 1) -> int:
        """Add to a number, which begins with 0, and return the sum."""
        return _number(await self.execute("INCRBY", key, amount))

    async def expire(self, key: bytes | str, seconds: float) -> bool:
        """Have a key expire; return False if there is none."""
        return _number(await self.execute("PEXPIRE", key, round(seconds * 1000))) == 1

    def close(self) -> None:
        """End: called by its owner when the worker ends."""
        self._is_closed = True
        self._driver.close()


class ThreadStore:
    """The same for threads, which wait: WSGI, Flask, Django."""

    def __init__(self, store: Store, loop: asyncio.AbstractEventLoop) -> None:
        self._store = store
        self._loop = loop

    def execute(self, *words: Word) -> Value:
        """Run any command on data; see `Store.execute`."""
        return self._run(self._store.execute(*words))

    def get(self, key: bytes | str) -> bytes | None:
        """Return the value of a key; None if there is none."""
        return self._run(self._store.get(key))

    def set(self, key: bytes | str, value: Word, *, expires: float | None = None) -> None:
        """Store a value; see `Store.set`."""
        self._run(self._store.set(key, value, expires=expires))

    def add(self, key: bytes | str, value: Word, *, expires: float | None = None) -> bool:
        """Store a value if the key has none; see `Store.add`."""
        return self._run(self._store.add(key, value, expires=expires))

    def delete(self, *keys: bytes | str) -> int:
        """Remove keys, and return how many there were."""
        return self._run(self._store.delete(*keys))

    def increment(self, key: bytes | str, amount: int = 1) -> int:
        """Add to a number, and return the sum."""
        return self._run(self._store.increment(key, amount))

    def expire(self, key: bytes | str, seconds: float) -> bool:
        """Have a key expire; return False if there is none."""
        return self._run(self._store.expire(key, seconds))

    def _run(self, call: Coroutine[object, object, T]) -> T:
        if threading.current_thread() is threading.main_thread():
            call.close()
            raise RuntimeError(
                "`in_thread` in the loop's thread, which it would block: await the store's own methods, or set "
                "`threads` for WSGI"
            )
        future = asyncio.run_coroutine_threadsafe(call, self._loop)
        try:
            return future.result(_THREAD_TIMEOUT_S)
        except TimeoutError:
            future.cancel()
            raise CommandError(f"ERR no answer of the store within {_THREAD_TIMEOUT_S:g} s") from None


class _Process:
    """The worker that this process is: a state of the module, as that of `corepool.current_bus` is."""

    def __init__(self) -> None:
        self.pid = 0
        self.stores: Mapping[str, Store] = {}


_PROCESS = _Process()


def set_current_stores(stores: Mapping[str, Store]) -> None:
    """Have `current_store` find these, in this process and in no fork of it."""
    _PROCESS.pid, _PROCESS.stores = os.getpid(), stores


def current_store(name: str) -> Store:
    """Return a store of the worker that this code runs in, by the name that the configuration gives it.

    Runs in: the worker, in any thread, from the import of the application on.

    :raises RuntimeError: this is no worker, or there is no such store.
    """
    stores = _PROCESS.stores if _PROCESS.pid == os.getpid() else {}
    if name not in stores:
        there = f"; there are {', '.join(sorted(stores))}" if stores else "; this process has none"
        raise RuntimeError(f"no store {name!r} here{there}. The extension `stores` opens them in the workers")
    return stores[name]


def _expiry(seconds: float | None) -> tuple[Word, ...]:
    return () if seconds is None else ("PX", max(round(seconds * 1000), 1))


def _number(value: Value) -> int:
    assert isinstance(value, int)
    return value
