"""A hook that is not as specified stops the start of a pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extension_client import plugin_files

if TYPE_CHECKING:
    from corepool.testing.pools import Pools

SOURCE = """
from corepool import hookimpl

class Shout:
    @hookimpl
    async def on_readable(self, conn):
        conn.send(conn.recv().upper())
"""


def test_a_pool_with_a_wrong_hook_does_not_start_and_says_why_in_one_line(pool: Pools) -> None:
    files = plugin_files("shout", "Shout", SOURCE)
    refused = pool.serve("shout", "-b", "tcp://127.0.0.1:0", files=files, exit_status=2, wait=False)

    assert refused.wait() == 2
    (line,) = [line for line in refused.stderr.splitlines() if "shout.Shout.on_readable is an async def" in line]
    assert "expected def on_readable(self, conn: Connection) -> object | None" in line
