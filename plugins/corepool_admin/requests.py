"""Requests as far as probes make them: a line, some headers, no content. By llhttp, in its strict mode."""

from __future__ import annotations

from collections import deque

import httptools

_MOST_BYTES = 8192
_MOST_WAITING = 16


class RequestReader:
    """Reads the requests of one connection."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[str, str, bool]] = deque()
        self._target = b""
        self._since_last = 0
        self.is_wrong = False
        """What came is no request, or none for us: too long, with content, or too many at once."""

    def feed(self, data: bytes) -> None:
        """Take what was received."""
        left = data
        while left and not self.is_wrong:
            left = self._feed(left)

    def take(self) -> tuple[str, str, bool] | None:
        """Take the next one: its method, its path, and whether the connection stays."""
        return self._waiting.popleft() if self._waiting else None

    def _feed(self, data: bytes) -> bytes:
        """Take what llhttp takes at once; return the rest."""
        self._since_last += len(data)
        left = b""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # No other protocol is served: the wish is ignored (RFC 9110, 7.8), and the next request follows.
            left = data[upgrade.args[0] :]
            self._parser = httptools.HttpRequestParser(self)
        except httptools.HttpParserError:
            self.is_wrong = True
        if self._since_last > _MOST_BYTES or len(self._waiting) > _MOST_WAITING:
            self.is_wrong = True
        return left

    # --- what llhttp calls

    def on_message_begin(self) -> None:
        self._target = b""

    def on_url(self, target: bytes) -> None:
        self._target += target

    def on_header(self, name: bytes, value: bytes) -> None:
        # Content: llhttp does not read that of a request with a wish to upgrade.
        kind = name.lower()
        if kind == b"transfer-encoding" or (kind == b"content-length" and value.strip(b"0")):
            self.is_wrong = True

    def on_message_complete(self) -> None:
        self._since_last = 0
        target = self._target.partition(b"?")[0].decode("latin-1")
        # RFC 9112, 3.2.2: a server accepts the absolute form, whoever sends it.
        path = target if target[:1] == "/" else "/" + target.partition("://")[2].partition("/")[2]
        self._waiting.append((self._parser.get_method().decode(), path, self._parser.should_keep_alive()))
