"""aiohttp's own server, hosted by the protocol `asyncio`."""

import asyncio
import contextlib
import hashlib
import itertools
import json

from aiohttp import WSMsgType, web
from gates import LARGE, LIMIT, is_open, mark, passed, pause

routes = web.RouteTableDef()
SHARED = web.AppKey("shared", str)


@web.middleware
async def outer(request, handler):
    response = await handler(request)
    if "X-Order" in response.headers:
        response.headers["X-Order"] += ",outer"
    return response


@web.middleware
async def inner(request, handler):
    response = await handler(request)
    if not response.prepared:
        response.headers["X-Order"] = "inner"
    return response


@web.middleware
async def errors(request, handler):
    try:
        return await handler(request)
    except Handled:
        return web.json_response({"error": "handled"}, status=418)


@routes.get("/hello", name="hello")
async def hello(request):
    return web.Response(text=f"hello {request.query['name']}")


@routes.get("/where")
async def where(request):
    return web.json_response({"url": str(request.url), "client": request.remote})


@routes.get(r"/items/{id:\d+}")
async def item(request):
    return web.json_response({"id": int(request.match_info["id"])})


@routes.get("/names/{name}")
async def name(request):
    return web.Response(text=request.match_info["name"])


@routes.route("*", "/method")
async def method(request):
    return web.Response(text=request.method)


@routes.get("/query")
async def query(request):
    return web.json_response(list(request.query.items()))


@routes.get("/headers")
async def headers(request):
    return web.json_response({name.lower(): request.headers.getall(name) for name in request.headers})


@routes.get("/cookies")
async def cookies(request):
    return web.json_response(dict(request.cookies))


@routes.get("/set-cookies")
async def set_cookies(request):
    response = web.Response(text="set")
    response.set_cookie("first", "1", httponly=True)
    response.set_cookie("second", "2", max_age=60)
    return response


@routes.get("/delete-cookie")
async def delete_cookie(request):
    response = web.Response(text="deleted")
    response.del_cookie("first")
    return response


@routes.get("/redirect")
async def redirect(request):
    raise web.HTTPFound(request.app.router["hello"].url_for().with_query(name="x"))


@routes.post("/json")
async def json_echo(request):
    try:
        return web.json_response(await request.json())
    except json.JSONDecodeError:
        raise web.HTTPBadRequest from None


@routes.post("/form")
async def form(request):
    return web.json_response(dict(await request.post()))


@routes.post("/upload")
async def upload(request):
    file = (await request.post())["file"]
    data = file.file.read()
    return web.json_response({"name": file.filename, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()})


@routes.post("/whole")
async def whole(request):
    data = await request.read()
    return web.json_response({"size": len(data), "sha256": hashlib.sha256(data).hexdigest()})


@routes.post("/pieces")
async def pieces(request):
    size, digest = 0, hashlib.sha256()
    async for piece in request.content.iter_any():
        size += len(piece)
        digest.update(piece)
    return web.json_response({"size": size, "sha256": digest.hexdigest()})


@routes.post("/limited")
async def limited(request):
    small = request.clone(client_max_size=LIMIT)
    return web.json_response({key: len(value) for key, value in (await small.post()).items()})


@routes.post("/unread")
async def unread(request):
    return web.Response(text="not read")


@routes.get("/stream")
async def stream(request):
    response = web.StreamResponse()
    await response.prepare(request)
    for number in range(3):
        await response.write(f"{number}\n".encode())
        await passed(f"{request.query['gate']}.{number}")
    return response


@routes.get("/lines")
async def lines(request):
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(request)
    for number in range(1000):
        await response.write(f"{number}\n".encode())
    return response


@routes.get("/events")
async def events(request):
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    try:
        for number in itertools.count():
            await response.write(f"data: {number}\n\n".encode())
            await pause(number, "silent" in request.query)
    finally:
        mark(f"{request.query['gate']}.closed")


@routes.get("/large")
async def large(request):
    return web.Response(body=LARGE)


@routes.get("/download")
async def download(request):
    disposition = "attachment; filename*=utf-8''r%C3%A9sum%C3%A9.txt"
    return web.FileResponse("static/data.txt", headers={"Content-Disposition": disposition})


@routes.get("/compressible")
async def compressible(request):
    response = web.Response(text="compressible " * 1000)
    response.enable_compression()
    return response


class Handled(Exception):
    pass


@routes.get("/handled")
async def handled(request):
    raise Handled


@routes.get("/unhandled")
async def unhandled(request):
    raise RuntimeError("unhandled")


@routes.get("/breaks")
async def breaks(request):
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"partial")
    raise RuntimeError("half way")


@routes.get("/poll")
async def poll(request):
    gate = request.query["gate"]
    mark(f"{gate}.waits")
    try:
        while not is_open(f"{gate}.go"):
            await asyncio.sleep(0.01)
    except asyncio.CancelledError:
        mark(f"{gate}.left")
        raise
    return web.Response(text="woken")


@routes.get("/state")
async def state(request):
    return web.Response(text=request.app[SHARED])


@routes.get("/empty")
async def empty(request):
    return web.Response(status=204)


@routes.get("/ws/echo")
async def ws_echo(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    if "gate" in request.query:
        mark(f"{request.query['gate']}.left", socket.close_code)
    return socket


@routes.get("/ws/about/{name}")
async def ws_about(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await socket.send_json(
        {
            "thing": request.headers["X-Thing"],
            "cookies": dict(request.cookies),
            "query": request.query["q"],
            "name": request.match_info["name"],
        }
    )
    await socket.close()
    return socket


@routes.get("/ws/protocol")
async def ws_protocol(request):
    socket = web.WebSocketResponse(protocols=["chat.v2"])
    await socket.prepare(request)
    await socket.send_str("accepted")
    await socket.close()
    return socket


@routes.get("/ws/close/{code}")
async def ws_close(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await socket.close(code=int(request.match_info["code"]), message=b"as asked")
    return socket


@routes.get("/ws/reject")
async def ws_reject(request):
    raise web.HTTPForbidden


@routes.get("/ws/deny")
async def ws_deny(request):
    return web.json_response({"error": "denied"}, status=401)


@routes.get("/ws/raise")
async def ws_raise(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    raise RuntimeError("unhandled in a WebSocket")


@routes.get("/ws/many")
async def ws_many(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    for number in range(1000):
        await socket.send_str(str(number))
    await socket.close()
    return socket


async def shared(app):
    app[SHARED] = "from startup"
    yield
    mark("shut-down")


def make():
    app = web.Application(middlewares=[outer, inner, errors], client_max_size=10_000_000)
    app.cleanup_ctx.append(shared)
    app.add_routes(routes)
    sub = web.Application()
    sub.add_routes([web.get("/where", where), web.get("/ws", ws_echo)])
    app.add_subapp("/sub", sub)
    app.router.add_static("/static", "static")
    return app


async def main():
    runner = web.AppRunner(make(), handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 8080).start()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    await runner.cleanup()
