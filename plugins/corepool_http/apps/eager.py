"""Tasks that begin at once, inside the call that makes them: no turn of the loop is waited for.

asyncio has them from Python 3.12 on. On 3.11 the same is done by hand: the first step, which a new task has just put at
the end of the loop's callbacks, is taken from there and run.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine

if sys.version_info >= (3, 12):

    def start(coroutine: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
        """Start a task; it may have ended when this returns. It begins later only while the loop does not run."""
        return asyncio.Task(coroutine, loop=loop, eager_start=True)

else:

    def start(coroutine: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
        """Start a task; it may have ended when this returns. It begins later only while the loop does not run.

        Or while another task does: asyncio of 3.11 lets no step begin inside of another task's.
        """
        # As loop.is_running() and current_task(loop), which are functions in Python.
        if asyncio._get_running_loop() is not loop or loop in asyncio.tasks._current_tasks:  # type: ignore[attr-defined]  # noqa: SLF001
            return asyncio.Task(coroutine, loop=loop)
        ready: Any = loop._ready  # type: ignore[attr-defined]  # noqa: SLF001  # asyncio's, in every release of 3.11
        task = asyncio.Task(coroutine, loop=loop)
        step = ready.pop()
        if getattr(step._callback, "__self__", None) is task:  # noqa: SLF001
            step._run()  # noqa: SLF001
        else:
            ready.append(step)  # another thread has called call_soon_threadsafe meanwhile
        return task
