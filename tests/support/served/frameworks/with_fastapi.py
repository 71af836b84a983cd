"""FastAPI: plain functions run in threads of its own."""

from typing import Annotated

from fastapi import FastAPI, File, Form
from fastapi.responses import PlainTextResponse, StreamingResponse

app = FastAPI()


@app.get("/hello", response_class=PlainTextResponse)
def hello(name: str):
    return f"hello {name}"


@app.post("/upload", response_class=PlainTextResponse)
async def upload(file: Annotated[bytes, File()]):
    return str(len(file))


@app.post("/form", response_class=PlainTextResponse)
def form(a: Annotated[str, Form()]):
    return a


@app.get("/stream")
def stream():
    return StreamingResponse(f"{number}\n" for number in range(1000))
