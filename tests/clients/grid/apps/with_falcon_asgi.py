"""Falcon, ASGI."""

import hashlib
import itertools
from pathlib import Path

import falcon
import falcon.asgi
from falcon.asgi import SSEvent
from gates import LARGE, LIMIT, mark, passed, pause


class Order:
    def __init__(self, name):
        self.name = name

    async def process_response(self, req, resp, resource, req_succeeded):
        resp.append_header("X-Order", self.name)


def described(data):
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


class Hello:
    async def on_get(self, req, resp):
        resp.content_type = falcon.MEDIA_TEXT
        resp.text = f"hello {req.params['name']}"

    async def on_head(self, req, resp):
        await self.on_get(req, resp)


class Where:
    async def on_get(self, req, resp):
        resp.media = {"url": req.url, "client": req.remote_addr}


class Item:
    async def on_get(self, req, resp, id):  # noqa: A002
        resp.media = {"id": id}


class Name:
    async def on_get(self, req, resp, name):
        resp.text = name


class Method:
    async def on_get(self, req, resp):
        resp.text = req.method

    on_head = on_post = on_put = on_patch = on_delete = on_get


class Query:
    async def on_get(self, req, resp):
        pairs = []
        for key, value in req.params.items():
            pairs += [[key, each] for each in (value if isinstance(value, list) else [value])]
        resp.media = pairs


class Headers:
    async def on_get(self, req, resp):
        resp.media = {name.lower(): [value] for name, value in req.headers.items()}


class Cookies:
    async def on_get(self, req, resp):
        resp.media = req.cookies


class SetCookies:
    async def on_get(self, req, resp):
        resp.set_cookie("first", "1", http_only=True)
        resp.set_cookie("second", "2", max_age=60)


class DeleteCookie:
    async def on_get(self, req, resp):
        resp.unset_cookie("first")


class Redirect:
    async def on_get(self, req, resp):
        raise falcon.HTTPFound(f"{req.prefix}/hello?name=x")


class Json:
    async def on_post(self, req, resp):
        resp.media = await req.get_media()


class Form:
    async def on_post(self, req, resp):
        media = await req.get_media()
        if "multipart" in req.content_type:
            media = {part.name: await part.text async for part in media}
        resp.media = media


class Upload:
    async def on_post(self, req, resp):
        async for part in await req.get_media():
            resp.media = {"name": part.filename, **described(await part.stream.read())}


class Whole:
    async def on_post(self, req, resp):
        resp.media = described(await req.stream.read())


class Pieces:
    async def on_post(self, req, resp):
        size, digest = 0, hashlib.sha256()
        async for piece in req.stream:
            size += len(piece)
            digest.update(piece)
        resp.media = {"size": size, "sha256": digest.hexdigest()}


class Limited:
    async def on_post(self, req, resp):
        # Falcon's own limit, MultipartParseOptions.max_body_part_buffer_size, is 1 MiB for a part.
        if req.content_length > LIMIT:
            raise falcon.HTTPContentTooLarge
        resp.media = {part.name: len(await part.text) async for part in await req.get_media()}


class Unread:
    async def on_post(self, req, resp):
        resp.text = "not read"


class Stream:
    async def on_get(self, req, resp):
        resp.stream = self.chunks(req.params["gate"])

    async def chunks(self, gate):
        for number in range(3):
            yield f"{number}\n".encode()
            await passed(f"{gate}.{number}")


class Lines:
    async def on_get(self, req, resp):
        resp.content_type = falcon.MEDIA_TEXT
        resp.stream = self.numbered()

    async def numbered(self):
        for number in range(1000):
            yield f"{number}\n".encode()

    on_head = on_get


class Events:
    async def on_get(self, req, resp):
        resp.sse = self.numbered(req.params["gate"], "silent" in req.params)

    async def numbered(self, gate, silent):
        try:
            for number in itertools.count():
                yield SSEvent(text=str(number))
                await pause(number, silent)
        finally:
            mark(f"{gate}.closed")


class Large:
    async def on_get(self, req, resp):
        resp.content_type = "application/octet-stream"
        resp.data = LARGE

    on_head = on_get


class Download:
    async def on_get(self, req, resp):
        resp.downloadable_as = "résumé.txt"
        resp.text = "content"


class Handled(Exception):
    pass


