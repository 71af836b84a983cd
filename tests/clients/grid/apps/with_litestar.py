"""Litestar."""

import asyncio
import contextlib
import hashlib
import itertools
from typing import Annotated, Any

from gates import LARGE, is_open, mark, passed, pause
from litestar import HttpMethod, Litestar, MediaType, Request, Response, Router, WebSocket, get, post, route, websocket
from litestar.background_tasks import BackgroundTask
from litestar.config.compression import CompressionConfig
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.exceptions import WebSocketDisconnect
from litestar.logging import LoggingConfig
from litestar.middleware.session.server_side import ServerSideSessionConfig
from litestar.params import Body
from litestar.response import File, Redirect, ServerSentEvent, Stream
from litestar.static_files import create_static_files_router
from litestar.types import ASGIApp, Receive, Scope, Send


@get("/hello", media_type=MediaType.TEXT, name="hello")
async def hello(name: str) -> str:
    return f"hello {name}"


@get("/where")
async def where(request: Request) -> dict[str, str]:
    return {"url": str(request.url), "client": request.client.host}


@get("/items/{id:int}")
async def item(id: int) -> dict[str, int]:  # noqa: A002
    return {"id": id}


@get("/names/{name:str}", media_type=MediaType.TEXT)
async def name(name: str) -> str:
    return name


@route(
    "/method",
    http_method=[HttpMethod.GET, HttpMethod.HEAD, HttpMethod.POST, HttpMethod.PUT, HttpMethod.PATCH, HttpMethod.DELETE],
    media_type=MediaType.TEXT,
    status_code=200,
)
async def method(request: Request) -> str:
    return request.method


@get("/query")
async def query(request: Request) -> list[list[str]]:
    return [[key, value] for key, value in request.query_params.multi_items()]


@get("/headers")
async def headers(request: Request) -> dict[str, list[str]]:
    return {name: request.headers.getall(name) for name in request.headers}


@get("/cookies")
async def cookies(request: Request) -> dict[str, str]:
    return request.cookies


@get("/set-cookies", media_type=MediaType.TEXT)
async def set_cookies() -> Response[str]:
    response = Response("set")
    response.set_cookie("first", "1", httponly=True)
    response.set_cookie("second", "2", max_age=60)
    return response


@get("/delete-cookie", media_type=MediaType.TEXT)
async def delete_cookie() -> Response[str]:
    response = Response("deleted")
    response.delete_cookie("first")
    return response


@get("/session", media_type=MediaType.TEXT)
async def session(request: Request) -> str:
    if "set" in request.query_params:
        request.session["value"] = request.query_params["set"]
    return request.session.get("value", "")


@get("/redirect")
async def redirect(request: Request) -> Redirect:
    return Redirect(request.url_for("hello"), query_params={"name": "x"})


@post("/json", status_code=200)
async def json_echo(data: Any) -> Any:
    return data


@post("/form", status_code=200)
async def form(request: Request) -> dict[str, str]:
    return dict(await request.form())


