"""Frames of HTTP/2 (RFC 9113, 4.1 and 6): their types and flags, and the small ones in bytes."""

from __future__ import annotations

import os
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""The first bytes of a client (RFC 9113, 3.4)."""

DATA = 0x0
HEADERS = 0x1
PRIORITY = 0x2
RST_STREAM = 0x3
SETTINGS = 0x4
PUSH_PROMISE = 0x5
PING = 0x6
GOAWAY = 0x7
WINDOW_UPDATE = 0x8
CONTINUATION = 0x9
PRIORITY_UPDATE = 0x10  # RFC 9218, 7.1

END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
WITH_PRIORITY = 0x20

HEAD_SIZE = 9
MAX_FRAME = 16_384
"""The largest payload that is received: the initial value of SETTINGS_MAX_FRAME_SIZE, which is not raised."""
MAX_WINDOW = (1 << 31) - 1
MAX_STREAM = (1 << 31) - 1
DEFAULT_WINDOW = 65_535
MAX_FRAMES = 8
"""Frames that one call reads from a file."""

_HEAD = struct.Struct(">IBI").pack
_U32 = struct.Struct(">I").pack
_SETTING = struct.Struct(">HI").pack


def frame_head_in_python(size: int, kind: int, flags: int, number: int) -> bytes:
    """Return the head of a frame.

    :param size: bytes of its payload.
    :param number: its stream; 0: the connection.
    """
    return _HEAD(size << 8 | kind, flags, number)


def read_frames_in_python(fd: int, offset: int, count: int, most: int, number: int, ends: bool) -> bytes:  # noqa: FBT001
    """Read a part of a file into frames of DATA (RFC 9113, 6.1).

    :param count: bytes of content; fewer are read at the end of the file, none behind it.
    :param most: bytes of content in a frame: all but the last have them.
    :param number: their stream.
    :param ends: the last of `count` bytes end the stream.
    :raises OSError: as preadv(2) has it.
    """
    data = os.pread(fd, min(count, MAX_FRAMES * most), offset)
    framed = []
    for at in range(0, len(data), most):
        piece = data[at : at + most]
        framed.append(frame_head(len(piece), DATA, END_STREAM if ends and at + len(piece) == count else 0, number))
        framed.append(piece)
    return b"".join(framed)


try:
    from corepool_http.http2._frames import frame_head as _frame_head
    from corepool_http.http2._frames import read_frames as _read_frames
except ImportError:  # corepool was installed without a compiler
    _frame_head, _read_frames = frame_head_in_python, read_frames_in_python

frame_head, read_frames = _frame_head, _read_frames
SETTINGS_ACK = frame_head(0, SETTINGS, ACK, 0)


def settings(values: dict[int, int]) -> bytes:
    """Return a SETTINGS frame (RFC 9113, 6.5)."""
    return frame_head(6 * len(values), SETTINGS, 0, 0) + b"".join(map(_SETTING, values, values.values()))


def window_update(number: int, increment: int) -> bytes:
    """Return a WINDOW_UPDATE frame (RFC 9113, 6.9)."""
    return frame_head(4, WINDOW_UPDATE, 0, number) + _U32(increment)


def rst_stream(number: int, code: int) -> bytes:
    """Return a RST_STREAM frame (RFC 9113, 6.4)."""
    return frame_head(4, RST_STREAM, 0, number) + _U32(code)


def goaway(last: int, code: int, reason: bytes = b"") -> bytes:
    """Return a GOAWAY frame (RFC 9113, 6.8).

    :param reason: for the people who look at the client.
    """
    return frame_head(8 + len(reason), GOAWAY, 0, 0) + _U32(last) + _U32(code) + reason


def ping(data: bytes, flags: int = 0) -> bytes:
    """Return a PING frame (RFC 9113, 6.7).

    :param data: 8 bytes.
    """
    return frame_head(8, PING, flags, 0) + data
