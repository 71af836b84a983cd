"""The handshake of a WebSocket, as far as every version of HTTP has it: version and extensions (RFC 6455, 4.2 and 9).

The websockets package negotiates them. It would also answer the key, which only HTTP/1 has: that is its driver's part.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from websockets.datastructures import Headers
from websockets.http11 import Request, Response

if TYPE_CHECKING:
    from websockets.server import ServerProtocol

    from corepool_http.message import Section

_ANY_KEY = "AAAAAAAAAAAAAAAAAAAAAA=="
_EXTENSIONS = "Sec-WebSocket-Extensions"


class HandshakeError(Exception):
    """The handshake is invalid; answer it with this status and these headers."""

    def __init__(self, status: int, reason: str, headers: list[tuple[str, str]]) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = headers


def negotiate(protocol: ServerProtocol, section: Section) -> list[tuple[str, str]]:
    """Judge a handshake and agree on extensions.

    :param section: of a request that asks for a WebSocket.
    :return: headers of the answer, to be sent when the application accepts.
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
    return [(_EXTENSIONS, value) for value in response.headers.get_all(_EXTENSIONS)]


def begin_frames(protocol: ServerProtocol) -> None:
    """Let the package send and receive frames: the handshake was answered."""
    protocol.send_response(Response(101, "Switching Protocols", Headers()))
    protocol.data_to_send()  # the answer as the package would have sent it


def _as_package_request(section: Section) -> Request:
    """Return the part that the package has to judge."""
    headers = Headers()
    headers["Connection"] = "Upgrade"
    headers["Upgrade"] = "websocket"
    headers["Sec-WebSocket-Key"] = _ANY_KEY
    headers["Sec-WebSocket-Version"] = "13"
    extensions = section.joined(_EXTENSIONS.lower().encode())
    if extensions is not None:
        headers[_EXTENSIONS] = extensions.decode("latin-1")
    return Request("/", headers)
