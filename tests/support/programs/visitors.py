"""Visitors of a site: each asks again and again, over a connection that it keeps for some requests. Until input ends.

    python visitors.py URL VISITORS THINK_S < /dev/stdin

Each request is a line of JSON: when it began and how long it took (seconds), its path, and what came of it. A failed
request is not repeated: it is a person who saw an error.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import suppress
from urllib.parse import urlsplit

_REQUESTS_OF_A_CONNECTION = 20


async def _visit(number: int, host: str, port: int, prefix: str, think_s: float, over: asyncio.Event) -> None:
    count = 0
    writer = None
    while not over.is_set():
        path = f"{prefix}/{number}-{count}"
        began = time.monotonic()
        told = {"at": began, "path": path}
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection(host, port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: shop.example\r\n\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = int(head.lower().split("content-length:")[1].split("\r\n")[0])
            body = (await reader.readexactly(length)).decode("latin-1")
            told |= {"status": int(head.split()[1]), "body": body}
            if "connection: close" in head.lower():
                writer.close()
                writer = None
        except (OSError, EOFError, IndexError, ValueError) as error:
            told |= {"status": 0, "body": f"{type(error).__name__}: {error}"}
            if writer is not None:
                writer.close()
                writer = None
        told["took"] = time.monotonic() - began
        print(json.dumps(told), flush=True)
        count += 1
        if writer is not None and count % _REQUESTS_OF_A_CONNECTION == 0:
            writer.close()
            writer = None
        await asyncio.sleep(think_s if told["status"] else max(think_s, 0.1))


async def _main(url: str, visitors: int, think_s: float) -> None:
    site = urlsplit(url)
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), over.set)  # nothing is sent: readable is the end
    visits = [
        _visit(number, site.hostname or "", site.port or 80, site.path, think_s, over) for number in range(visitors)
    ]
    with suppress(KeyboardInterrupt):
        await asyncio.gather(*visits)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
