"""The handshake of a WebSocket: a request that was judged is answered by the websockets package (RFC 6455, 4.2)."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from websockets.datastructures import Headers
from websockets.http11 import Request

if TYPE_CHECKING:
    from websockets.http11 import Response
    from websockets.server import ServerProtocol

    from corepool_http.message import Section


class HandshakeError(Exception):
    """The handshake is invalid; answer it with this status and these headers."""

    def __init__(self, status: int, reason: str, headers: list[tuple[str, str]]) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = headers


def negotiate(protocol: ServerProtocol, section: Section) -> Response:
    """Judge a handshake and agree on extensions.

    :param section: of a GET of HTTP/1.1 whose wish to upgrade to a WebSocket was found out already.
    :return: the response that accepts it, to be sent when the application does.
    :raises HandshakeError: it is invalid.
    """
    version = section.single(b"sec-websocket-version")
    if version != b"13":
        headers = [("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")]  # RFC 6455, 4.4; RFC 9110, 15.5.22
        raise HandshakeError(426, f"Sec-WebSocket-Version: {version!r}", headers)
    response = protocol.accept(_as_package_request(section))
    if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
        raise HandshakeError(response.status_code, str(protocol.handshake_exc), [])
    # The package's reader expects a request before frames: by its own limits, which are not those of our options.
    protocol.receive_data(b"GET / HTTP/1.1\r\n\r\n")
    protocol.events_received()
    return response


def _as_package_request(section: Section) -> Request:
    """Return what the package has to judge, and nothing that was judged before."""
    headers = Headers()
    headers["Connection"] = "Upgrade"
    headers["Upgrade"] = "websocket"
    for name in (b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-extensions"):
        value = section.joined(name)
        if value is not None:
            headers[name.decode()] = value.decode("latin-1")
    return Request("/", headers)
