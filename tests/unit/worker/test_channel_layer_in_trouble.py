"""The channel layer in a worker whose bus has dropped messages: no consumer waits for ever, no channel stays full."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

import pytest
from played_bus import PlayedMaster, PlayedWorker

pytest.importorskip("channels")

from channels.exceptions import ChannelFull

from corepool.contrib import channels
from corepool.contrib.channels import BusChannelLayer
from corepool.testing.waiting import wait_until
from corepool.worker import bus_kept

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


def test_consumers_go_on_when_the_bus_has_dropped_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    master = PlayedMaster()
    worker = PlayedWorker(master, 100_000)
    monkeypatch.setattr(channels, "current_bus", lambda: worker.bus)
    monkeypatch.setattr(bus_kept, "MAX_BYTES", 5000)
    layer = BusChannelLayer(capacity=5)

    async def add() -> str:
        channel = await layer.new_channel()
        await layer.group_add("group", channel)
        return channel

    async def flood() -> None:
        for _ in range(10):
            await layer.group_send("group", {"type": "many", "text": "x" * 1000})

    async def add_amid_floods() -> list[str]:
        first = await add()
        return [first, *await asyncio.gather(*(job() for _ in range(20) for job in (add, flood)))][:2]

    async def fill(channel: str) -> None:
        await layer.flush()
        for _ in range(5):
            await layer.send(channel, {"type": "much", "text": "x" * 2000})  # more than the bus keeps
        with pytest.raises(ChannelFull):
            await layer.send(channel, {"type": "one more"})

    async def receive_all(channel: str) -> None:
        for _ in range(5):
            await layer.send(channel, {"type": "small"})
            while (await layer.receive(channel))["type"] != "small":
                pass

    def run(call: Coroutine[object, object, T]) -> T:
        task = worker.loop.create_task(call)

        def turn() -> bool:
            master.turn()
            worker.turn()
            return task.done()

        wait_until(turn)
        return task.result()

    channel = run(add_amid_floods())[0]
    run(fill(channel))
    for _ in range(3):
        worker.turn()
    run(receive_all(channel))
    worker.kill()
    master.close()
