"""The codec of HTTP/2 without a connection, and a client that sends it whatever frames a test asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import hpack

from corepool_http.http2 import frames
from corepool_http.http2.codec import Codec, KnownBlocks
from corepool_http.http2.frames import PREFACE
from corepool_http.http2.streams import LOST, REQUEST, BaseStream
from corepool_http.options import ServerOptions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corepool_http.http2.errors import Failure
    from corepool_http.http2.windows import ExtraRoom

GET = [(":method", "GET"), (":scheme", "https"), (":authority", "example.com"), (":path", "/")]
POST = [(":method", "POST"), *GET[1:]]


class Frame(NamedTuple):
    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def code(self) -> int:
        """The error code of RST_STREAM or GOAWAY."""
        return int.from_bytes(self.payload[-4:] if self.kind == frames.RST_STREAM else self.payload[4:8])


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


def split(data: bytes) -> list[Frame]:
    found = []
    while data:
        size = int.from_bytes(data[:3])
        found.append(Frame(data[3], data[4], int.from_bytes(data[5:9]), data[9 : 9 + size]))
        data = data[9 + size :]
    return found


class Clock:
    """Seconds, as a test wants them."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Played:
    """A codec, and its client."""

    def __init__(
        self,
        *,
        begin: bool = True,
        max_streams: int = 128,
        websockets: bool = True,
        extra: ExtraRoom | None = None,
        **options: object,
    ) -> None:
        self.clock = Clock()
        self.codec = Codec(
            ServerOptions(**options),
            KnownBlocks(),
            BaseStream,
            max_streams=max_streams,
            serves_websockets=websockets,
            extra=extra,
            clock=self.clock,
        )
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder()
        self.streams: dict[int, BaseStream] = {}
        self.lost: list[int] = []
        self.sent: list[Frame] = []
        """The codec's frames, but for those of the beginning."""
        if begin:
            self.feed(PREFACE, frame(frames.SETTINGS, 0, 0), frame(frames.SETTINGS, frames.ACK, 0))
            self.sent.clear()

    @property
    def failure(self) -> Failure | None:
        return self.codec.failure

    def feed(self, *data: bytes) -> list[BaseStream]:
        """Send bytes, and take what the codec answers."""
        news = self.codec.receive(b"".join(data))
        for stream in news:
            if stream.news & LOST:
                self.lost.append(stream.number)
            if stream.news & REQUEST:
                self.streams[stream.number] = stream
            stream.news = 0
        self.sent += split(self.codec.take())
        return news

    def block(self, fields: Iterable[tuple[str | bytes, str | bytes]]) -> bytes:
        return self.encoder.encode(list(fields), huffman=True)

    def headers(
        self, stream: int, fields: Iterable[tuple[str | bytes, str | bytes]] = GET, *, ends: bool = True
    ) -> bytes:
        flags = frames.END_HEADERS | (frames.END_STREAM if ends else 0)
        return frame(frames.HEADERS, flags, stream, self.block(fields))

    def request(self, stream: int = 1, fields: Iterable[tuple[str | bytes, str | bytes]] = GET) -> BaseStream:
        """Send a request without content, and return its stream."""
        self.feed(self.headers(stream, fields))
        return self.streams[stream]

    def upload(self, stream: int = 1, *more: tuple[str, str]) -> BaseStream:
        """Send the head of a request with content, and return its stream."""
        self.feed(self.headers(stream, [*POST, *more], ends=False))
        return self.streams[stream]

    def of_kind(self, kind: int) -> list[Frame]:
        return [each for each in self.sent if each.kind == kind]

    def resets(self) -> list[tuple[int, int]]:
        """The streams that the codec has reset, with the codes."""
        return [(each.stream, each.code) for each in self.of_kind(frames.RST_STREAM)]

    def is_well(self) -> bool:
        """The connection goes on: a ping is answered."""
        before = len(self.of_kind(frames.PING))
        self.feed(frame(frames.PING, 0, 0, b"is well?"))
        return self.failure is None and len(self.of_kind(frames.PING)) > before
