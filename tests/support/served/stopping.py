import asyncio
import os


def note(*words):
    print(*words, flush=True)


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if os.environ.get("TEST_HANGS"):
            try:
                await asyncio.sleep(3600)
            finally:
                note("lifespan cancelled")
        note("lifespan shut down")
        await send({"type": "lifespan.shutdown.complete"})
        return
    path = scope["path"]
    note("begun", path)
    if path == "/poll":
        await receive()
        note("told", (await receive())["type"])
        await asyncio.sleep(0)
        note("cleaned up")
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"served"})
    if path == "/background":
        for _ in range(50):
            await asyncio.sleep(0.01)
        note("background done")
    while path == "/refuses":
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            note("refused")
    while path == "/spins":
        try:
            await receive()
        except BaseException:
            pass
