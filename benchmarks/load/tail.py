"""Quick requests beside a few slow ones: how long the quick ones take at worst.

A program of its own: `python -m benchmarks.load.tail PORT SECONDS`. It prints the 99th percentile of the quick
responses in milliseconds, and how many requests failed.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time

from benchmarks.load import program

CLIENTS = 20
PAUSE_S = 0.005
SLOW_SHARE = 0.01
QUICK = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
SLOW = b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"
END = b"world!\n"


def run(port: int, seconds: int, core: int) -> tuple[float, int]:
    """Run the load.

    :returns: the 99th percentile of the quick ones in milliseconds, and how many requests failed.
    """
    percentile, lost = program.run([sys.executable, "-m", __name__, str(port), str(seconds)], core).split()
    return float(percentile), int(lost)


async def _client(port: int, ends_s: float, dice: random.Random, took_s: list[float]) -> int:
    lost = 0
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.monotonic() < ends_s:
        is_slow = dice.random() < SLOW_SHARE
        began = time.perf_counter()
        try:
            writer.write(SLOW if is_slow else QUICK)
            await reader.readuntil(END)
        except (OSError, asyncio.IncompleteReadError):
            lost += 1
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            continue
        if not is_slow:
            took_s.append(time.perf_counter() - began)
        await asyncio.sleep(PAUSE_S)
    writer.close()
    return lost


async def _main(port: int, seconds: int) -> None:
    took_s: list[float] = []
    ends_s = time.monotonic() + seconds
    clients = [_client(port, ends_s, random.Random(number), took_s) for number in range(CLIENTS)]  # noqa: S311
    lost = sum(await asyncio.gather(*clients))
    took_s.sort()
    sys.stdout.write(f"{took_s[len(took_s) * 99 // 100] * 1000} {lost}\n")


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), int(sys.argv[2])))
