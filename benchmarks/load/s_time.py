"""openssl s_time: a connection for each request, with a full handshake or a resumed one."""

from __future__ import annotations

import re

from benchmarks.load import program
from benchmarks.needs import require
from benchmarks.results import BenchError

_CONNECTIONS = re.compile(r"(\d+) connections in \d+ real seconds")


def run(port: int, seconds: int, core: int, *, resumed: bool) -> int:
    """Connect, ask for "/", and close, for some seconds, one after the other.

    :returns: how many connections there were.
    :raises BenchError: none.
    """
    kind = "-reuse" if resumed else "-new"
    command = [require("openssl"), "s_time", "-connect", f"127.0.0.1:{port}", "-www", "/", kind, "-time", str(seconds)]
    output = program.run(command, core)
    found = [int(count) for count in _CONNECTIONS.findall(output)]
    if not found or not found[-1]:
        raise BenchError(f"openssl s_time reported no connections, but: {output!r}")
    return found[-1]
