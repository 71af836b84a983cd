"""Bottle."""

import hashlib
import itertools
import json
import time
from pathlib import Path

from bottle import Bottle, HTTPError, HTTPResponse, redirect, request, response, static_file
from gates import LARGE, LIMIT, mark, wait

app = Bottle()
sub = Bottle()


@app.hook("after_request")
def outer():
    response.set_header("X-Order", response.get_header("X-Order", "") + ",outer")


@app.hook("after_request")  # the last one is called first
def inner():
    response.set_header("X-Order", "inner")


@app.get("/hello", name="hello")
def hello():
    response.content_type = "text/plain"
    return f"hello {request.query.name}"


@app.get("/where")
@sub.get("/where")
def where():
    return {"url": request.url, "client": request.remote_addr}


@app.get("/items/<id:int>")
def item(id):  # noqa: A002
    return {"id": id}


@app.get("/names/<name>")
def name(name):
    return name


@app.route("/method", method=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def method():
    return request.method


@app.get("/query")
def query():
    response.content_type = "application/json"
    return json.dumps([[key, value] for key, value in request.query.decode().allitems()])


@app.get("/headers")
def headers():
    return {name.lower(): [value] for name, value in request.headers.items()}


@app.get("/cookies")
def cookies():
    return dict(request.cookies)


@app.get("/set-cookies")
def set_cookies():
    response.set_cookie("first", "1", httponly=True)
    response.set_cookie("second", "2", max_age=60)
    return "set"


@app.get("/delete-cookie")
def delete_cookie():
    response.delete_cookie("first")
    return "deleted"


@app.get("/redirect")
def to_hello():
    redirect(app.get_url("hello") + "?name=x")


@app.post("/json")
def json_echo():
    value = request.json
    response.content_type = "application/json"
    return json.dumps(value)


@app.post("/form")
def form():
    return dict(request.forms.decode())


@app.post("/upload")
def upload():
    file = request.files.file
    data = file.file.read()
    return {"name": file.filename, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@app.post("/whole")
def whole():
    data = request.body.read()
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@app.post("/pieces")
def pieces():
    size, digest = 0, hashlib.sha256()
    body = request.body  # a property that seeks to the start each time
    while piece := body.read(10_000):
        size += len(piece)
        digest.update(piece)
    return {"size": size, "sha256": digest.hexdigest()}


@app.post("/limited")
def limited():
    # Bottle's own limit, BaseRequest.MEMFILE_MAX, is 102,400 bytes for what a form keeps in memory.
    if request.content_length > LIMIT:
        raise HTTPError(413)
    return {key: len(value) for key, value in request.forms.items()}


@app.post("/unread")
def unread():
    return "not read"


@app.get("/stream")
def stream():
    gate = request.query.gate
    for number in range(3):
        yield f"{number}\n"
        wait(f"{gate}.{number}")


@app.get("/lines")
def lines():
    response.content_type = "text/plain"
    return (f"{number}\n" for number in range(1000))


@app.get("/events")
def events():
    gate = request.query.gate
    response.content_type = "text/event-stream"
    try:
        for number in itertools.count():
            yield f"data: {number}\n\n"
            time.sleep(0.01)
    finally:
        mark(f"{gate}.closed")


@app.get("/large")
def large():
    response.content_type = "application/octet-stream"
    return LARGE


@app.get("/download")
def download():
    disposition = "attachment; filename*=utf-8''r%C3%A9sum%C3%A9.txt"
    return static_file("data.txt", root="static", headers={"Content-Disposition": disposition})


@app.get("/compressible")
def compressible():
    return "compressible " * 1000


@app.get("/static/<path:path>")
def static(path):
    return static_file(path, root=Path("static").resolve())


@app.get("/handled")
def handled():
    raise HTTPResponse({"error": "handled"}, 418)


@app.get("/unhandled")
def unhandled():
    raise RuntimeError("unhandled")


@app.get("/breaks")
def breaks():
    yield "partial"
    raise RuntimeError("half way")


@app.get("/poll")
def poll():
    gate = request.query.gate
    mark(f"{gate}.waits")
    wait(f"{gate}.go")
    return "woken"


@app.get("/empty")
def empty():
    response.status = 204


app.mount("/sub", sub)
