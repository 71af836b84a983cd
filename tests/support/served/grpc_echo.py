"""A service of gRPC as an ASGI application, by trailers alone: no library. Messages are bytes that are sent back."""

from __future__ import annotations

import struct
from urllib.parse import quote

PREFIX = struct.Struct("!BI")


async def app(scope, receive, send):
    """Serve the four kinds of methods, and one that fails behind its first message."""
    if scope["type"] != "http":
        raise NotImplementedError
    call = METHODS.get(scope["path"])
    headers = [(b"content-type", b"application/grpc")]
    await send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": True})
    status, reason = 12, "no such method"
    if call is not None:
        status, reason = 0, ""
        try:
            async for message in call(messages(receive)):
                body = PREFIX.pack(0, len(message)) + message
                await send({"type": "http.response.body", "body": body, "more_body": True})
        except LookupError as error:
            status, reason = 5, str(error)
    await send({"type": "http.response.body"})
    version = scope["http_version"].encode()
    trailers = [(b"grpc-status", b"%d" % status), (b"grpc-message", quote(reason).encode()), (b"x-version", version)]
    await send({"type": "http.response.trailers", "headers": trailers})


async def messages(receive):
    """Return the client's messages, each as soon as it is whole."""
    unread, more = b"", True
    while more:
        event = await receive()
        unread += event["body"]
        more = event["more_body"]
        while len(unread) >= PREFIX.size and len(unread) >= PREFIX.size + PREFIX.unpack_from(unread)[1]:
            end = PREFIX.size + PREFIX.unpack_from(unread)[1]
            yield unread[PREFIX.size : end]
            unread = unread[end:]


async def each(received):
    """Send each message back as it comes."""
    async for message in received:
        yield message


async def split(received):
    """Send each byte as a message."""
    async for message in received:
        for byte in message:
            yield bytes([byte])


async def join(received):
    """Send all messages as one."""
    yield b"".join([message async for message in received])


async def fail(received):
    """Send the first message, and fail."""
    async for message in received:
        yield message
        raise LookupError("not found: ä")


METHODS = {"/test.Echo/Each": each, "/test.Echo/Split": split, "/test.Echo/Join": join, "/test.Echo/Fail": fail}
