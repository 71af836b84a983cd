"""Starlette."""

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute


async def hello(request):
    return PlainTextResponse(f"hello {request.query_params['name']}")


async def secure(request):
    return PlainTextResponse(f"{request.url.is_secure} {request.url}")


async def upload(request):
    async with request.form() as form:
        return PlainTextResponse(str(form["file"].size))


async def form(request):
    return PlainTextResponse((await request.form())["a"])


async def stream(request):
    async def lines():
        for number in range(1000):
            yield f"{number}\n"

    return StreamingResponse(lines())


async def websocket(socket):
    await socket.accept()
    await socket.send_text(await socket.receive_text())
    await socket.close()


app = Starlette(
    routes=[
        Route("/hello", hello),
        Route("/secure", secure),
        Route("/upload", upload, methods=["POST"]),
        Route("/form", form, methods=["POST"]),
        Route("/stream", stream),
        WebSocketRoute("/ws", websocket),
    ]
)
