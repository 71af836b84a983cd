"""FastAPI."""

import asyncio
import contextlib
import hashlib
import itertools
from typing import Annotated, Any

from fastapi import (
    BackgroundTasks,
    Body,
    Cookie,
    FastAPI,
    HTTPException,
    Request,
    UploadFile,
    WebSocket,
    WebSocketDisconnect,
)
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from fastapi.routing import APIRouter
from fastapi.staticfiles import StaticFiles
from gates import LARGE, LIMIT, is_open, mark, passed, pause


@contextlib.asynccontextmanager
async def lifespan(app):
    yield {"shared": "from startup"}
    mark("shut-down")


app = FastAPI(lifespan=lifespan)
app.add_middleware(GZipMiddleware, minimum_size=1000)


@app.middleware("http")
async def inner(request: Request, call_next):
    response = await call_next(request)
    response.headers["X-Order"] = "inner"
    return response


@app.middleware("http")
async def outer(request: Request, call_next):
    response = await call_next(request)
    response.headers["X-Order"] += ",outer"
    return response


@app.get("/hello", response_class=PlainTextResponse)
def hello(name: str):
    return f"hello {name}"


async def where(request: Request):
    return {"url": str(request.url), "client": request.client.host}


app.get("/where")(where)


@app.get("/items/{id}")
async def item(id: int):  # noqa: A002
    return {"id": id}


@app.get("/names/{name}", response_class=PlainTextResponse)
async def name(name: str):
    return name


@app.api_route(
    "/method",
    methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
    response_class=PlainTextResponse,
    operation_id="method",
)
async def method(request: Request):
    return request.method


@app.get("/query")
async def query(request: Request):
    return request.query_params.multi_items()


@app.get("/headers")
async def headers(request: Request):
    return {name: request.headers.getlist(name) for name in request.headers}


@app.get("/cookies")
async def cookies(
    a: Annotated[str | None, Cookie()] = None,
    b: Annotated[str | None, Cookie()] = None,
    c: Annotated[str | None, Cookie()] = None,
):
    return {name: value for name, value in {"a": a, "b": b, "c": c}.items() if value is not None}


@app.get("/set-cookies", response_class=PlainTextResponse)
def set_cookies(response: Response):
    response.set_cookie("first", "1", httponly=True)
    response.set_cookie("second", "2", max_age=60)
    return "set"


@app.get("/delete-cookie", response_class=PlainTextResponse)
def delete_cookie(response: Response):
    response.delete_cookie("first")
    return "deleted"


@app.get("/redirect")
async def redirect(request: Request):
    return RedirectResponse(request.url_for("hello").include_query_params(name="x"))


@app.post("/json")
async def json_echo(value: Annotated[Any, Body()]):
    return value


@app.post("/form")
async def form(request: Request):
    async with request.form() as fields:
        return dict(fields)


@app.post("/upload")
async def upload(file: UploadFile):
    data = await file.read()
    return {"name": file.filename, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@app.post("/whole")
async def whole(request: Request):
    data = await request.body()
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@app.post("/pieces")
async def pieces(request: Request):
    size, digest = 0, hashlib.sha256()
    async for piece in request.stream():
        size += len(piece)
        digest.update(piece)
    return {"size": size, "sha256": digest.hexdigest()}


@app.post("/limited")
async def limited(request: Request):
    async with request.form(max_part_size=LIMIT) as fields:
        return {key: len(value) for key, value in fields.items()}


@app.post("/unread", response_class=PlainTextResponse)
async def unread():
    return "not read"


@app.get("/stream")
async def stream(gate: str):
    async def chunks():
        for number in range(3):
            yield f"{number}\n"
            await passed(f"{gate}.{number}")

    return StreamingResponse(chunks())


@app.get("/lines")
def lines():
    return StreamingResponse((f"{number}\n" for number in range(1000)), media_type="text/plain")


@app.get("/events")
async def events(gate: str, silent: bool = False):  # noqa: FBT001, FBT002
    async def numbered():
        try:
            for number in itertools.count():
                yield f"data: {number}\n\n"
                await pause(number, silent)
        finally:
            mark(f"{gate}.closed")

    return StreamingResponse(numbered(), media_type="text/event-stream")


@app.api_route("/large", methods=["GET", "HEAD"], operation_id="large")
async def large():
    return Response(LARGE, media_type="application/octet-stream")


@app.get("/download")
async def download():
    return FileResponse("static/data.txt", filename="résumé.txt")


@app.get("/compressible", response_class=PlainTextResponse)
async def compressible():
    return "compressible " * 1000


class Handled(Exception):
    pass


@app.exception_handler(Handled)
async def on_handled(request: Request, error: Handled):
    return JSONResponse({"error": "handled"}, status_code=418)


@app.get("/handled")
async def handled():
    raise Handled


@app.get("/unhandled")
def unhandled():
    raise RuntimeError("unhandled")


@app.get("/breaks")
async def breaks():
    async def chunks():
        yield "partial"
        raise RuntimeError("half way")

    return StreamingResponse(chunks())


@app.get("/background", response_class=PlainTextResponse)
async def background(gate: str, tasks: BackgroundTasks):
    async def later():
        await passed(f"{gate}.go")
        mark(f"{gate}.done")

    tasks.add_task(later)
    return "accepted"


@app.get("/poll", response_class=PlainTextResponse)
async def poll(request: Request, gate: str):
    mark(f"{gate}.waits")
    while not is_open(f"{gate}.go"):
        if await request.is_disconnected():
            mark(f"{gate}.left")
            raise HTTPException(499)
        await asyncio.sleep(0.01)
    return "woken"


@app.get("/state", response_class=PlainTextResponse)
async def state(request: Request):
    return request.state.shared


@app.get("/empty", status_code=204)
async def empty():
    return None


@app.websocket("/ws/echo")
async def ws_echo(socket: WebSocket, gate: str | None = None):
    await socket.accept()
    try:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message["code"])
            if message.get("text") is not None:
                await socket.send_text(message["text"])
            else:
                await socket.send_bytes(message["bytes"])
    except WebSocketDisconnect as end:
        if gate:
            mark(f"{gate}.left", end.code)


@app.websocket("/ws/about/{name}")
async def ws_about(socket: WebSocket, name: str, q: str):
    await socket.accept()
    await socket.send_json({"thing": socket.headers["x-thing"], "cookies": socket.cookies, "query": q, "name": name})
    await socket.close()


@app.websocket("/ws/protocol")
async def ws_protocol(socket: WebSocket):
    wanted = "chat.v2" if "chat.v2" in socket.scope["subprotocols"] else None
    await socket.accept(subprotocol=wanted)
    await socket.send_text("accepted")
    await socket.close()


@app.websocket("/ws/close/{code}")
async def ws_close(socket: WebSocket, code: int):
    await socket.accept()
    await socket.close(code, "as asked")


@app.websocket("/ws/reject")
async def ws_reject(socket: WebSocket):
    await socket.close()


@app.websocket("/ws/deny")
async def ws_deny(socket: WebSocket):
    raise HTTPException(401, "denied")


@app.websocket("/ws/raise")
async def ws_raise(socket: WebSocket):
    await socket.accept()
    raise RuntimeError("unhandled in a WebSocket")


@app.websocket("/ws/many")
async def ws_many(socket: WebSocket):
    await socket.accept()
    for number in range(1000):
        await socket.send_text(str(number))
    await socket.close()


router = APIRouter(prefix="/sub")
router.get("/where")(where)
router.websocket("/ws")(ws_echo)
app.include_router(router)
app.mount("/static", StaticFiles(directory="static"))
