"""Messages of a WebSocket's client that its application has not received yet: put together, within bounds."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from websockets.frames import Opcode

if TYPE_CHECKING:
    from websockets.frames import Frame

    from corepool_http.apps.asgi_messages import Message

_MAX_WAITING = 64
"""How many messages may wait for the application; then the client is not read. In bytes the limit is `max_message`."""


class Inbox:
    """Puts frames together to messages of ASGI, and keeps them until they are taken."""

    __slots__ = ("_bytes", "_is_text", "_messages", "_most_bytes", "_parts")

    def __init__(self, most_bytes: int) -> None:
        """Begin with websocket.connect."""
        self._messages: deque[tuple[Message, int]] = deque([({"type": "websocket.connect"}, 0)])
        self._bytes = 0
        """Of all messages that wait."""
        self._most_bytes = most_bytes
        self._parts = bytearray()
        """Of a message whose end has not come."""
        self._is_text = False

    @property
    def is_full(self) -> bool:
        """True when no more is to be read."""
        return len(self._messages) >= _MAX_WAITING or self._bytes > self._most_bytes

    @property
    def is_half_empty(self) -> bool:
        """True when there is room enough to read on."""
        return len(self._messages) <= _MAX_WAITING // 2 and self._bytes <= self._most_bytes // 2

    def put(self, frame: Frame) -> bool:
        """Take a frame with data, and report whether it has completed a message.

        :raises UnicodeDecodeError: a text is not UTF-8.
        """
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
        if not frame.fin or self._parts:
            self._parts += frame.data
        if not frame.fin:
            return False
        data = bytes(self._parts or frame.data)
        self._parts.clear()
        message: Message = {"type": "websocket.receive"}
        if self._is_text:
            message["text"] = data.decode()
        else:
            message["bytes"] = data
        self._messages.append((message, len(data)))
        self._bytes += len(data)
        return True

    def take(self) -> Message | None:
        """Return the message that has waited longest; None when there is none."""
        if not self._messages:
            return None
        message, size = self._messages.popleft()
        self._bytes -= size
        return message

    def clear(self) -> None:
        """Drop waiting messages: the application will not take them."""
        self._messages.clear()
        self._parts.clear()
        self._bytes = 0