async def on_handled(req, resp, error, params):
    resp.status = 418
    resp.media = {"error": "handled"}


class RaiseHandled:
    async def on_get(self, req, resp):
        raise Handled


class Unhandled:
    async def on_get(self, req, resp):
        raise RuntimeError("unhandled")


class Breaks:
    async def on_get(self, req, resp):
        resp.stream = self.chunks()

    async def chunks(self):
        yield b"partial"
        raise RuntimeError("half way")


class Background:
    async def on_get(self, req, resp):
        gate = req.params["gate"]

        async def later():
            await passed(f"{gate}.go")
            mark(f"{gate}.done")

        resp.text = "accepted"
        resp.schedule(later)


class Poll:
    async def on_get(self, req, resp):
        gate = req.params["gate"]
        mark(f"{gate}.waits")
        await passed(f"{gate}.go")
        resp.text = "woken"


class Empty:
    async def on_get(self, req, resp):
        resp.status = falcon.HTTP_204


class State:
    async def on_get(self, req, resp):
        resp.text = SHARED["shared"]


class WsEcho:
    async def on_websocket(self, req, ws):
        await ws.accept()
        try:
            while True:
                if "binary" in req.params:
                    await ws.send_data(await ws.receive_data())
                else:
                    await ws.send_text(await ws.receive_text())
        except falcon.WebSocketDisconnected as end:
            if "gate" in req.params:
                mark(f"{req.params['gate']}.left", end.code)


class WsAbout:
    async def on_websocket(self, req, ws, name):
        await ws.accept()
        await ws.send_media(
            {
                "thing": req.get_header("X-Thing"),
                "cookies": req.cookies,
                "query": req.params["q"],
                "name": name,
            }
        )


class WsProtocol:
    async def on_websocket(self, req, ws):
        await ws.accept("chat.v2" if "chat.v2" in ws.subprotocols else None)
        await ws.send_text("accepted")


class WsClose:
    async def on_websocket(self, req, ws, code):
        await ws.accept()
        await ws.close(code, "as asked")


class WsReject:
    async def on_websocket(self, req, ws):
        raise falcon.HTTPForbidden


class WsRaise:
    async def on_websocket(self, req, ws):
        await ws.accept()
        raise RuntimeError("unhandled in a WebSocket")


class WsMany:
    async def on_websocket(self, req, ws):
        await ws.accept()
        for number in range(1000):
            await ws.send_text(str(number))


SHARED = {}


class Lifespan:
    async def process_startup(self, scope, event):
        SHARED["shared"] = "from startup"

    async def process_shutdown(self, scope, event):
        mark("shut-down")


app = falcon.asgi.App(middleware=[Lifespan(), Order("outer"), Order("inner")])
app.req_options.keep_blank_qs_values = True
app.req_options.media_handlers[falcon.MEDIA_MULTIPART].parse_options.max_body_part_buffer_size = 5_000_000
app.add_error_handler(Handled, on_handled)
for path, resource in {
    "/hello": Hello(),
    "/where": Where(),
    "/sub/where": Where(),
    "/items/{id:int}": Item(),
    "/names/{name}": Name(),
    "/method": Method(),
    "/query": Query(),
    "/headers": Headers(),
    "/cookies": Cookies(),
    "/set-cookies": SetCookies(),
    "/delete-cookie": DeleteCookie(),
    "/redirect": Redirect(),
    "/json": Json(),
    "/form": Form(),
    "/upload": Upload(),
    "/whole": Whole(),
    "/pieces": Pieces(),
    "/limited": Limited(),
    "/unread": Unread(),
    "/stream": Stream(),
    "/lines": Lines(),
    "/events": Events(),
    "/large": Large(),
    "/download": Download(),
    "/handled": RaiseHandled(),
    "/unhandled": Unhandled(),
    "/breaks": Breaks(),
    "/background": Background(),
    "/poll": Poll(),
    "/state": State(),
    "/empty": Empty(),
    "/ws/echo": WsEcho(),
    "/sub/ws": WsEcho(),
    "/ws/about/{name}": WsAbout(),
    "/ws/protocol": WsProtocol(),
    "/ws/close/{code:int}": WsClose(),
    "/ws/reject": WsReject(),
    "/ws/raise": WsRaise(),
    "/ws/many": WsMany(),
}.items():
    app.add_route(path, resource)
app.add_static_route("/static", Path("static").resolve())