@post("/upload", status_code=200)
async def upload(
    data: Annotated[dict[str, UploadFile], Body(media_type=RequestEncodingType.MULTI_PART)],
) -> dict[str, Any]:
    file = data["file"]
    content = await file.read()
    return {"name": file.filename, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


@post("/whole", status_code=200)
async def whole(request: Request) -> dict[str, Any]:
    data = await request.body()
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@post("/pieces", status_code=200)
async def pieces(request: Request) -> dict[str, Any]:
    size, digest = 0, hashlib.sha256()
    async for piece in request.stream():
        size += len(piece)
        digest.update(piece)
    return {"size": size, "sha256": digest.hexdigest()}


@post("/limited", status_code=200, request_max_body_size=100_000)
async def limited(request: Request) -> dict[str, int]:
    return {key: len(value) for key, value in (await request.form()).items()}


@post("/unread", status_code=200, media_type=MediaType.TEXT)
async def unread() -> str:
    return "not read"


@get("/stream")
async def stream(gate: str) -> Stream:
    async def chunks():
        for number in range(3):
            yield f"{number}\n"
            await passed(f"{gate}.{number}")

    return Stream(chunks())


@get("/lines")
async def lines() -> Stream:
    return Stream((f"{number}\n" for number in range(1000)), media_type="text/plain")


@get("/events")
async def events(gate: str, silent: bool = False) -> ServerSentEvent:  # noqa: FBT001, FBT002
    async def numbered():
        try:
            for number in itertools.count():
                yield str(number)
                await pause(number, silent)
        finally:
            mark(f"{gate}.closed")

    return ServerSentEvent(numbered())


@route("/large", http_method=[HttpMethod.GET, HttpMethod.HEAD], media_type="application/octet-stream")
async def large() -> bytes:
    return LARGE


@get("/download")
async def download() -> File:
    return File("static/data.txt", filename="résumé.txt")


@get("/compressible", media_type=MediaType.TEXT)
async def compressible() -> str:
    return "compressible " * 1000


class Handled(Exception):
    pass


def on_handled(request: Request, error: Handled) -> Response[dict[str, str]]:
    return Response({"error": "handled"}, status_code=418)


@get("/handled")
async def handled() -> None:
    raise Handled


@get("/unhandled")
async def unhandled() -> None:
    raise RuntimeError("unhandled")


@get("/breaks")
async def breaks() -> Stream:
    async def chunks():
        yield "partial"
        raise RuntimeError("half way")

    return Stream(chunks())


@get("/background", media_type=MediaType.TEXT)
async def background(gate: str) -> Response[str]:
    async def later():
        await passed(f"{gate}.go")
        mark(f"{gate}.done")

    return Response("accepted", background=BackgroundTask(later))


@get("/poll", media_type=MediaType.TEXT)
async def poll(request: Request, gate: str) -> str:
    mark(f"{gate}.waits")

    async def disconnected():
        while (await request.receive())["type"] != "http.disconnect":
            pass

    left = asyncio.ensure_future(disconnected())
    while not is_open(f"{gate}.go"):
        if left.done():
            mark(f"{gate}.left")
            break
        await asyncio.sleep(0.01)
    left.cancel()
    return "woken"


@get("/state", media_type=MediaType.TEXT)
async def state(request: Request) -> str:
    return request.app.state.shared


@get("/empty", status_code=204)
async def empty() -> None:
    return None


@websocket(["/ws/echo", "/sub/ws"])
async def ws_echo(socket: WebSocket) -> None:
    await socket.accept()
    try:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(code=message["code"], detail="")
            if message.get("text") is not None:
                await socket.send_text(message["text"])
            else:
                await socket.send_bytes(message["bytes"])
    except WebSocketDisconnect as end:
        if "gate" in socket.query_params:
            mark(f"{socket.query_params['gate']}.left", end.code)


@websocket("/ws/about/{name:str}")
async def ws_about(socket: WebSocket, name: str, q: str) -> None:
    await socket.accept()
    await socket.send_json({"thing": socket.headers["x-thing"], "cookies": socket.cookies, "query": q, "name": name})
    await socket.close()


@websocket("/ws/protocol")
async def ws_protocol(socket: WebSocket) -> None:
    await socket.accept(subprotocols="chat.v2" if "chat.v2" in socket.scope["subprotocols"] else None)
    await socket.send_text("accepted")
    await socket.close()


@websocket("/ws/close/{code:int}")
async def ws_close(socket: WebSocket, code: int) -> None:
    await socket.accept()
    await socket.close(code, "as asked")


@websocket("/ws/reject")
async def ws_reject(socket: WebSocket) -> None:
    await socket.close()


@websocket("/ws/raise")
async def ws_raise(socket: WebSocket) -> None:
    await socket.accept()
    raise RuntimeError("unhandled in a WebSocket")


@websocket("/ws/many")
async def ws_many(socket: WebSocket) -> None:
    await socket.accept()
    for number in range(1000):
        await socket.send_text(str(number))
    await socket.close()


@contextlib.asynccontextmanager
async def lifespan(app):
    app.state.shared = "from startup"
    yield
    mark("shut-down")


def order(name: bytes):
    def middleware(app: ASGIApp) -> ASGIApp:
        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            async def send_with_name(message):
                if message["type"] == "http.response.start":
                    message["headers"] = [*message["headers"], (b"x-order", name)]
                await send(message)

            await app(scope, receive, send_with_name if scope["type"] == "http" else send)

        return call

    return middleware


sessions = ServerSideSessionConfig()

app = Litestar(
    route_handlers=[
        hello, where, item, name, method, query, headers, cookies, set_cookies, delete_cookie, session, redirect,
        json_echo, form, upload, whole, pieces, limited, unread, stream, lines, events, large, download, compressible,
        handled, unhandled, breaks, background, poll, state, empty,
        ws_echo, ws_about, ws_protocol, ws_close, ws_reject, ws_raise, ws_many,
        Router("/sub", route_handlers=[where]),
        create_static_files_router(path="/static", directories=["static"]),
    ],
    middleware=[order(b"outer"), order(b"inner"), sessions.middleware],
    compression_config=CompressionConfig(backend="gzip", minimum_size=1000),
    exception_handlers={Handled: on_handled},
    lifespan=[lifespan],
    logging_config=LoggingConfig(log_exceptions="always"),
)  # fmt: skip
