"""A request that was forwarded, on its way to a reply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Asker(Protocol):
    """The one that gets the reply."""

    def arrived(self, request: Request) -> None:
        """Take the reply of a request, which it has now."""


class Request:
    """One request and, when it has come, its reply."""

    __slots__ = ("asker", "data", "is_own", "reply", "rewrite", "tries")

    def __init__(self, asker: Asker, data: bytes) -> None:
        """Describe a request that is sent to no server yet.

        :param data: as it is sent.
        """
        self.asker = asker
        self.data = data
        self.reply: bytes | None = None
        self.rewrite: Callable[[bytes], bytes] | None = None
        """Makes the client's reply of the server's."""
        self.is_own = False
        """It was sent on a link of the client's own."""
        self.tries = 0
        """How often it was sent to another server than that of the first time, or again."""

    def answer(self, reply: bytes) -> None:
        """Take the reply, and tell the asker."""
        self.reply = reply if self.rewrite is None else self.rewrite(reply)
        self.asker.arrived(self)


class Silent:
    """The asker of requests whose replies are of no interest. Implements `Asker`."""

    def arrived(self, request: Request) -> None:
        """Forget it."""


def encode_request(words: Sequence[bytes]) -> bytes:
    """Return a request as an array of bulk strings."""
    if len(words) == 2:  # GET and its like
        one, two = words
        return b"*2\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(one), one, len(two), two)
    parts = [b"$%d\r\n%b\r\n" % (len(word), word) for word in words]
    return b"*%d\r\n%b" % (len(parts), b"".join(parts))
