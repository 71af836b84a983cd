"""Exchanges of access logs whose formats have headers of the response, or variables of the application's environ.

Other formats cost nothing for it: the exchanges of a listener are of this class only if its format asks for that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_http.exchange import Exchange

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from corepool_http.client import Client
    from corepool_http.head import Head
    from corepool_http.message import Request
    from corepool_http.stream import Stream


class NotingExchange(Exchange):
    """One that remembers them for its line."""

    __slots__ = ("_environ", "_fields", "_noted", "_size")

    def __init__(self, stream: Stream, request: Request, client: Client, began_s: float) -> None:
        super().__init__(stream, request, client, began_s)
        self._noted: Head | None = None
        self._size: int | None = None
        self._fields: Sequence[tuple[str, str]] = ()
        self._environ: Mapping[str, object] = {}

    def respond(self, head: Head, content: bytes) -> None:
        self._noted, self._size = head, None if head.bodyless else len(content)
        super().respond(head, content)

    def start(self, head: Head) -> None:
        self._noted, self._size = head, None
        super().start(head)

    def accept_tunnel(self, headers: Sequence[tuple[str, str]]) -> None:
        self._fields = headers
        super().accept_tunnel(headers)

    def note(self, environ: Mapping[str, object]) -> None:
        """Remember the environ, or scope, that the application is called with: it may write to it."""
        self._environ = environ

    def response_header(self, name: str) -> str:
        """Return a header of the response; empty if it has none.

        :param name: in small letters.
        """
        fields = [(key.lower(), value) for key, value in self._fields]
        if self._noted is not None:
            pairs = self._noted.fields
            fields += [(key.decode("latin-1").lower(), value.decode("latin-1")) for key, value in pairs]
        found = [value for key, value in fields if key == name]
        if not found and name == "content-length" and self._size is not None:
            return str(self._size)
        return ", ".join(found)

    def variable(self, name: str) -> str:
        """Return a text or number of the environ or scope; empty if it has none of that name.

        :param name: as it is there, or in small letters, as gunicorn has them.
        """
        value = self._environ.get(name, self._environ.get(name.upper()))
        if isinstance(value, bytes):
            return value.decode("latin-1")
        return str(value) if isinstance(value, str | int | float) else ""
