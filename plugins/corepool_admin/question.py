"""A question to a pool's control socket, without blocking meanwhile."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_MOST = 16 * 1024 * 1024


async def ask(path: Path) -> dict[str, Any]:
    """Ask for the status.

    :raises OSError: there is no answer.
    :raises ValueError: the answer is not a pool's.
    """
    reader, writer = await asyncio.open_unix_connection(path, limit=_MOST)
    try:
        writer.write(b'{"command": "status"}\n')
        reply = json.loads(await reader.readline())
    finally:
        writer.close()
    if not isinstance(reply, dict) or not isinstance(reply.get("result"), dict):
        raise ValueError("what answers is no pool")  # noqa: TRY004  # it is what came that is wrong
    result: dict[str, Any] = reply["result"]
    return result
