"""The head of one response, as an exchange and its stream see it."""

from __future__ import annotations

import http

from corepool_http.values import ResponseError

_REASONS = {status.value: status.phrase for status in http.HTTPStatus}


class Head:
    """A checked status with its headers, but for those that depend on the wire. Many responses may share one."""

    __slots__ = ("bodyless", "closes", "length", "lines", "phrase", "status", "upgrades")

    def __init__(
        self,
        status: int,
        phrase: bytes,
        lines: bytes,
        length: int | None,
        *,
        closes: bool = False,
        bodyless: bool = False,
        upgrades: bool = False,
    ) -> None:
        self.status: int = status
        self.phrase: bytes = phrase
        """The status with its reason, as in `200 OK`."""
        self.lines: bytes = lines
        """The headers, each as `Name: value` with CR LF behind it."""
        self.length: int | None = length
        """The Content-Length in `lines`."""
        self.closes: bool = closes
        """The application asks for the end of the connection after this response."""
        self.bodyless: bool = bodyless
        """No response of this status has content, whatever the request."""
        self.upgrades: bool = upgrades
        """The headers name other protocols in Upgrade, which Connection then has to name."""

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """Return the headers as pairs."""
        pairs = (line.partition(b": ") for line in self.lines.split(b"\r\n")[:-1])
        return [(name, value) for name, _, value in pairs]

    def with_trailer(self, names: bytes) -> Head:
        """Announce trailers.

        :param names: a value of the header Trailer, checked.
        """
        return self._with(b"%bTrailer: %b\r\n" % (self.lines, names), self.length)

    def with_length(self, length: int) -> Head:
        """Announce so many bytes of content, unless the status is of a response without content."""
        if self.bodyless:
            return self
        return self._with(b"%bContent-Length: %d\r\n" % (self.lines, length), length)

    def _with(self, lines: bytes, length: int | None) -> Head:
        return Head(
            self.status,
            self.phrase,
            lines,
            length,
            closes=self.closes,
            bodyless=self.bodyless,
            upgrades=self.upgrades,
        )


def judge_final(head: Head) -> None:
    """Refuse an interim response where the final one is due.

    :raises ResponseError: it is one.
    """
    if head.status < 200:
        raise ResponseError(f"{head.status} is the status of an interim response; the final one is missing")


def has_content(status: int) -> bool:
    """Report whether responses of this status have content, if their request lets them."""
    return status >= 200 and status not in {204, 205, 304}


def reason_of(status: int) -> str:
    """Return the usual reason phrase."""
    return _REASONS.get(status, "")
