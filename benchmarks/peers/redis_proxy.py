"""A proxy as one writes it in an afternoon: asyncio's streams, hiredis for requests, redis-py's asyncio client behind.

python -m benchmarks.peers.redis_proxy PORT UPSTREAM_PORT
"""

from __future__ import annotations

import asyncio
import sys

import hiredis
import redis.asyncio

_READ_BYTES = 65_536


def encode(reply: object) -> bytes:
    """Encode the replies to GET and SET, and an error for any other, such as that to CONFIG of redis-benchmark."""
    if reply is True or reply == b"OK":
        return b"+OK\r\n"
    return b"$%d\r\n%b\r\n" % (len(reply), reply) if isinstance(reply, bytes) else b"-ERR not of this proxy\r\n"


async def serve(port: int, upstream: int) -> None:
    """Forward each command by itself; the client keeps a pool of connections."""
    client = redis.asyncio.Redis(port=upstream)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parser = hiredis.Reader()
        while data := await reader.read(_READ_BYTES):
            if data == b"PING\r\n":  # the one inline command, by which a load finds out that a server serves
                writer.write(b"+PONG\r\n")
                continue
            parser.feed(data)
            replies: list[bytes] = []
            while (words := parser.gets()) is not False:
                reply = await client.execute_command(*words)  # type: ignore[no-untyped-call]
                replies.append(encode(reply))
            writer.write(b"".join(replies))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
