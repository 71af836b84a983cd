"""A limit of time for a block of a handler."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from corepool.streams.errors import DeadlineError

if TYPE_CHECKING:
    from types import TracebackType


class Deadline:
    """A limit of time for a block; see `Stream.deadline`."""

    __slots__ = ("_seconds", "_timeout")

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._timeout = asyncio.timeout(seconds)

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError as passed:
            raise DeadlineError(f"not done within {self._seconds:g} s") from passed
