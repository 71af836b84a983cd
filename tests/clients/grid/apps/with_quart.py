"""Quart."""

import asyncio
import hashlib
import itertools
from pathlib import Path

from gates import LARGE, LIMIT, is_open, mark, passed, pause
from quart import (
    Blueprint,
    Quart,
    Response,
    abort,
    current_app,
    jsonify,
    make_response,
    redirect,
    request,
    send_file,
    session,
    url_for,
    websocket,
)

app = Quart(__name__, static_folder=Path("static").resolve(), static_url_path="/static")
app.secret_key = "no secret"  # noqa: S105
sub = Blueprint("sub", __name__, url_prefix="/sub")


@app.before_serving
async def start_up():
    app.shared = "from startup"


@app.after_serving
async def shut_down():
    mark("shut-down")


@app.after_request
async def outer(response):
    response.headers["X-Order"] += ",outer"
    return response


@app.after_request  # the last one is called first
async def inner(response):
    response.headers["X-Order"] = "inner"
    return response


@app.get("/hello")
async def hello():
    return Response(f"hello {request.args['name']}", mimetype="text/plain")


@app.get("/where")
@sub.get("/where")
async def where():
    return {"url": request.url.rstrip("?"), "client": request.remote_addr}


@app.get("/items/<int:id>")
async def item(id):  # noqa: A002
    return {"id": id}


@app.get("/names/<name>")
async def name(name):
    return name


@app.route("/method", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
async def method():
    return request.method


@app.get("/query")
async def query():
    return jsonify(list(request.args.items(multi=True)))


@app.get("/headers")
async def headers():
    return {name.lower(): request.headers.getlist(name) for name, _ in request.headers}


@app.get("/cookies")
async def cookies():
    return request.cookies


@app.get("/set-cookies")
async def set_cookies():
    response = await make_response("set")
    response.set_cookie("first", "1", httponly=True)
    response.set_cookie("second", "2", max_age=60)
    return response


@app.get("/delete-cookie")
async def delete_cookie():
    response = await make_response("deleted")
    response.delete_cookie("first")
    return response


@app.get("/session")
async def remember():
    if "set" in request.args:
        session["value"] = request.args["set"]
    return session.get("value", "")


@app.get("/redirect")
async def to_hello():
    return redirect(url_for("hello", name="x", _external=True))


@app.post("/json")
async def json_echo():
    return jsonify(await request.get_json())


@app.post("/form")
async def form():
    return (await request.form).to_dict()


@app.post("/upload")
async def upload():
    file = (await request.files)["file"]
    data = file.read()
    return {"name": file.filename, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@app.post("/whole")
async def whole():
    data = await request.get_data()
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@app.post("/pieces")
async def pieces():
    size, digest = 0, hashlib.sha256()
    async for piece in request.body:
        size += len(piece)
        digest.update(piece)
    return {"size": size, "sha256": digest.hexdigest()}


@app.post("/limited")
async def limited():
    if request.content_length > LIMIT:
        abort(413)
    return {key: len(value) for key, value in (await request.form).items()}


@app.post("/unread")
async def unread():
    return "not read"


@app.get("/stream")
async def stream():
    gate = request.args["gate"]

    async def chunks():
        for number in range(3):
            yield f"{number}\n"
            await passed(f"{gate}.{number}")

    return Response(chunks())


@app.get("/lines")
async def lines():
    async def numbered():
        for number in range(1000):
            yield f"{number}\n"

    return Response(numbered(), mimetype="text/plain")


@app.get("/events")
async def events():
    gate, silent = request.args["gate"], "silent" in request.args

    async def numbered():
        try:
            for number in itertools.count():
                yield f"data: {number}\n\n"
                await pause(number, silent)
        finally:
            mark(f"{gate}.closed")

    response = await make_response(numbered(), {"Content-Type": "text/event-stream"})
    response.timeout = None
    return response


@app.get("/large")
async def large():
    return Response(LARGE, mimetype="application/octet-stream")


@app.get("/download")
async def download():
    response = await send_file(Path("static/data.txt").resolve())
    response.headers["Content-Disposition"] = "attachment; filename*=utf-8''r%C3%A9sum%C3%A9.txt"
    return response


@app.get("/compressible")
async def compressible():
    return "compressible " * 1000


class Handled(Exception):
    pass


@app.errorhandler(Handled)
async def on_handled(error):
    return {"error": "handled"}, 418


@app.get("/handled")
async def handled():
    raise Handled


@app.get("/unhandled")
async def unhandled():
    raise RuntimeError("unhandled")


@app.get("/breaks")
async def breaks():
    async def chunks():
        yield "partial"
        raise RuntimeError("half way")

    return Response(chunks())


@app.get("/background")
async def background():
    gate = request.args["gate"]

    async def later():
        await passed(f"{gate}.go")
        mark(f"{gate}.done")

    app.add_background_task(later)
    return "accepted"


@app.get("/poll")
async def poll():
    gate = request.args["gate"]
    mark(f"{gate}.waits")
    try:
        while not is_open(f"{gate}.go"):
            await asyncio.sleep(0.01)
    except asyncio.CancelledError:
        mark(f"{gate}.left")
        raise
    return "woken"


@app.get("/state")
async def state():
    return current_app.shared


@app.get("/empty")
async def empty():
    return "", 204


@app.websocket("/ws/echo")
@sub.websocket("/ws")
async def ws_echo():
    try:
        while True:
            await websocket.send(await websocket.receive())
    except asyncio.CancelledError:
        if "gate" in websocket.args:
            mark(f"{websocket.args['gate']}.left")
        raise


@app.websocket("/ws/about/<name>")
async def ws_about(name):
    await websocket.send_json(
        {
            "thing": websocket.headers["X-Thing"],
            "cookies": websocket.cookies,
            "query": websocket.args["q"],
            "name": name,
        }
    )


@app.websocket("/ws/protocol")
async def ws_protocol():
    wanted = "chat.v2" if "chat.v2" in websocket.requested_subprotocols else None
    await websocket.accept(subprotocol=wanted)
    await websocket.send("accepted")


@app.websocket("/ws/close/<int:code>")
async def ws_close(code):
    await websocket.accept()
    await websocket.close(code, "as asked")


@app.websocket("/ws/reject")
async def ws_reject():
    abort(403)


@app.websocket("/ws/deny")
async def ws_deny():
    return {"error": "denied"}, 401


@app.websocket("/ws/raise")
async def ws_raise():
    await websocket.accept()
    raise RuntimeError("unhandled in a WebSocket")


@app.websocket("/ws/many")
async def ws_many():
    for number in range(1000):
        await websocket.send(str(number))


app.register_blueprint(sub)
