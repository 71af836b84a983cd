"""Sets: members without values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.engine.named import Named
from corepool_kv.stores import SET

if TYPE_CHECKING:
    from collections.abc import Iterator


class Set(Named):
    """Members."""

    type = SET

    def members(self) -> Iterator[bytes]:
        """Yield the members."""
        return (member for member, _ in self.items())
