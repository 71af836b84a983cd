"""The drain goes on whatever happens in it: a worker that does not leave is killed, with everything it has."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, cast

from corepool.hot.asyncio_selector import ReactorSelector
from corepool.hot.reactor import Reactor
from corepool.worker.drain import Drain

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest


class Broken:
    """A mover that can move nothing."""

    calls = 0

    def move(self, connections: Iterable[Any]) -> tuple[int, bool]:  # noqa: ARG002
        self.calls += 1
        raise RuntimeError("as asked")


def test_an_unexpected_error_keeps_no_worker_from_leaving(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.SelectorEventLoop(ReactorSelector(reactor := Reactor()))
    mover = Broken()
    drain = Drain(reactor, [], [], cast("Any", mover), loop, loop.stop)
    loop.call_soon(lambda: drain.begin(10, moves=True))
    loop.run_forever()  # it ends, or the test's deadline passes
    loop.close()

    assert mover.calls == 1, "and nothing is moved after that"
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
