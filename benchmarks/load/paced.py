"""Requests that keep the core of four workers busy half of the time: `... paced SOCKET`, until it is ended.

The client of each worker sends some at once, and pauses after the last answer, seven times as long as they took: so a
worker is busy an eighth of the time.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks.processes import pinned
from benchmarks.results import BenchError

if TYPE_CHECKING:
    from collections.abc import Iterator

WORKERS = 4
AT_ONCE = 4
"""Requests. Of one alone the pause would be shorter than the millisecond to which asyncio rounds."""


@contextmanager
def running(path: str, core: int) -> Iterator[None]:
    """Have the workers behind a UNIX socket, whose dispatcher takes turns, serve requests meanwhile.

    :raises BenchError: the load ended by itself.
    """
    command = [sys.executable, "-m", __name__, path]
    with pinned(core), subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603
        try:
            assert process.stdout is not None
            if not process.stdout.readline():
                raise BenchError(f"{' '.join(command)}: ended before it had begun")
            yield
            if process.poll() is not None:
                raise BenchError(f"{' '.join(command)}: ended by itself")
        finally:
            process.terminate()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    loop = asyncio.get_running_loop()
    while True:
        asked = loop.time()
        writer.write(b"request\n" * AT_ONCE)
        await reader.readexactly(AT_ONCE * len(b"+PONG\r\n"))
        await asyncio.sleep((2 * WORKERS - 1) * (loop.time() - asked))


async def _main(path: str) -> None:
    opened = [await asyncio.open_unix_connection(path) for _ in range(WORKERS)]
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    await asyncio.gather(*(_ask(*each) for each in opened))


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
