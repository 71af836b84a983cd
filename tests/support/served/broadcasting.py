"""Each text that a WebSocket sends goes to those of all workers."""

import asyncio

import corepool


async def app(scope, receive, send):
    if scope["type"] != "websocket":
        return
    await receive()
    bus = corepool.current_bus()
    async with bus.subscribe("broadcast") as messages:

        async def take():
            while (event := await receive())["type"] == "websocket.receive":
                bus.publish("broadcast", event["text"])
            messages.close()

        await send({"type": "websocket.accept"})
        taking = asyncio.create_task(take())
        async for message in messages:
            await send({"type": "websocket.send", "text": message.data.decode()})
        await taking
