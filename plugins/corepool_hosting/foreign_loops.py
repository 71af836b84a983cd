"""Targets that start a server in an event loop of their own, in a thread: aiosmtpd's Controller does.

No listener of the pool would reach it; each worker would bind the address, and all but the first fail.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from corepool.plugins.loading import LoadError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator


@contextmanager
def refused(target: str) -> Iterator[None]:
    """Refuse servers of other loops in threads that are started meanwhile: they are the target's.

    :param target: what the message calls it.
    """
    before = set(threading.enumerate())
    names = ("create_server", "create_unix_server")
    loop: Any = asyncio.SelectorEventLoop  # it has them from classes that are private to asyncio

    def watch(real: Callable[..., Coroutine[Any, Any, object]]) -> Callable[..., object]:
        async def create(self: asyncio.AbstractEventLoop, *place: object, **more: object) -> object:
            if threading.current_thread() in before:
                return await real(self, *place, **more)
            raise LoadError(
                f"target = {target!r}: it starts a server in a thread, with an event loop of its own, which corepool "
                "can't serve; name a function that makes the protocol: `def smtp(): return SMTP(handler)` in the place "
                "of aiosmtpd's Controller"
            )

        return create

    for name in names:
        setattr(loop, name, watch(getattr(loop, name)))
    try:
        yield
    finally:
        for name in names:
            delattr(loop, name)
