"""One worker's connection between the bus of its master and a channel of a server.

What it hears on the bus it publishes on the channel, and the other way round. It hears its own messages again on both
sides: on the channel it knows them by their origin, on the bus by their content, of which two are the same to everyone.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from typing import TYPE_CHECKING

import hiredis

from corepool.logs.rate_limited import RateLimitedLog
from corepool_kv import events
from corepool_kv.bus_link.frames import ORIGIN_BYTES, Frame, pack, unpack
from corepool_kv.remote.request import Request, encode_request
from corepool_kv.remote.routes import find_way

if TYPE_CHECKING:
    import asyncio

    from corepool import Worker
    from corepool_kv.remote.link import Link
    from corepool_kv.remote.node import Node
    from corepool_kv.stores.remote_url import RemoteUrl

log = logging.getLogger(__name__)

_MAX_REPLY = 8 << 20  # a message of the bus has 1 MiB at most
_TIMEOUT_S = 10.0
_AGAIN_S = 0.25
_LOG_INTERVAL_S = 10.0


class Bridge:
    """Implements `link.Settings`. Runs in: the loop's thread of a worker."""

    def __init__(self, url: RemoteUrl, channel: str, topics: list[str], worker: Worker) -> None:
        """Begin.

        :param topics: those that end with `*` are prefixes.
        :raises ValueError: certificates can't be used.
        """
        self.url = url
        self.worker = worker
        self.tls = url.tls_context()
        self.max_reply = _MAX_REPLY
        self.timeout_s = _TIMEOUT_S
        self._channel = channel.encode()
        self._origin = os.urandom(ORIGIN_BYTES)
        self._echoes: Counter[tuple[bytes, bytes]] = Counter()
        """Messages that were published on the bus here, and were not heard there yet."""
        self._log = RateLimitedLog(log, interval_s=_LOG_INTERVAL_S)
        self._reader = hiredis.Reader()
        self._node: Node | None = None
        self._link: Link | None = None
        self._again: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._way = find_way(self)
        self._topics = [each.encode() for each in topics if not each.endswith("*")]
        self._prefixes = tuple(each[:-1].encode() for each in topics if each.endswith("*"))
        self._listening = worker.bus.listen(self._on_bus, self._topics, self._prefixes, lambda _: self._echoes.clear())
        self._subscribe()

    def close(self) -> None:
        """End, and close every connection."""
        self._is_closed = True
        self._listening.close()
        if self._again is not None:
            self._again.cancel()
        self._way.close()

    # --- from the bus to the channel

    def _on_bus(self, topic: bytes, data: bytes) -> None:
        if self._echoes and self._echoes.get((topic, data)):
            self._echoes[topic, data] -= 1
            if not self._echoes[topic, data]:
                del self._echoes[topic, data]
            return
        node = self._way.node_of(None)
        link = node if isinstance(node, str) else node.shared(resp3=False, database=0)
        if isinstance(link, str):
            self._lose(link)
        elif link.is_full:
            self._lose("the server is slow")
        else:
            payload = pack(Frame(self._origin, topic, data))
            link.send(Request(self, encode_request((b"PUBLISH", self._channel, payload))))

    def arrived(self, request: Request) -> None:
        """Take the reply to PUBLISH."""
        assert request.reply is not None
        if request.reply[:1] == b"-":
            self._lose(request.reply[1:].decode(errors="replace").strip())

    def _lose(self, reason: str) -> None:
        events.bus_link_lost(self._log, reason=reason)

    # --- from the channel to the bus

    def _subscribe(self) -> None:
        self._again = None
        if self._is_closed:
            return
        node = self._way.node_of(None)
        link = node if isinstance(node, str) else node.take_own(resp3=False, database=0)
        if isinstance(node, str) or isinstance(link, str):
            self._subscribe_again()
            return
        self._reader = hiredis.Reader()
        self._node, self._link = node, link
        link.pipe = self._on_channel
        link.on_lost = self._on_lost
        link.write(encode_request((b"SUBSCRIBE", self._channel)))

    def _subscribe_again(self) -> None:
        self._again = self.worker.loop.call_later(_AGAIN_S, self._subscribe)

    def _on_lost(self) -> None:
        self._node = self._link = None
        if not self._is_closed:
            self._lose("the connection with the subscription is lost")
            self._subscribe_again()

    def _on_channel(self, data: bytes) -> None:
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not False:
                self._on_reply(reply)
        except hiredis.HiredisError as error:
            self._lose(f"the server has sent no reply: {error}")
            if self._node is not None and self._link is not None:
                self._node.drop_own(self._link)
            self._on_lost()

    def _on_reply(self, reply: object) -> None:
        if isinstance(reply, hiredis.ReplyError):
            self._lose(str(reply))
            return
        if not isinstance(reply, list) or len(reply) != 3 or reply[0] != b"message":
            return
        frame = unpack(reply[2])
        if frame is None or frame.origin == self._origin:
            return
        if frame.topic not in self._topics and not frame.topic.startswith(self._prefixes):
            return  # the other pool joins more topics; and its echo would never be heard
        try:
            self._echoes[frame.topic, frame.data] += 1
            self.worker.publish(frame.topic, frame.data)
        except ValueError:  # longer than the bus of this version takes
            del self._echoes[frame.topic, frame.data]
