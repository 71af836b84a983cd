"""Header names in lower case."""

from __future__ import annotations

_MAX_NAMES = 1000
_MAX_NAME_BYTES = 64


class Names:
    """Header names in lower case, one object for each: most of them are the same in every request."""

    def __init__(self) -> None:
        self.known: dict[bytes, bytes] = {}
        """By the name as it came."""

    def lower(self, name: bytes) -> bytes:
        """Return a name in lower case; it is kept, unless it is long or too many are."""
        found = self.known.get(name)
        if found is not None:
            return found
        lower = name.lower()
        if len(self.known) < _MAX_NAMES and len(name) <= _MAX_NAME_BYTES:
            self.known[name] = lower
        return lower
