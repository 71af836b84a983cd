"""h2load of nghttp2: requests over HTTP/2 without TLS, by prior knowledge, as fast as they are answered."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from benchmarks.load import program
from benchmarks.needs import require
from benchmarks.results import BenchError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_REQUESTS = re.compile(
    r"requests: (\d+) total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout"
)


def run(
    port: int,
    targets: Path,
    requests: int,
    core: int,
    *,
    connections: int,
    streams: int,
    headers: Sequence[str] = (),
) -> int:
    """Send `requests` in turn over `connections`, each with `streams` of them under way.

    :param targets: a file of targets, one in a line, which are asked for in turn.
    :returns: how many of them failed: h2load takes any status from 200 to 399 for a success.
    :raises BenchError: h2load told nothing.
    """
    command = [require("h2load"), "-c", str(connections), "-m", str(streams), "-n", str(requests), "-i", str(targets)]
    for header in headers:
        command += ["-H", header]
    output = program.run([*command, "-B", f"http://127.0.0.1:{port}"], core)
    found = _REQUESTS.search(output)
    if found is None:
        raise BenchError(f"h2load reported no requests, but: {output!r}")
    return requests - int(found[3])
