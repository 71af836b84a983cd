"""ASGI: sends the messages that the query has, a Python literal; without one, the content and trailers it received."""

from __future__ import annotations

import ast
from urllib.parse import unquote


async def app(scope, receive, send):
    """Answer, and let mistakes show."""
    if scope["type"] != "http":
        raise NotImplementedError
    for message in ast.literal_eval(unquote(scope["query_string"].decode()) or "[]"):
        await send({**message, "type": f"http.response.{message['type']}"})
    if not scope["query_string"]:
        content, more = b"", True
        while more:
            message = await receive()
            content += message["body"]
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": repr((content, message.get("trailers"))).encode()})
