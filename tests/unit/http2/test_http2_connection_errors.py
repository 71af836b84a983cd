"""What ends a connection of HTTP/2, and with which code: each case names the section of RFC 9113 that it proves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from http2_frames import GET, Played, frame

from corepool_http.http2 import frames
from corepool_http.http2.errors import Code
from corepool_http.http2.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PRIORITY_UPDATE,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    WITH_PRIORITY,
)

if TYPE_CHECKING:
    from collections.abc import Callable

PROTOCOL, SIZE, FLOW = Code.PROTOCOL_ERROR, Code.FRAME_SIZE_ERROR, Code.FLOW_CONTROL_ERROR
COMPRESSION, CLOSED = Code.COMPRESSION_ERROR, Code.STREAM_CLOSED


def setting(name: int, value: int) -> bytes:
    return frame(SETTINGS, 0, 0, name.to_bytes(2) + value.to_bytes(4))


def u32(value: int) -> bytes:
    return value.to_bytes(4)


def unfinished(played: Played, kind: int, stream: int = 1, payload: bytes = b"") -> bytes:
    """A header block that another frame interrupts."""
    return frame(HEADERS, END_STREAM, 1, played.block(GET)) + frame(kind, 0, stream, payload)


def block(data: str) -> Callable[[Played], bytes]:
    return lambda _: frame(HEADERS, END_STREAM | END_HEADERS, 1, bytes.fromhex(data))


def ended(played: Played) -> bytes:
    """A stream that is closed: both sides have ended it."""
    stream = played.request(1)
    played.codec.send_head(stream, 204, b"", -1, True)
    return b""


CASES: dict[str, tuple[Callable[[Played], bytes], Code]] = {
    "4.2 a frame above SETTINGS_MAX_FRAME_SIZE": (lambda _: frame(HEADERS, 0, 1, bytes(16_385)), SIZE),
    "4.2 DATA above SETTINGS_MAX_FRAME_SIZE": (
        lambda p: p.headers(1, ends=False) + frame(DATA, 0, 1, bytes(16_385)),
        SIZE,
    ),
    "4.2 an unknown frame above SETTINGS_MAX_FRAME_SIZE": (lambda _: frame(0xAA, 0, 0, bytes(16_385)), SIZE),
    "4.3 a block that can't be read": (block("82868441ff"), COMPRESSION),
    "4.3 a frame within a header block": (lambda p: unfinished(p, DATA, 1, b"x"), PROTOCOL),
    "4.3 a PING within a header block": (lambda p: unfinished(p, PING, 0, bytes(8)), PROTOCOL),
    "5.1 idle: DATA": (lambda _: frame(DATA, END_STREAM, 1, b"x"), PROTOCOL),
    "5.1 idle: RST_STREAM": (lambda _: frame(RST_STREAM, 0, 1, u32(8)), PROTOCOL),
    "5.1 idle: WINDOW_UPDATE": (lambda _: frame(WINDOW_UPDATE, 0, 1, u32(100)), PROTOCOL),
    "5.1 idle: CONTINUATION": (lambda _: frame(CONTINUATION, END_HEADERS, 1, b""), PROTOCOL),
    "5.1 closed: DATA": (lambda p: ended(p) + frame(DATA, END_STREAM, 1, b"x"), CLOSED),
    "5.1 closed: HEADERS": (lambda p: ended(p) + p.headers(1), CLOSED),
    "5.1 closed: CONTINUATION": (lambda p: ended(p) + frame(CONTINUATION, END_HEADERS, 1, b""), PROTOCOL),
    "5.1.1 an even stream": (lambda p: p.headers(2), PROTOCOL),
    "5.1.1 a stream below the last one": (lambda p: p.headers(5) + p.headers(3), PROTOCOL),
    "5.1.1 RST_STREAM on a stream of the server's": (
        lambda p: p.headers(5) + frame(RST_STREAM, 0, 2, u32(8)),
        PROTOCOL,
    ),
    "6.1 DATA on stream 0": (lambda _: frame(DATA, 0, 0, b"x"), PROTOCOL),
    "6.1 padding as long as the payload": (
        lambda p: p.headers(1, ends=False) + frame(DATA, PADDED, 1, b"\x06hello"),
        PROTOCOL,
    ),
    "6.1 padding without its length": (lambda p: p.headers(1, ends=False) + frame(DATA, PADDED, 1), PROTOCOL),
    "6.2 HEADERS on stream 0": (lambda p: frame(HEADERS, END_HEADERS | END_STREAM, 0, p.block(GET)), PROTOCOL),
    "6.2 padding longer than the payload": (
        lambda p: frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 1, b"\xff" + p.block(GET)),
        PROTOCOL,
    ),
    "6.2 HEADERS without the length of their padding": (lambda _: frame(HEADERS, END_HEADERS | PADDED, 1), SIZE),
    "6.2 HEADERS too short for a priority": (lambda _: frame(HEADERS, END_HEADERS | WITH_PRIORITY, 1, b"ab"), PROTOCOL),
    "6.2 HEADERS of another stream within a block": (lambda p: unfinished(p, HEADERS, 3, b""), PROTOCOL),
    "6.3 PRIORITY on stream 0": (lambda _: frame(PRIORITY, 0, 0, bytes(5)), PROTOCOL),
    "6.4 RST_STREAM on stream 0": (lambda _: frame(RST_STREAM, 0, 0, u32(8)), PROTOCOL),
    "6.4 RST_STREAM of a wrong size": (lambda p: p.headers(1, ends=False) + frame(RST_STREAM, 0, 1, b"abc"), SIZE),
    "6.5 SETTINGS with ACK and a payload": (lambda _: frame(SETTINGS, ACK, 0, bytes(6)), SIZE),
    "6.5 SETTINGS on a stream": (lambda _: frame(SETTINGS, 0, 1), PROTOCOL),
    "6.5 SETTINGS of a wrong size": (lambda _: frame(SETTINGS, 0, 0, bytes(5)), SIZE),
    "6.5.2 SETTINGS_ENABLE_PUSH of 2": (lambda _: setting(2, 2), PROTOCOL),
    "6.5.2 SETTINGS_INITIAL_WINDOW_SIZE of 2^31": (lambda _: setting(4, 1 << 31), FLOW),
    "6.5.2 SETTINGS_MAX_FRAME_SIZE of 16383": (lambda _: setting(5, 16_383), PROTOCOL),
    "6.5.2 SETTINGS_MAX_FRAME_SIZE of 2^24": (lambda _: setting(5, 1 << 24), PROTOCOL),
    "6.6 PUSH_PROMISE of a client": (lambda p: frame(PUSH_PROMISE, END_HEADERS, 1, u32(2) + p.block(GET)), PROTOCOL),
    "6.7 PING on a stream": (lambda _: frame(PING, 0, 1, bytes(8)), PROTOCOL),
    "6.7 PING of a wrong size": (lambda _: frame(PING, 0, 0, bytes(7)), SIZE),
    "6.8 GOAWAY on a stream": (lambda _: frame(GOAWAY, 0, 1, bytes(8)), PROTOCOL),
    "6.8 GOAWAY of a wrong size": (lambda _: frame(GOAWAY, 0, 0, bytes(7)), SIZE),
    "6.9 WINDOW_UPDATE of 0": (lambda _: frame(WINDOW_UPDATE, 0, 0, u32(0)), PROTOCOL),
    "6.9 WINDOW_UPDATE of a wrong size": (lambda _: frame(WINDOW_UPDATE, 0, 0, b"abc"), SIZE),
    "6.9.1 a window above 2^31-1": (lambda _: frame(WINDOW_UPDATE, 0, 0, u32((1 << 31) - 1)) * 2, FLOW),
    "6.9.2 a window of a stream above 2^31-1 by SETTINGS": (
        lambda p: p.headers(1) + frame(WINDOW_UPDATE, 0, 1, u32((1 << 31) - 1 - 65_535)) + setting(4, 65_536),
        FLOW,
    ),
    "6.10 CONTINUATION behind a block that has ended": (
        lambda p: p.headers(1, ends=False) + frame(CONTINUATION, END_HEADERS, 1, p.block(GET)),
        PROTOCOL,
    ),
    "6.10 CONTINUATION behind DATA": (
        lambda p: p.headers(1, ends=False) + frame(DATA, 0, 1, b"x") + frame(CONTINUATION, END_HEADERS, 1, b""),
        PROTOCOL,
    ),
    "6.10 CONTINUATION on stream 0": (lambda p: unfinished(p, CONTINUATION, 0), PROTOCOL),
    "6.10 CONTINUATION on another stream": (lambda p: unfinished(p, CONTINUATION, 3), PROTOCOL),
    "8441 3 SETTINGS_ENABLE_CONNECT_PROTOCOL of 2": (lambda _: setting(8, 2), PROTOCOL),
    "9218 2.1 SETTINGS_NO_RFC7540_PRIORITIES of 2": (lambda _: setting(9, 2), PROTOCOL),
    "9218 2.1 SETTINGS_NO_RFC7540_PRIORITIES that changes": (lambda _: setting(9, 1), PROTOCOL),
    "9218 7.1 PRIORITY_UPDATE on a stream": (lambda _: frame(PRIORITY_UPDATE, 0, 1, u32(1) + b"u=1"), PROTOCOL),
    "9218 7.1 PRIORITY_UPDATE for stream 0": (lambda _: frame(PRIORITY_UPDATE, 0, 0, u32(0) + b"u=1"), PROTOCOL),
    "9218 7.1 PRIORITY_UPDATE of a wrong size": (lambda _: frame(PRIORITY_UPDATE, 0, 0, b"abc"), SIZE),
    "7541 2.3.3 index 0": (block("80"), COMPRESSION),
    "7541 2.3.3 an index beyond the tables": (block("be"), COMPRESSION),
    "7541 2.3.3 a name beyond the tables": (block("7f00"), COMPRESSION),
    "7541 4.2 a size update behind a field": (block("8286844120"), COMPRESSION),
    "7541 4.2 a size update at the end": (block("828684" + "20"), COMPRESSION),
    "7541 5.1 an integer without an end": (block("ffffffffffffffffff"), COMPRESSION),
    "7541 5.1 an integer that is cut off": (block("ff"), COMPRESSION),
    "7541 5.2 padding of 8 bits": (block("8286840085f2b24a84ff874951fffa42"), COMPRESSION),
    "7541 5.2 padding that is no EOS": (block("8286840085f2b24a84ff83495090"), COMPRESSION),
    "7541 5.2 EOS in a string": (block("8286840085f2b24a87fffffffa42"), COMPRESSION),
    "7541 5.2 a string that is cut off": (block("82868441" + "0a" + "61"), COMPRESSION),
    "7541 6.3 a size update above the setting": (block("3fe23f"), COMPRESSION),
}


@pytest.mark.parametrize("case", CASES)
def test_a_connection_ends_with_the_code_of_the_section(case: str) -> None:
    make, code = CASES[case]
    played = Played()
    played.feed(make(played))

    assert played.failure is not None, "the connection goes on"
    assert (played.failure.code, played.failure.abuse) == (code, "")
    assert played.sent[-1].kind == GOAWAY, "6.8: the client is told"
    assert played.sent[-1].code == code
    assert played.feed(frame(PING, 0, 0, bytes(8))) == []
    assert played.sent[-1].kind == GOAWAY, "nothing more is answered"


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\rX",
        PREFACE + frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\x82\x84\x87"),
        PREFACE + frame(SETTINGS, ACK, 0),
        PREFACE + frame(PING, 0, 0, bytes(8)),
    ],
    ids=["HTTP/1", "nearly", "no SETTINGS", "an ACK", "a PING"],
)
def test_a_connection_begins_with_the_preface_and_settings(data: bytes) -> None:
    """RFC 9113, 3.4."""
    played = Played(begin=False)
    played.feed(data)
    assert played.failure is not None
    assert played.failure.code == Code.PROTOCOL_ERROR


@pytest.mark.parametrize(
    ("section", "data"),
    [
        ("4.1 an unknown type", frame(0x16, 0, 0, bytes(8))),
        ("4.1 flags without a meaning", frame(PING, 0xFE, 0, bytes(8))),
        ("4.1 the reserved bit", frame(PING, 0, 1 << 31, bytes(8))),
        ("5.3.2 PRIORITY on an idle stream", frame(PRIORITY, 0, 9, bytes(5))),
        ("5.5 an unknown type on an idle stream", frame(0xEE, 0xFF, 9, b"x")),
        ("6.5.2 an unknown setting", setting(0xFF, 1)),
        ("6.5.3 one setting twice", frame(SETTINGS, 0, 0, b"\0\4\0\0\0\5" + b"\0\4\0\0\0\6")),
        ("6.7 an answer to no ping", frame(PING, ACK, 0, bytes(8))),
        ("6.8 GOAWAY", frame(GOAWAY, 0, 0, bytes(8) + b"bye")),
    ],
)
def test_a_connection_goes_on_after(section: str, data: bytes) -> None:
    played = Played()
    played.feed(data)
    assert played.is_well(), section
    assert played.request(1).request is not None


def test_the_first_frames_of_the_server_are_its_settings() -> None:
    """RFC 9113, 3.4 and 6.5; RFC 8441, 3; RFC 9218, 2.1."""
    played = Played(begin=False, max_streams=7, max_head=2048)
    played.feed(b"")
    first = played.sent[0]
    values = {int.from_bytes(first.payload[at : at + 2]): first.payload[at + 2 : at + 6] for at in range(0, 24, 6)}
    assert (first.kind, first.flags, first.stream) == (SETTINGS, 0, 0)
    assert {name: int.from_bytes(value) for name, value in values.items()} == {3: 7, 6: 2048, 8: 1, 9: 1}


def test_settings_and_pings_are_answered() -> None:
    """RFC 9113, 6.5.3 and 6.7."""
    played = Played()
    played.feed(setting(4, 100), frame(PING, 0, 0, b"01234567"))
    assert [(each.kind, each.flags, each.payload) for each in played.sent] == [
        (frames.SETTINGS, ACK, b""),
        (frames.PING, ACK, b"01234567"),
    ]
