"""A question to a pool's control socket, without blocking meanwhile."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_MAX_REPLY = 16 * 1024 * 1024


async def ask(path: Path) -> dict[str, Any]:
    """Return the status of the pool.

    :raises OSError: there is no answer.
    :raises ValueError: the answer is not a pool's.
    """
    reader, writer = await asyncio.open_unix_connection(path, limit=_MAX_REPLY)
    try:
        writer.write(b'{"command": "status"}\n')
        reply = json.loads(await reader.readline())
    finally:
        writer.close()
    if not isinstance(reply, dict) or not isinstance(reply.get("result"), dict):
        raise ValueError("the answer is not a pool's")  # noqa: TRY004  # of a foreign process, not of our caller
    result: dict[str, Any] = reply["result"]
    return result
