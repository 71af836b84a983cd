"""A protocol for tests that tells what a worker sees: it evaluates the expressions that clients send.

`files()` are to be written into the pool's folder, as those of `probe` are.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from sources import metadata, source

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess

SOURCE = source("plugins/insider.py")


def files() -> dict[str, str]:
    """Return the files of the plugin, as an installer would lay them."""
    return {
        "insider.py": SOURCE,
        **metadata("insider", "[corepool.protocols]\ninsider = insider:Insider\n"),
    }


def config(process: str = "", pool: str = "", workers: int = 1, bind: str = "tcp://127.0.0.1:0") -> str:
    """Return a configuration; `process` and `pool` are lines of their tables."""
    return f"""
[pool]
workers = {workers}
dispatcher = "round-robin"
respawn_delay = "1ms"
{pool}
[process]
{process}
[[listener]]
name = "insider"
bind = ["{bind}"]
protocol = "insider"
"""


def evaluate(pool: PoolProcess, expression: str) -> Any:
    """Have a worker evaluate an expression; of round-robin, the next one."""
    with pool.connect() as client:
        client.sendall(expression.encode())
        with client.makefile() as answer:
            return ast.literal_eval(answer.readline())
