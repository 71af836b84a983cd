"""Errors of HTTP/2 (RFC 9113, 5.4 and 7): of a connection, and of one of its streams."""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """Error codes of RST_STREAM and GOAWAY (RFC 9113, 7)."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    CONNECT_ERROR = 0xA
    ENHANCE_YOUR_CALM = 0xB
    INADEQUATE_SECURITY = 0xC
    HTTP_1_1_REQUIRED = 0xD


class Failure(Exception):  # noqa: N818  # `Codec.failure` holds it, as a value
    """A connection error (RFC 9113, 5.4.1): nothing more is read, and the connection ends with a GOAWAY."""

    def __init__(self, code: Code, reason: str, abuse: str = "") -> None:
        """Describe the error.

        :param abuse: the name of a bound that was exceeded, for a counter; empty if a rule was broken.
        """
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.abuse = abuse


class StreamFailure(Exception):  # noqa: N818  # likewise
    """A stream error (RFC 9113, 5.4.2): the stream ends with a RST_STREAM, and the others go on."""

    def __init__(self, code: Code, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def malformed(reason: str) -> StreamFailure:
    """Return the error for a malformed request (RFC 9113, 8.1.1)."""
    return StreamFailure(Code.PROTOCOL_ERROR, reason)
