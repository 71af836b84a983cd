"""Hides asyncio's running loop from an application that is called in it.

asyncio.run, async_to_sync and Django's ORM refuse to work under a running loop.
"""

from __future__ import annotations

from asyncio import _get_running_loop, _set_running_loop
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop


__all__ = ["hide", "hide_in_python", "show", "show_in_python"]


def hide_in_python() -> AbstractEventLoop | None:
    """Hide the running loop of this thread, and return it for `show`."""
    loop = _get_running_loop()
    _set_running_loop(None)
    return loop


show_in_python = _set_running_loop
"""Lets the loop run again as far as this thread can see."""


try:
    from corepool_http.apps._running_loop import hide, show
except ImportError:  # corepool was installed without a compiler
    hide, show = hide_in_python, show_in_python  # type: ignore[assignment]
