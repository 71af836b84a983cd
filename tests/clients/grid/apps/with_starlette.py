"""Starlette."""

import asyncio
import contextlib
import hashlib
import itertools

from gates import LARGE, LIMIT, is_open, mark, passed, pause
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocketDisconnect


async def hello(request):
    return PlainTextResponse(f"hello {request.query_params['name']}")


async def where(request):
    return JSONResponse({"url": str(request.url), "client": request.client.host})


async def item(request):
    return JSONResponse({"id": request.path_params["id"]})


async def name(request):
    return PlainTextResponse(request.path_params["name"])


async def method(request):
    return PlainTextResponse(request.method)


async def query(request):
    return JSONResponse(request.query_params.multi_items())


async def headers(request):
    return JSONResponse({name: request.headers.getlist(name) for name in request.headers})


async def cookies(request):
    return JSONResponse(request.cookies)


async def set_cookies(request):
    response = PlainTextResponse("set")
    response.set_cookie("first", "1", httponly=True)
    response.set_cookie("second", "2", max_age=60)
    return response


async def delete_cookie(request):
    response = PlainTextResponse("deleted")
    response.delete_cookie("first")
    return response


async def session(request):
    if "set" in request.query_params:
        request.session["value"] = request.query_params["set"]
    return PlainTextResponse(request.session.get("value", ""))


async def redirect(request):
    return RedirectResponse(request.url_for("hello").include_query_params(name="x"))


async def json_echo(request):
    try:
        return JSONResponse(await request.json())
    except ValueError:
        raise HTTPException(400) from None


async def form(request):
    async with request.form() as fields:
        return JSONResponse(dict(fields))


async def upload(request):
    async with request.form() as fields:
        file = fields["file"]
        data = await file.read()
        return JSONResponse({"name": file.filename, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()})


async def whole(request):
    data = await request.body()
    return JSONResponse({"size": len(data), "sha256": hashlib.sha256(data).hexdigest()})


async def pieces(request):
    size, digest = 0, hashlib.sha256()
    async for piece in request.stream():
        size += len(piece)
        digest.update(piece)
    return JSONResponse({"size": size, "sha256": digest.hexdigest()})


async def limited(request):
    async with request.form(max_part_size=LIMIT) as fields:
        return JSONResponse({key: len(value) for key, value in fields.items()})


async def unread(request):
    return PlainTextResponse("not read")


async def stream(request):
    async def chunks():
        for number in range(3):
            yield f"{number}\n"
            await passed(f"{request.query_params['gate']}.{number}")

    return StreamingResponse(chunks())


async def lines(request):
    return StreamingResponse((f"{number}\n" for number in range(1000)), media_type="text/plain")


async def events(request):
    async def numbered():
        try:
            for number in itertools.count():
                yield f"data: {number}\n\n"
                await pause(number, "silent" in request.query_params)
        finally:
            mark(f"{request.query_params['gate']}.closed")

    return StreamingResponse(numbered(), media_type="text/event-stream")


async def large(request):
    return Response(LARGE, media_type="application/octet-stream")


async def download(request):
    return FileResponse("static/data.txt", filename="résumé.txt")


async def compressible(request):
    return PlainTextResponse("compressible " * 1000)


class Handled(Exception):
    pass


async def on_handled(request, error):
    return JSONResponse({"error": "handled"}, status_code=418)


async def handled(request):
    raise Handled


async def unhandled(request):
    raise RuntimeError("unhandled")


async def breaks(request):
    async def chunks():
        yield "partial"
        raise RuntimeError("half way")

    return StreamingResponse(chunks())


async def background(request):
    gate = request.query_params["gate"]

    async def later():
        await passed(f"{gate}.go")
        mark(f"{gate}.done")

    return PlainTextResponse("accepted", background=BackgroundTask(later))


async def poll(request):
    gate = request.query_params["gate"]
    mark(f"{gate}.waits")
    while not is_open(f"{gate}.go"):
        if await request.is_disconnected():
            mark(f"{gate}.left")
            break
        await asyncio.sleep(0.01)
    return PlainTextResponse("woken")


async def state(request):
    return PlainTextResponse(request.state.shared)


