"""wrk: requests over connections kept open, or a connection for each, as fast as they are answered."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from benchmarks.load import program
from benchmarks.needs import require
from benchmarks.results import BenchError

if TYPE_CHECKING:
    from collections.abc import Sequence

_REQUESTS = re.compile(r"(\d+) requests in ")
_FAILED = re.compile(r"Non-2xx or 3xx responses: (\d+)")
_ERRORS = re.compile(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")


def run(
    port: int,
    path: str,
    connections: int,
    seconds: int,
    core: int,
    headers: Sequence[str] = (),
    script: Sequence[str] = (),
    *,
    scheme: str = "http",
) -> tuple[int, int]:
    """Ask for a path for some seconds.

    :param script: a file of Lua, which may change the requests, and its arguments.

    :returns: how many responses came, and how many requests failed.
    :raises BenchError: wrk told nothing.
    """
    command = [require("wrk"), "-t", "1", "-c", str(connections), "-d", f"{seconds}s"]
    for header in headers:
        command += ["-H", header]
    if script:
        command += ["-s", script[0]]
    output = program.run([*command, f"{scheme}://127.0.0.1:{port}{path}", "--", *script[1:]], core)
    found = _REQUESTS.search(output)
    if found is None:
        raise BenchError(f"wrk reported no requests, but: {output!r}")
    lost = 0
    if failed := _FAILED.search(output):
        lost += int(failed[1])
    if errors := _ERRORS.search(output):
        lost += sum(map(int, errors.groups()))
    return int(found[1]), lost
