import asyncio
import gc

from starlette.applications import Starlette
from starlette.endpoints import WebSocketEndpoint
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute


def note(*words):
    print(*words, "|", flush=True)


async def endless(request):
    async def pieces():
        try:
            while True:
                yield b"x" * 1000
        finally:
            note("ended", request.url.path)

    return StreamingResponse(pieces())


async def silent(request):
    async def pieces():
        try:
            for _ in range(3):
                yield b"event"
            await asyncio.Event().wait()
        finally:
            note("ended", request.url.path)

    return StreamingResponse(pieces())


def endless_in_thread(request):
    def pieces():
        try:
            while True:
                yield b"x" * 1000
        finally:
            note("ended", request.url.path)

    return StreamingResponse(pieces())


async def collect(request):
    gc.collect()
    return PlainTextResponse("collected")


async def polls(request):
    note("begun", request.url.path)
    while not await request.is_disconnected():
        await asyncio.sleep(0)
    note("ended", request.url.path)
    return PlainTextResponse("nobody reads this")


async def upload(request):
    note("begun", request.url.path)
    try:
        return PlainTextResponse(str(len(await request.body())))
    finally:
        note("ended", request.url.path)


class Endpoint(WebSocketEndpoint):
    encoding = "text"

    async def on_receive(self, websocket, data):
        await websocket.send_text(data)

    async def on_disconnect(self, websocket, close_code):
        note("ended", websocket.url.path)


async def echo(websocket):
    await websocket.accept()
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    finally:
        note("ended", websocket.url.path)


async def pushes(websocket):
    await websocket.accept()
    try:
        while True:
            await websocket.send_text("x" * 100)
    finally:
        note("ended", websocket.url.path)


class Adding(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        response = await call_next(request)
        response.headers["x-added"] = "yes"
        return response


framework = Starlette(
    routes=[
        Route("/endless", endless),
        Route("/endless-in-thread", endless_in_thread),
        Route("/polls", polls),
        Route("/upload", upload, methods=["POST"]),
        Route("/silent", silent),
        Route("/collect", collect),
        WebSocketRoute("/endpoint", Endpoint),
        WebSocketRoute("/echo", echo),
        WebSocketRoute("/pushes", pushes),
    ]
)
wrapped = Starlette(routes=framework.routes, middleware=[Middleware(Adding), Middleware(Adding)])
START = {"type": "http.response.start", "status": 200, "headers": []}


async def produces(send):
    await send(START)
    try:
        while True:
            await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})
    except OSError:
        note("the producer had to learn it by itself")


async def app(scope, receive, send):
    if scope["type"] == "lifespan" or not scope["path"].startswith("/plain/"):
        await (wrapped if scope.get("query_string") else framework)(scope, receive, send)
        return
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": scope["asgi"]["spec_version"]})
        return
    await receive()
    note("begun", scope["path"])
    if scope["path"] == "/plain/listens":
        producer = asyncio.ensure_future(produces(send))
        await receive()
        producer.cancel()
        note("ended", scope["path"])
        return
    message = await receive()
    note("told", scope["path"], message["type"])
    name = scope["path"].removeprefix("/plain/")
    if name == "late":  # it may be read still
        await send(START)
        await send({"type": "http.response.body", "body": b"late"})
    if name == "fails":
        raise ValueError("the application's own")
    if name == "ends":  # as one that is told does, in as many messages as a response may take
        await send(START)
        for _ in range(20):
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await send({"type": "http.response.body"})
        note("ended", scope["path"])
    if name in ("endless", "deaf"):
        await send(START)
        errors = 0
        while errors < 1000:
            try:
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
            except OSError as error:
                if name == "endless":
                    note("ended", scope["path"], error)
                    raise
                errors += 1
        note("ended", scope["path"])