async def empty(request):
    return Response(status_code=204)


async def ws_echo(socket):
    await socket.accept()
    try:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message["code"], message.get("reason"))
            if message.get("text") is not None:
                await socket.send_text(message["text"])
            else:
                await socket.send_bytes(message["bytes"])
    except WebSocketDisconnect as end:
        if "gate" in socket.query_params:
            mark(f"{socket.query_params['gate']}.left", end.code)


async def ws_about(socket):
    await socket.accept()
    await socket.send_json(
        {
            "thing": socket.headers["x-thing"],
            "cookies": socket.cookies,
            "query": socket.query_params["q"],
            "name": socket.path_params["name"],
        }
    )
    await socket.close()


async def ws_protocol(socket):
    wanted = [each for each in socket.scope["subprotocols"] if each == "chat.v2"]
    await socket.accept(subprotocol=wanted[0] if wanted else None)
    await socket.send_text("accepted")
    await socket.close()


async def ws_close(socket):
    await socket.accept()
    await socket.close(socket.path_params["code"], "as asked")


async def ws_reject(socket):
    await socket.close()


async def ws_deny(socket):
    await socket.send_denial_response(JSONResponse({"error": "denied"}, status_code=401))


async def ws_raise(socket):
    await socket.accept()
    raise RuntimeError("unhandled in a WebSocket")


async def ws_many(socket):
    await socket.accept()
    for number in range(1000):
        await socket.send_text(str(number))
    await socket.close()


@contextlib.asynccontextmanager
async def lifespan(app):
    yield {"shared": "from startup"}
    mark("shut-down")


class Order:
    """A middleware that adds its name to a header of the response."""

    def __init__(self, app, name):
        self.app = app
        self.name = name

    async def __call__(self, scope, receive, send):
        async def send_with_name(message):
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-order", self.name)]
            await send(message)

        await self.app(scope, receive, send_with_name if scope["type"] == "http" else send)


app = Starlette(
    routes=[
        Route("/hello", hello),
        Route("/where", where),
        Route("/items/{id:int}", item),
        Route("/names/{name}", name),
        Route("/method", method, methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
        Route("/query", query),
        Route("/headers", headers),
        Route("/cookies", cookies),
        Route("/set-cookies", set_cookies),
        Route("/delete-cookie", delete_cookie),
        Route("/session", session),
        Route("/redirect", redirect),
        Route("/json", json_echo, methods=["POST"]),
        Route("/form", form, methods=["POST"]),
        Route("/upload", upload, methods=["POST"]),
        Route("/whole", whole, methods=["POST"]),
        Route("/pieces", pieces, methods=["POST"]),
        Route("/limited", limited, methods=["POST"]),
        Route("/unread", unread, methods=["POST"]),
        Route("/stream", stream),
        Route("/lines", lines),
        Route("/events", events),
        Route("/large", large),
        Route("/download", download),
        Route("/compressible", compressible),
        Route("/handled", handled),
        Route("/unhandled", unhandled),
        Route("/breaks", breaks),
        Route("/background", background),
        Route("/poll", poll),
        Route("/state", state),
        Route("/empty", empty),
        Mount("/sub", routes=[Route("/where", where), WebSocketRoute("/ws", ws_echo)]),
        Mount("/static", StaticFiles(directory="static")),
        WebSocketRoute("/ws/echo", ws_echo),
        WebSocketRoute("/ws/about/{name}", ws_about),
        WebSocketRoute("/ws/protocol", ws_protocol),
        WebSocketRoute("/ws/close/{code:int}", ws_close),
        WebSocketRoute("/ws/reject", ws_reject),
        WebSocketRoute("/ws/deny", ws_deny),
        WebSocketRoute("/ws/raise", ws_raise),
        WebSocketRoute("/ws/many", ws_many),
    ],
    middleware=[
        Middleware(Order, name=b"outer"),
        Middleware(Order, name=b"inner"),
        Middleware(GZipMiddleware, minimum_size=1000),
        Middleware(SessionMiddleware, secret_key="no secret"),
    ],
    exception_handlers={Handled: on_handled},
    lifespan=lifespan,
)
