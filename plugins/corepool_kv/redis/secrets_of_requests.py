"""Requests as they may be shown to others, in the slow log and by MONITOR: without passwords."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class Described(Protocol):
    """A command, as it is looked at here and by those that show it."""

    @property
    def name(self) -> bytes: ...

    @property
    def flags(self) -> frozenset[str]: ...


REDACTED = b"(redacted)"
_SECRET_SETTINGS = frozenset((b"requirepass", b"masterauth", b"masteruser", b"tls-key-file-pass"))


def shown(command: Described, request: Sequence[bytes]) -> list[bytes]:
    """Return the words of a request, with passwords replaced as Redis does."""
    words = list(request)
    match command.name:
        case b"auth":
            words[1:] = [REDACTED] * (len(words) - 1)
        case b"hello":
            for place, word in enumerate(request):
                if word.lower() == b"auth" and place > 1:
                    words[place + 1 : place + 3] = [REDACTED] * len(words[place + 1 : place + 3])
        case b"config|set":
            for place in range(2, len(words) - 1, 2):
                if words[place].lower() in _SECRET_SETTINGS:
                    words[place + 1] = REDACTED
    return words
