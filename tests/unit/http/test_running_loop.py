"""The running loop is hidden from an application and shown again, in Python and in machine code alike."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from corepool_http.apps import running_loop

if TYPE_CHECKING:
    from collections.abc import Callable

    Hide = Callable[[], asyncio.AbstractEventLoop | None]
    Show = Callable[[asyncio.AbstractEventLoop | None], None]

PAIRS = [
    pytest.param(running_loop.hide, running_loop.show, id="as built"),
    pytest.param(running_loop.hide_in_python, running_loop.show_in_python, id="in Python"),
]


async def answer() -> int:
    await asyncio.sleep(0)
    return 42


@pytest.mark.parametrize(("hide", "show"), PAIRS)
def test_another_loop_may_run_while_it_is_hidden(hide: Hide, show: Show) -> None:
    async def serve() -> list[object]:
        loop = asyncio.get_running_loop()
        seen: list[object] = []
        for _ in range(3):
            hidden = hide()
            try:
                with pytest.raises(RuntimeError, match="no running event loop"):
                    asyncio.get_running_loop()
                seen.append(asyncio.run(answer()))
            finally:
                show(hidden)
            seen.append(asyncio.get_running_loop() is loop)
        await asyncio.sleep(0)
        return seen

    assert asyncio.run(serve()) == [42, True] * 3


@pytest.mark.parametrize(("hide", "show"), PAIRS)
def test_without_a_loop_there_is_none_afterwards(hide: Hide, show: Show) -> None:
    def serve() -> None:
        show(hide())
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        seen.append(asyncio.run(answer()))

    seen: list[int] = []
    serve()
    thread = threading.Thread(target=serve)  # asyncio has never run in it
    thread.start()
    thread.join()
    assert seen == [42, 42]
