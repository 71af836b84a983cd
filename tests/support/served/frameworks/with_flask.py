"""Flask."""

from flask import Flask, Response, request

app = Flask(__name__)


@app.get("/hello")
def hello():
    return f"hello {request.args['name']}"


@app.get("/secure")
def secure():
    return f"{request.is_secure} {request.url}"


@app.post("/upload")
def upload():
    return str(len(request.files["file"].read()))


@app.post("/form")
def form():
    return request.form["a"]


@app.get("/stream")
def stream():
    return Response(f"{number}\n" for number in range(1000))
