"""An application of Django Channels on the bus, and the specification of channel layers as questions of HTTP."""

import asyncio
import os
import traceback

import django
from channels.exceptions import ChannelFull
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.layers import get_channel_layer
from channels.routing import ProtocolTypeRouter
from django.conf import settings

settings.configure(
    CHANNEL_LAYERS={
        "default": {"BACKEND": "corepool.contrib.channels.BusChannelLayer", "CONFIG": {"capacity": 2000}},
        "small": {
            "BACKEND": "corepool.contrib.channels.BusChannelLayer",
            "CONFIG": {"prefix": "small", "capacity": 3, "channel_capacity": {"wide.*": 5}},
        },
        "quick": {
            "BACKEND": "corepool.contrib.channels.BusChannelLayer",
            "CONFIG": {"prefix": "quick", "capacity": 3, "expiry": 0.1, "group_expiry": 0.1},
        },
    },
)
django.setup()


class Member(AsyncJsonWebsocketConsumer):
    """Is in a room, and does with the layer as its client says."""

    async def connect(self):
        await self.channel_layer.group_add("room", self.channel_name)
        await self.accept()
        await self.send_json([os.getpid(), self.channel_name])

    async def disconnect(self, code):
        await self.channel_layer.group_discard("room", self.channel_name)

    async def receive_json(self, content):
        command, *rest = content
        await getattr(self, "do_" + command)(*rest)

    async def do_say(self, text):
        await self.channel_layer.group_send("room", {"type": "room.said", "text": text, "raw": text.encode()})

    async def do_tell(self, channel, text):
        await self.channel_layer.send(channel, {"type": "room.said", "text": text, "raw": b"\0\xff"})

    async def do_put(self, channel, text):
        await self.channel_layer.send(channel, {"type": "put", "text": text})
        await self.send_json("put")

    async def do_get(self, channel):
        await self.send_json((await self.channel_layer.receive(channel))["text"])

    async def do_add(self, group, channel):
        await self.channel_layer.group_add(group, channel)
        await self.send_json("added")

    async def do_discard(self, group, channel):
        await self.channel_layer.group_discard(group, channel)
        await self.send_json("discarded")

    async def do_send_to(self, group, text):
        await self.channel_layer.group_send(group, {"type": "room.said", "text": text, "raw": b""})

    async def room_said(self, event):
        assert isinstance(event["raw"], bytes)
        await self.send_json(event["text"])


async def is_silent(layer, channel):
    try:
        async with asyncio.timeout(0.2):
            await layer.receive(channel)
    except TimeoutError:
        return True
    return False


async def normal_channel(layer, small, quick):
    await layer.send("test-channel", {"type": "test", "text": "ahoy", "list": [1, 2.5, None, True], "b": b"\0\xff"})
    assert await layer.receive("test-channel") == {
        "type": "test",
        "text": "ahoy",
        "list": [1, 2.5, None, True],
        "b": b"\0\xff",
    }


async def own_channel(layer, small, quick):
    one, other = await layer.new_channel(), await layer.new_channel("some.prefix")
    assert one != other
    assert layer.require_valid_channel_name(one)
    assert other.startswith("some.prefix.")
    await layer.send(one, {"type": "test", "for": "one"})
    await layer.send(other, {"type": "test", "for": "other"})
    assert (await layer.receive(other))["for"] == "other"
    assert (await layer.receive(one))["for"] == "one"


async def order(layer, small, quick):
    for channel in ("test-order", await layer.new_channel()):
        for number in range(5):
            await layer.send(channel, {"type": "test", "number": number})
        assert [(await layer.receive(channel))["number"] for _ in range(5)] == [0, 1, 2, 3, 4]


async def order_of_both_ways(layer, small, quick):
    channel = await layer.new_channel()
    await layer.group_add("test-both", channel)
    for number in range(0, 10, 2):
        await layer.send(channel, {"type": "test", "number": number})
        await layer.group_send("test-both", {"type": "test", "number": number + 1})
    assert [(await layer.receive(channel))["number"] for _ in range(10)] == [*range(10)]


async def capacity(layer, small, quick):
    for channel, room in (("test-full", 3), (await small.new_channel(), 3), ("wide.channel", 5)):
        for _ in range(room):
            await small.send(channel, {"type": "test"})
        try:
            await small.send(channel, {"type": "test"})
        except ChannelFull:
            pass
        else:
            raise AssertionError(f"{channel} is not full")
        await small.receive(channel)
        await small.send(channel, {"type": "test"})


