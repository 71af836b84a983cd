"""Flask."""

import hashlib
import itertools
import time
from pathlib import Path

from flask import (
    Blueprint,
    Flask,
    Response,
    jsonify,
    make_response,
    redirect,
    request,
    send_file,
    session,
    stream_with_context,
    url_for,
)
from gates import LARGE, LIMIT, mark, wait

app = Flask(__name__, static_folder=Path("static").resolve(), static_url_path="/static")
app.secret_key = "no secret"  # noqa: S105
sub = Blueprint("sub", __name__, url_prefix="/sub")


@app.after_request
def outer(response):
    response.headers["X-Order"] += ",outer"
    return response


@app.after_request  # the last one is called first
def inner(response):
    response.headers["X-Order"] = "inner"
    return response


@app.get("/hello")
def hello():
    return Response(f"hello {request.args['name']}", mimetype="text/plain")


@app.get("/where")
@sub.get("/where")
def where():
    return {"url": request.url.rstrip("?"), "client": request.remote_addr}


@app.get("/items/<int:id>")
def item(id):  # noqa: A002
    return {"id": id}


@app.get("/names/<name>")
def name(name):
    return name


@app.route("/method", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
def method():
    return request.method


@app.get("/query")
def query():
    return jsonify(list(request.args.items(multi=True)))


@app.get("/headers")
def headers():
    return {name.lower(): request.headers.getlist(name) for name, _ in request.headers}


@app.get("/cookies")
def cookies():
    return request.cookies


@app.get("/set-cookies")
def set_cookies():
    response = make_response("set")
    response.set_cookie("first", "1", httponly=True)
    response.set_cookie("second", "2", max_age=60)
    return response


@app.get("/delete-cookie")
def delete_cookie():
    response = make_response("deleted")
    response.delete_cookie("first")
    return response


@app.get("/session")
def remember():
    if "set" in request.args:
        session["value"] = request.args["set"]
    return session.get("value", "")


@app.get("/redirect")
def to_hello():
    return redirect(url_for("hello", name="x", _external=True))


@app.post("/json")
def json_echo():
    return jsonify(request.get_json())


@app.post("/form")
def form():
    return request.form.to_dict()


@app.post("/upload")
def upload():
    file = request.files["file"]
    data = file.read()
    return {"name": file.filename, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@app.post("/whole")
def whole():
    data = request.get_data()
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@app.post("/pieces")
def pieces():
    size, digest = 0, hashlib.sha256()
    while piece := request.stream.read(10_000):
        size += len(piece)
        digest.update(piece)
    return {"size": size, "sha256": digest.hexdigest()}


@app.post("/limited")
def limited():
    request.max_content_length = LIMIT
    return {key: len(value) for key, value in request.form.items()}


@app.post("/unread")
def unread():
    return "not read"


@app.get("/stream")
def stream():
    @stream_with_context
    def chunks():
        for number in range(3):
            yield f"{number}\n"
            wait(f"{request.args['gate']}.{number}")

    return Response(chunks())


@app.get("/lines")
def lines():
    return Response((f"{number}\n" for number in range(1000)), mimetype="text/plain")


@app.get("/events")
def events():
    gate = request.args["gate"]

    def numbered():
        try:
            for number in itertools.count():
                yield f"data: {number}\n\n"
                time.sleep(0.01)
        finally:
            mark(f"{gate}.closed")

    return Response(numbered(), mimetype="text/event-stream")


@app.get("/large")
def large():
    return Response(LARGE, mimetype="application/octet-stream")


@app.get("/download")
def download():
    return send_file(Path("static/data.txt").resolve(), as_attachment=True, download_name="résumé.txt")


@app.get("/compressible")
def compressible():
    return "compressible " * 1000


class Handled(Exception):
    pass


@app.errorhandler(Handled)
def on_handled(error):
    return {"error": "handled"}, 418


@app.get("/handled")
def handled():
    raise Handled


@app.get("/unhandled")
def unhandled():
    raise RuntimeError("unhandled")


@app.get("/breaks")
def breaks():
    def chunks():
        yield "partial"
        raise RuntimeError("half way")

    return Response(chunks())


@app.get("/background")
def background():
    gate = request.args["gate"]
    response = make_response("accepted")

    @response.call_on_close
    def later():
        wait(f"{gate}.go")
        mark(f"{gate}.done")

    return response


@app.get("/poll")
def poll():
    gate = request.args["gate"]
    mark(f"{gate}.waits")
    wait(f"{gate}.go")
    return "woken"


@app.get("/empty")
def empty():
    return "", 204


app.register_blueprint(sub)
