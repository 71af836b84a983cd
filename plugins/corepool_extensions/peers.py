"""A peer's address as lines of the log have it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corepool import Address

_PLAIN = re.compile(r"[!#-<>-\[\]-~]+")  # printable ASCII that ends no field: not blank, ", = or backslash


def spell(address: Address) -> str:
    """Write an address into a line, so that a UNIX client's name, its own choice, ends neither field nor line."""
    text = str(address)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)
