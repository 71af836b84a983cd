"""The contract between an exchange and the driver of a version of HTTP: how responses and tunnels reach the client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _typeshed import FileDescriptorLike

    from corepool_http.head import Head
    from corepool_http.message import Fields
    from corepool_http.responses import Heads


class Output(Protocol):
    """The client's readiness for output."""

    @property
    def congested(self) -> bool:
        """True while the client doesn't read enough for more."""

    @property
    def closed(self) -> bool:
        """True when nothing can be sent any more."""

    @property
    def eof(self) -> bool:
        """True when the client has ended its side. It may still read."""

    def send_now(self) -> None:
        """Hand buffered output to the kernel, as much as the client takes."""


class Tunnel(Output, Protocol):
    """Bytes in both directions, in the place of a request and its response."""

    def send(self, data: bytes) -> None:
        """Send bytes."""

    def close(self) -> None:
        """Send buffered output, then close."""

    def abort(self) -> None:
        """Close at once and drop buffered output."""

    def pause(self) -> None:
        """Stop receiving until `resume`."""

    def resume(self) -> None:
        """Undo `pause`."""

    def deadline(self, seconds: float | None) -> None:
        """Ask for `TunnelUser.on_deadline` in `seconds`, in place of any earlier deadline; None: no deadline."""


class TunnelUser(Protocol):
    """The application's end of a tunnel."""

    def receive(self, data: bytes) -> None:
        """Take bytes. None, with the tunnel at its `eof`: the client has ended its side."""

    def room(self) -> None:
        """Go on sending: the client has read."""

    def gone(self) -> None:
        """End: the client has gone."""

    def leave(self) -> None:
        """End soon: the worker leaves."""

    def on_deadline(self) -> None:
        """Act on the deadline that was asked for."""


class Stream(Protocol):
    """One request's way to its client. Each version of HTTP has its own."""

    @property
    def output(self) -> Output:
        """The connection, or the request's share of it."""

    @property
    def heads(self) -> Heads:
        """The maker of heads, for errors."""

    def begin(self, head: Head, size: int | None, content: bytes) -> None:
        """Send a head, with all of the content or with none.

        :param size: bytes of content, or None: it follows in pieces. More than `content` has if it must not be sent.
        """

    def hint(self, lines: bytes) -> None:
        """Send 103 (Early Hints), unless the client is too old for interim responses. Never called after `begin`.

        :param lines: headers, checked, each as `Name: value` with CR LF behind it.
        """

    def send(self, data: bytes) -> None:
        """Send a piece of content."""

    def send_file(self, file: FileDescriptorLike, offset: int, count: int) -> None:
        """Send a part of a file as content."""

    def end(self) -> None:
        """End a response that is whole."""

    def end_with(self, trailers: Fields) -> None:
        """End a response that is whole, with trailers behind its content, if it has a place for them.

        :param trailers: one at least, checked, with names in lower case. The client asked for such.
        """

    def break_off(self) -> None:
        """End a response so that its client sees that it is not whole."""

    def want_content(self, *, invites: bool) -> None:
        """Receive content of the request.

        :param invites: the client waits for 100 (Continue) before it sends any.
        """

    def open_tunnel(self, user: TunnelUser) -> tuple[Tunnel, bytes]:
        """Make the connection a tunnel, and return it with the bytes that have arrived already.

        :raises RefusedError: the request does not allow it.
        """

    def accept_tunnel(self, headers: Sequence[tuple[str, str]]) -> int:
        """Answer that the client has a tunnel, and return the status.

        :raises ResponseError: these are no headers.
        """

    def end_tunnel(self) -> None:
        """Wait for the client to close the tunnel: the application has."""
