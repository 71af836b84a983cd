"""Falcon, WSGI."""

import hashlib
import itertools
import time
from pathlib import Path

import falcon
from gates import LARGE, LIMIT, mark, wait


class Order:
    def __init__(self, name):
        self.name = name

    def process_response(self, req, resp, resource, req_succeeded):
        resp.append_header("X-Order", self.name)


def described(data):
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


class Hello:
    def on_get(self, req, resp):
        resp.content_type = falcon.MEDIA_TEXT
        resp.text = f"hello {req.params['name']}"

    def on_head(self, req, resp):
        self.on_get(req, resp)


class Where:
    def on_get(self, req, resp):
        resp.media = {"url": req.url, "client": req.remote_addr}


class Item:
    def on_get(self, req, resp, id):  # noqa: A002
        resp.media = {"id": id}


class Name:
    def on_get(self, req, resp, name):
        resp.text = name


class Method:
    def on_get(self, req, resp):
        resp.text = req.method

    on_head = on_post = on_put = on_patch = on_delete = on_get


class Query:
    def on_get(self, req, resp):
        pairs = []
        for key, value in req.params.items():
            pairs += [[key, each] for each in (value if isinstance(value, list) else [value])]
        resp.media = pairs


class Headers:
    def on_get(self, req, resp):
        resp.media = {name.lower(): [value] for name, value in req.headers.items()}


class Cookies:
    def on_get(self, req, resp):
        resp.media = req.cookies


class SetCookies:
    def on_get(self, req, resp):
        resp.set_cookie("first", "1", http_only=True)
        resp.set_cookie("second", "2", max_age=60)


class DeleteCookie:
    def on_get(self, req, resp):
        resp.unset_cookie("first")


class Redirect:
    def on_get(self, req, resp):
        raise falcon.HTTPFound(f"{req.prefix}/hello?name=x")


class Json:
    def on_post(self, req, resp):
        resp.media = req.get_media()


class Form:
    def on_post(self, req, resp):
        media = req.get_media()
        if "multipart" in req.content_type:
            media = {part.name: part.text for part in media}
        resp.media = media


class Upload:
    def on_post(self, req, resp):
        for part in req.get_media():
            resp.media = {"name": part.filename, **described(part.stream.read())}


class Whole:
    def on_post(self, req, resp):
        resp.media = described(req.bounded_stream.read())


class Pieces:
    def on_post(self, req, resp):
        size, digest = 0, hashlib.sha256()
        while piece := req.bounded_stream.read(10_000):
            size += len(piece)
            digest.update(piece)
        resp.media = {"size": size, "sha256": digest.hexdigest()}


class Limited:
    def on_post(self, req, resp):
        # Falcon's own limit, MultipartParseOptions.max_body_part_buffer_size, is 1 MiB for a part.
        if req.content_length > LIMIT:
            raise falcon.HTTPContentTooLarge
        resp.media = {part.name: len(part.text) for part in req.get_media()}


class Unread:
    def on_post(self, req, resp):
        resp.text = "not read"


class Stream:
    def on_get(self, req, resp):
        resp.stream = self.chunks(req.params["gate"])

    def chunks(self, gate):
        for number in range(3):
            yield f"{number}\n".encode()
            wait(f"{gate}.{number}")


class Lines:
    def on_get(self, req, resp):
        resp.content_type = falcon.MEDIA_TEXT
        resp.stream = (f"{number}\n".encode() for number in range(1000))

    on_head = on_get


class Events:
    def on_get(self, req, resp):
        resp.content_type = "text/event-stream"
        resp.stream = self.numbered(req.params["gate"])

    def numbered(self, gate):
        try:
            for number in itertools.count():
                yield f"data: {number}\n\n".encode()
                time.sleep(0.01)
        finally:
            mark(f"{gate}.closed")


class Large:
    def on_get(self, req, resp):
        resp.content_type = "application/octet-stream"
        resp.data = LARGE

    on_head = on_get


class Download:
    def on_get(self, req, resp):
        resp.downloadable_as = "résumé.txt"
        resp.text = "content"


class Handled(Exception):
    pass


def on_handled(req, resp, error, params):
    resp.status = 418
    resp.media = {"error": "handled"}


class RaiseHandled:
    def on_get(self, req, resp):
        raise Handled


class Unhandled:
    def on_get(self, req, resp):
        raise RuntimeError("unhandled")


class Breaks:
    def on_get(self, req, resp):
        resp.stream = self.chunks()

    def chunks(self):
        yield b"partial"
        raise RuntimeError("half way")


class Poll:
    def on_get(self, req, resp):
        gate = req.params["gate"]
        mark(f"{gate}.waits")
        wait(f"{gate}.go")
        resp.text = "woken"


class Empty:
    def on_get(self, req, resp):
        resp.status = falcon.HTTP_204


app = falcon.App(middleware=[Order("outer"), Order("inner")])
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
    "/poll": Poll(),
    "/empty": Empty(),
}.items():
    app.add_route(path, resource)
app.add_static_route("/static", Path("static").resolve())