async def groups(layer, small, quick):
    channels = [await layer.new_channel() for _ in range(2)] + ["test-one", "test-two"]
    for channel in channels:
        await layer.group_add("test-group", channel)
    await layer.group_discard("test-group", channels[1])
    await layer.group_discard("test-group", channels[3])
    await layer.group_discard("test-group", "was-never-in-it")
    await layer.group_send("test-group", {"type": "test"})
    await layer.group_send("no-such-group", {"type": "test"})
    assert (await layer.receive(channels[0]))["type"] == (await layer.receive(channels[2]))["type"] == "test"
    assert await is_silent(layer, channels[1])
    assert await is_silent(layer, channels[3])


async def full_group(layer, small, quick):
    full, other = await small.new_channel(), await small.new_channel()
    await small.group_add("test-group", full)
    for _ in range(5):
        await small.group_send("test-group", {"type": "early"})
    await small.group_add("test-group", other)
    await small.group_send("test-group", {"type": "late"})
    assert (await small.receive(other))["type"] == "late"
    assert [(await small.receive(full))["type"] for _ in range(3)] == ["early"] * 3
    assert await is_silent(small, full)


async def expiry(layer, small, quick):
    for channel in ("test-late", await quick.new_channel()):
        await quick.send(channel, {"type": "old"})
        await asyncio.sleep(0.15)
        assert await is_silent(quick, channel)
        for _ in range(3):
            await quick.send(channel, {"type": "old"})
        await asyncio.sleep(0.15)
        await quick.send(channel, {"type": "new"})  # there is room again
        assert (await quick.receive(channel))["type"] == "new"
    assert not quick._queues._queues, "nothing is kept of channels without messages"


async def expiry_ends_membership(layer, small, quick):
    channel = await layer.new_channel()
    quick._group_expiry, before = 60, quick._group_expiry
    await quick.group_add("test-group", unread := await quick.new_channel())
    await quick.group_send("test-group", {"type": "old"})
    async with asyncio.timeout(30):
        while "test-group" in quick._groups:
            await asyncio.sleep(0.01)
    quick._group_expiry = before
    await quick.group_add("test-group", unread)
    await asyncio.sleep(0.15)
    await quick.group_send("test-group", {"type": "late"})
    assert await is_silent(quick, unread), "it has left by itself"


async def cancelled(layer, small, quick):
    for channel in ("test-cancelled", await layer.new_channel()):
        for _ in range(20):
            waiting = asyncio.create_task(layer.receive(channel))
            await asyncio.sleep(0)
            await layer.send(channel, {"type": "test"})
            waiting.cancel()
            try:
                message = await waiting
            except asyncio.CancelledError:
                message = await layer.receive(channel)
            assert message["type"] == "test"


async def flush(layer, small, quick):
    channel = await small.new_channel()
    await small.group_add("test-group", channel)
    await small.send(channel, {"type": "test"})
    await small.send("test-flushed", {"type": "test"})
    await small.flush()
    await small.group_send("test-group", {"type": "test"})
    assert await is_silent(small, "test-flushed")
    assert await is_silent(small, channel)


async def mistakes(layer, small, quick):
    for call in (
        lambda: layer.send("no blanks", {"type": "test"}),
        lambda: layer.group_add("no!marks", "channel"),
        lambda: layer.group_send("x" * 100, {"type": "test"}),
        lambda: layer.receive(b"bytes"),
        lambda: layer.send("channel", {"type": object()}),
    ):
        try:
            await call()
        except TypeError:
            continue
        raise AssertionError("it was taken")


async def copies(layer, small, quick):
    message = {"type": "test", "list": []}
    channels = [await layer.new_channel() for _ in range(2)]
    for channel in channels:
        await layer.group_add("test-copies", channel)
    await layer.group_send("test-copies", message)
    message["list"].append("later")
    first = await layer.receive(channels[0])
    first["list"].append("mine")
    assert (await layer.receive(channels[1]))["list"] == []


async def threads(layer, small, quick):
    """As of a view that is not asynchronous."""
    channel = await layer.new_channel()
    await layer.group_add("test-threads", channel)

    def view():
        asyncio.run(layer.send(channel, {"type": "one"}))
        asyncio.run(layer.group_send("test-threads", {"type": "two"}))
        asyncio.run(layer.send("test-thread", {"type": "three"}))

    await asyncio.to_thread(view)
    assert {(await layer.receive(channel))["type"] for _ in range(2)} == {"one", "two"}
    assert (await layer.receive("test-thread"))["type"] == "three"


async def questions(scope, receive, send):
    """Answer GET /NAME: run the function of that name."""
    try:
        await globals()[scope["path"].strip("/")](*map(get_channel_layer, ("default", "small", "quick")))
        answer = "ok"
    except BaseException:
        answer = traceback.format_exc()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": answer.encode()})


app = ProtocolTypeRouter({"websocket": Member.as_asgi(), "http": questions})
