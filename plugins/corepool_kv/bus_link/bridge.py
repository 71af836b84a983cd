"""One worker's connection between the bus of its master and a channel of a server.

What it hears on the bus it publishes on the channel, and the other way round. It hears its own messages again on both
sides: on the channel it knows them by their origin, on the bus by their content, of which two are the same to everyone.

Messages have numbers, also those that could not be sent. So the other side knows how many it has missed, for whatever
reason, by the next message or beat, and has its subscribers told.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

import hiredis

from corepool.logs.rate_limited import RateLimitedLog
from corepool_kv import events
from corepool_kv.bus_link.frames import Frame, Numbers, pack, unpack
from corepool_kv.remote.request import Request, encode_request
from corepool_kv.remote.routes import find_way

if TYPE_CHECKING:
    import asyncio

    from corepool import Worker
    from corepool_kv.bus_link.memory import Memory
    from corepool_kv.remote.link import Link
    from corepool_kv.remote.node import Node
    from corepool_kv.stores.remote_url import RemoteUrl

log = logging.getLogger(__name__)

_MAX_REPLY = 8 << 20  # a message of the bus has 1 MiB at most
_TIMEOUT_S = 10.0
_AGAIN_S = 0.25
_LOG_INTERVAL_S = 10.0
_BEAT_S = 1.0


class Bridge:
    """Implements `link.Settings`. Runs in: the loop's thread of a worker."""

    def __init__(self, url: RemoteUrl, channel: str, topics: list[str], worker: Worker, memory: Memory) -> None:
        """Begin, where the pool's last bridge has ended.

        :param topics: those that end with `*` are prefixes.
        :raises ValueError: certificates can't be used.
        """
        self.url = url
        self.worker = worker
        self.tls = url.tls_context()
        self.max_reply = _MAX_REPLY
        self.timeout_s = _TIMEOUT_S
        self._channel = channel.encode()
        self._memory = memory
        memory.begin()
        self._numbers = Numbers(memory.known())
        self._is_telling = False
        """Subscribers are being told of a loss, this one as well: it is none of this pool's."""
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
        self._listening = worker.bus.listen(self._on_bus, self._topics, self._prefixes, self._on_bus_lost)
        self._subscribe()
        self._beating = worker.loop.call_later(_BEAT_S, self._beat)

    def close(self) -> None:
        """End, and close every connection."""
        self._is_closed = True
        self._listening.close()
        self._beating.cancel()
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
        failed = self._send(Frame(self._memory.origin, self._memory.next_number(), topic, data))
        if failed:
            self._lose(failed)

    def _on_bus_lost(self, count: int) -> None:
        if not self._is_telling:
            self._echoes.clear()
            self._memory.next_number(count)

    def _beat(self) -> None:
        self._send(Frame(self._memory.origin, self._memory.last_number))
        self._beating = self.worker.loop.call_later(_BEAT_S, self._beat)

    def _send(self, frame: Frame) -> str:
        """Publish on the channel; return the reason if that can't be."""
        node = self._way.node_of(None)
        link = node if isinstance(node, str) else node.shared(resp3=False, database=0)
        if isinstance(link, str):
            return link
        if link.is_full:
            return "the server is slow"
        link.send(Request(self, encode_request((b"PUBLISH", self._channel, pack(frame)))))
        return ""

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
        heard: set[bytes] = set()
        try:
            while (reply := self._reader.gets()) is not False:
                self._on_reply(reply, heard)
        except hiredis.HiredisError as error:
            self._lose(f"the server has sent no reply: {error}")
            if self._node is not None and self._link is not None:
                self._node.drop_own(self._link)
            self._on_lost()
        for origin in heard:
            self._memory.keep(origin, self._numbers[origin])

    def _on_reply(self, reply: object, heard: set[bytes]) -> None:
        if isinstance(reply, hiredis.ReplyError):
            self._lose(str(reply))
            return
        if not isinstance(reply, list) or len(reply) != 3 or reply[0] != b"message":
            return
        frame = unpack(reply[2])
        if frame is None or frame.origin == self._memory.origin:
            return
        lost = self._numbers.take(frame)
        heard.add(frame.origin)
        if lost:
            self._tell(lost)
        if not frame.topic:
            return
        if frame.topic not in self._topics and not frame.topic.startswith(self._prefixes):
            return  # the other pool joins more topics; and its echo would never be heard
        try:
            self._echoes[frame.topic, frame.data] += 1
            self.worker.publish(frame.topic, frame.data)
        except ValueError:  # longer than the bus of this version takes
            del self._echoes[frame.topic, frame.data]

    def _tell(self, count: int) -> None:
        """Have subscribers know of messages of another pool that they will not get."""
        self._lose(f"{count} messages of another pool have not arrived")
        self._is_telling = True
        try:
            self.worker.bus.lose(count, self._topics, self._prefixes)
        finally:
            self._is_telling = False
