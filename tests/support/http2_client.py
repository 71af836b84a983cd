"""A client of HTTP/2 on the library h2, over a conversation of `corepool.testing` or a socket."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import h2.config
import h2.connection
import h2.events
import h2.settings
from h2.errors import ErrorCodes

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Sequence

    from corepool.testing.conversation import Conversation

Headers = list[tuple[str, str]]


@dataclass
class Answer:
    """A response, as far as it has come."""

    status: int = 0
    headers: Headers = field(default_factory=list)
    content: bytes = b""
    size: int = 0
    """Bytes of its content."""
    trailers: Headers = field(default_factory=list)
    interim: list[tuple[int, Headers]] = field(default_factory=list)
    is_whole: bool = False
    reset: ErrorCodes | int | None = None

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


class Http2Client:
    """One connection."""

    def __init__(
        self,
        send: Callable[[bytes], object],
        receive: Callable[[], bytes],
        *,
        window: int = 65_535,
        takes: bool = True,
        keeps: int | None = None,
        **settings: int,
    ) -> None:
        """Send the preface.

        :param receive: returns bytes that have come; b"": there are none (of a conversation), or the end (of a socket).
        :param window: the initial window of streams.
        :param keeps: bytes of each content, beyond which it is counted only.
        :param takes: open windows as content comes; else `take` does.
        """
        self._send = send
        self._receive = receive
        self.takes = takes
        self._keeps = keeps
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self.h2 = h2.connection.H2Connection(config)
        codes = {getattr(h2.settings.SettingCodes, name.upper()): value for name, value in settings.items()}
        self.h2.local_settings = h2.settings.Settings(
            client=True, initial_values={h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window, **codes}
        )
        self.answers: dict[int, Answer] = {}
        self.order: list[int] = []
        """The numbers of streams, as the ends of their responses have come."""
        self.goaways: list[tuple[int, int]] = []
        """Codes and last streams."""
        self.pings = 0
        self.is_over = False
        self._unread = b""
        self.h2.initiate_connection()
        self.flush()

    @classmethod
    def of(cls, conversation: Conversation, **options: Any) -> Http2Client:
        """Return the client of a conversation."""
        return cls(conversation.send, conversation.receive, **options)

    @classmethod
    def over(cls, sock: socket.socket, **options: Any) -> Http2Client:
        """Return the client of a socket."""
        return cls(sock.sendall, lambda: sock.recv(65_536), **options)

    def send_by(self, send: Callable[[bytes], object]) -> None:
        """Send in another way from here on."""
        self._send = send

    def flush(self) -> None:
        """Send what the library has made."""
        data = self.h2.data_to_send()
        if data:
            self._send(data)

    def begin(
        self,
        target: str,
        *headers: tuple[str, str],
        method: str = "GET",
        content: bytes | None = None,
        more: bool = False,
        at_once: bool = True,
    ) -> int:
        """Send a request and return the number of its stream.

        :param more: content follows.
        :param at_once: else it leaves with the next flush.
        """
        pseudo = [(":method", method), (":scheme", "http"), (":authority", "a"), (":path", target)]
        stream = self.begin_with([*pseudo, *headers], more=content is not None or more, at_once=False)
        if content is not None:
            self.h2.send_data(stream, content, end_stream=not more)
        if at_once:
            self.flush()
        return stream

    def begin_with(
        self, headers: Sequence[tuple[str | bytes, str | bytes]], *, more: bool, at_once: bool = True
    ) -> int:
        """Send a request with these header fields, pseudo-header fields first."""
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, headers, end_stream=not more)
        self.answers[stream] = Answer()
        if at_once:
            self.flush()
        return stream

    def send_all(self, stream: int, pieces: Iterable[bytes]) -> None:
        """Send content and end the stream, as its windows open; a response that comes before all of it is enough."""
        answer = self.answers[stream]
        for piece in pieces:
            at = 0
            while at < len(piece):
                room = min(self.h2.local_flow_control_window(stream), 16_384)
                if room == 0 and not self.read():
                    return
                if answer.is_whole or answer.reset is not None:
                    return
                self.send(stream, piece[at : at + room])
                at += room
        self.send(stream, b"", ends=True)

    def open_tunnel(self, target: str, *headers: tuple[str, str], version: str = "13") -> int:
        """Ask for a WebSocket (RFC 8441)."""
        stream = self.h2.get_next_available_stream_id()
        pseudo = [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "http"),
            (":authority", "a"),
            (":path", target),
        ]
        self.h2.send_headers(stream, [*pseudo, ("sec-websocket-version", version), *headers])
        self.answers[stream] = Answer()
        self.flush()
        return stream

    def send(self, stream: int, data: bytes, *, ends: bool = False) -> None:
        """Send content."""
        self.h2.send_data(stream, data, end_stream=ends)
        self.flush()

    def reset(self, stream: int, code: ErrorCodes = ErrorCodes.CANCEL) -> None:
        """Reset the stream of a request."""
        self.h2.reset_stream(stream, code)
        self.flush()

    def take(self, count: int, stream: int | None = None) -> None:
        """Open a window, of the connection or of a stream."""
        self.h2.increment_flow_control_window(count, stream)
        self.flush()

    def read(self) -> bool:
        """Take bytes that have come, and return whether there were any."""
        data = self._receive()
        if not data:
            self.is_over = True
            return False
        for event in self.h2.receive_data(self._without_goaways(data)):
            self._meet(event)
        self.flush()
        return True

    def _without_goaways(self, data: bytes) -> bytes:
        """Take GOAWAY frames out: behind one the library would read nothing more, and streams go on."""
        data = self._unread + data
        at, kept = 0, b""
        while len(data) - at >= 9 and len(data) - at >= 9 + (size := int.from_bytes(data[at : at + 3])):
            if data[at + 3] == 7:
                last, code = int.from_bytes(data[at + 9 : at + 13]), int.from_bytes(data[at + 13 : at + 17])
                self.goaways.append((code, last))
            else:
                kept += data[at : at + 9 + size]
            at += 9 + size
        self._unread = data[at:]
        return kept

    def read_all(self) -> None:
        """Take all that has come over a conversation."""
        while self.read():
            pass
        self.is_over = False

    def wait(self, *streams: int) -> Answer:
        """Read until these streams have ended, and return the answer of the last."""
        while not all(self.answers[one].is_whole or self.answers[one].reset is not None for one in streams):
            assert self.read(), "the connection has ended"
        return self.answers[streams[-1]]

    def ask(self, target: str, *headers: tuple[str, str], method: str = "GET", content: bytes | None = None) -> Answer:
        """Send a request and wait for its answer."""
        return self.wait(self.begin(target, *headers, method=method, content=content))

    def _meet(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.PingReceived):
            self.pings += 1
            return
        answer = self.answers.get(getattr(event, "stream_id", None) or 0)
        if answer is None:
            return
        if isinstance(event, h2.events.InformationalResponseReceived):
            [(_, status), *headers] = event.headers
            answer.interim.append((int(status), [(str(name), str(value)) for name, value in headers]))
        elif isinstance(event, h2.events.ResponseReceived):
            [(_, status), *headers] = event.headers
            answer.status = int(status)
            answer.headers = [(str(name), str(value)) for name, value in headers]
        elif isinstance(event, h2.events.DataReceived):
            answer.size += len(event.data)
            answer.content += (
                event.data if self._keeps is None else event.data[: max(0, self._keeps - len(answer.content))]
            )
            if self.takes and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.TrailersReceived):
            answer.trailers = [(str(name), str(value)) for name, value in event.headers]
        elif isinstance(event, h2.events.StreamEnded):
            answer.is_whole = True
            self.order.append(event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            answer.reset = event.error_code
