"""A channel layer for Django Channels: consumers in all workers talk by the bus.

    CHANNEL_LAYERS = {"default": {"BACKEND": "corepool.contrib.channels.BusChannelLayer"}}

Each worker has the queues of its own channels, and remembers which of them are in a group. A message to a channel of
another worker, and one to a group, is published on the bus. A channel that is no worker's own (a normal channel, in the
words of Channels) has a queue where messages were sent; a worker that waits for one asks the others.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import secrets
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from channels.exceptions import ChannelFull
from channels.layers import BaseChannelLayer

from corepool.contrib.channel_queues import ChannelQueues
from corepool.spec.bus import current_bus

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from corepool.spec.bus import Listening

T = TypeVar("T")

_BYTES = "corepool.bytes"
"""The only key of an object that stands for bytes, which JSON has not."""

_FLUSH, _WANT, _OFFER, _SEND, _SEND_HERE, _ADD, _ADD_HERE, _DISCARD = b"f", b"w", b"o", b"s", b"S", b"a", b"A", b"d"
"""How messages between layers begin. Behind it: a channel, or a number (_ADD_HERE); worker, group or message."""


class BusChannelLayer(BaseChannelLayer):  # type: ignore[misc]
    """Implements the specification of channel layers, with its extensions groups and flush.

    Runs in: workers, in the loop; `send` and `group_send` also in threads, as of a view of WSGI.
    """

    extensions = ("groups", "flush")

    def __init__(
        self,
        prefix: str = "channels",
        expiry: float = 60,
        group_expiry: float = 86_400,
        capacity: int = 100,
        channel_capacity: Mapping[Any, int] | None = None,
    ) -> None:
        """Prepare; nothing is opened yet.

        :param prefix: of topics on the bus: pools of one master share a layer if it is the same.
        :param expiry: seconds until a message that was not received is dropped.
        :param group_expiry: seconds until a channel leaves a group by itself.
        :param capacity: messages that a channel holds.
        :param channel_capacity: that of channels by pattern.
        """
        super().__init__(expiry=expiry, capacity=capacity)
        self.channel_capacity = self.compile_capacities(channel_capacity or {})
        self._prefix = prefix
        self._group_expiry = group_expiry
        self._worker = secrets.token_hex(8)
        self._queues = ChannelQueues(expiry, self.get_capacity, self._leave_all)
        self._groups: dict[str, dict[str, float]] = {}
        """Channels that were added here, by group, and until when they stay."""
        self._on_their_way: Counter[str] = Counter()
        """Messages from here to channels of this worker: they will be in the queues soon."""
        self._adding: dict[str, _Addition] = {}
        """Additions to groups on their way through the bus."""
        self._numbers = itertools.count()
        self._will_go_on = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listening: Listening

    async def new_channel(self, prefix: str = "specific") -> str:
        """Return the name of a new channel of this worker."""
        return f"{prefix}.{self._worker}!{secrets.token_hex(8)}"

    async def send(self, channel: str, message: Mapping[str, object]) -> None:
        """Send to a channel.

        :raises ChannelFull: it holds `capacity` messages; if it is another worker's, the message is dropped there.
        """
        assert isinstance(message, dict), "message is not a dict"
        self.require_valid_channel_name(channel)
        data = _encode(message)
        worker = _worker_of(channel)
        if worker is not None and worker != self._worker:
            current_bus().publish(self._topic(worker), _frame(_SEND, channel, data))
            return
        if self._queues.length(channel) + self._on_their_way[channel] >= self.get_capacity(channel):
            raise ChannelFull(channel)
        await self._in_loop(self._do(self._send_here, channel, data))

    async def receive(self, channel: str) -> dict[str, object]:
        """Wait for a message on a channel, and return it."""
        self.require_valid_channel_name(channel)
        return await self._in_loop(self._receive(channel))

    async def _receive(self, channel: str) -> dict[str, object]:
        await self._open()
        if _worker_of(channel) is None and not self._queues.length(channel):
            current_bus().publish(self._topic("all"), _frame(_WANT, channel, self._worker.encode()))
        return _decode(await self._queues.get(channel))

    async def group_add(self, group: str, channel: str) -> None:
        """Add a channel to a group: from here on it has the messages that are sent to that, by any worker."""
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        worker = _worker_of(channel) or self._worker
        if worker != self._worker:
            current_bus().publish(self._topic(worker), _frame(_ADD, channel, group.encode()))
            return
        await self._in_loop(self._add(group, channel))

    async def group_discard(self, group: str, channel: str) -> None:
        """Remove a channel from a group."""
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        worker = _worker_of(channel) or self._worker
        if worker != self._worker:
            current_bus().publish(self._topic(worker), _frame(_DISCARD, channel, group.encode()))
        else:
            await self._in_loop(self._do(self._discard, group, channel))

    async def group_send(self, group: str, message: Mapping[str, object]) -> None:
        """Send to all channels of a group; those that are full don't get it."""
        assert isinstance(message, dict), "message is not a dict"
        self.require_valid_group_name(group)
        current_bus().publish(self._topic(group, "group"), _encode(message))

    async def flush(self) -> None:
        """Forget all messages and groups, in all workers."""
        current_bus().publish(self._topic("all"), _FLUSH)
        await self._in_loop(self._do(self._forget))

    async def close(self) -> None:
        """Stop listening."""
        if self._loop is not None:
            self._listening.close()
            self._queues.close()
            self._loop = None

    async def _in_loop(self, call: Coroutine[object, object, T]) -> T:
        """Await in the worker's loop: a view that is not asynchronous has a loop of its own, in a thread."""
        if self._loop is None or self._loop is asyncio.get_running_loop():
            return await call
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call, self._loop))

    async def _do(self, call: Callable[..., None], *words: object) -> None:
        await self._open()
        call(*words)

    async def _open(self) -> None:
        """Listen to the others, from the first use in the loop on."""
        if self._loop is None:
            if threading.current_thread() is not threading.main_thread():
                raise RuntimeError(
                    "no consumer has used the channel layer in this worker yet, and this is a thread of it"
                )
            self._loop = asyncio.get_running_loop()
            topics = [self._topic(self._worker), self._topic("all")]
            self._listening = current_bus().listen(self._on_message, topics, on_lost=self._on_lost)
        await _active(self._listening)

    def _send_here(self, channel: str, data: bytes) -> None:
        if _worker_of(channel) is None:
            self._put(channel, data)
        else:  # in its place among those of `group_send`
            self._on_their_way[channel] += 1
            current_bus().publish(self._topic(self._worker), _frame(_SEND_HERE, channel, data))

    def _topic(self, name: str, kind: str = "worker") -> str:
        return f"{self._prefix}.{kind}.{name}"

    def _on_message(self, topic: bytes, data: bytes) -> None:
        group_topic = f"{self._prefix}.group.".encode()
        if topic.startswith(group_topic):
            now = time.monotonic()
            for channel, until in list(self._groups.get(topic.removeprefix(group_topic).decode(), {}).items()):
                if until > now:
                    self._put(channel, data)
            return
        kind, name, rest = data[:1], *data[1:].partition(b"\n")[::2]
        channel = name.decode()
        if kind == _SEND_HERE:
            self._on_their_way[channel] -= 1
            if self._on_their_way[channel] <= 0:
                del self._on_their_way[channel]
            self._put(channel, rest)
        elif kind == _SEND:
            self._put(channel, rest)
        elif kind == _WANT:
            self._give(channel, rest.decode())
        elif kind == _OFFER:
            if self._queues.is_wanted(channel):
                current_bus().publish(self._topic(rest.decode()), _frame(_WANT, channel, self._worker.encode()))
        elif kind == _ADD:
            self._join(rest.decode(), channel)
        elif kind == _ADD_HERE:
            addition = self._adding.pop(name.decode(), None)
            if addition is not None:
                self._join(addition.group, addition.channel)
                if not addition.is_done.done():
                    addition.is_done.set_result(None)
        elif kind == _DISCARD:
            self._discard(rest.decode(), channel)
        elif kind == _FLUSH:
            self._forget()

    def _on_lost(self, count: int) -> None:  # noqa: ARG002
        """Go on without messages that the bus has dropped: there were too many, or this worker was too slow."""
        if self._loop is not None and not self._will_go_on:
            self._will_go_on = True
            self._loop.call_soon(self._go_on)  # it may be told inside of `publish`, of each one

    def _go_on(self) -> None:
        self._will_go_on = False
        self._on_their_way.clear()
        for number in list(self._adding):
            self._send_addition(number)

    def _send_addition(self, number: str) -> None:
        current_bus().publish(self._topic(self._worker), _frame(_ADD_HERE, number, b""))

    def _put(self, channel: str, data: bytes) -> None:
        """Put a message into a queue, if it is not full; the others hear of one that no consumer waits for here."""
        was_wanted = self._queues.is_wanted(channel)
        if self._queues.put(channel, data) and not was_wanted and _worker_of(channel) is None:
            current_bus().publish(self._topic("all"), _frame(_OFFER, channel, self._worker.encode()))

    def _give(self, channel: str, worker: str) -> None:
        """Send a message of a normal channel to a worker that waits for one."""
        if worker != self._worker and self._queues.has_spare(channel):
            current_bus().publish(self._topic(worker), _frame(_SEND, channel, self._queues.pop(channel)))

    async def _add(self, group: str, channel: str) -> None:
        """Add a channel to a group: behind the messages that this worker has sent to the group before."""
        await self._open()
        self._listening.add([self._topic(group, "group")])
        await _active(self._listening)
        number = str(next(self._numbers))
        addition = self._adding[number] = _Addition(group, channel, asyncio.get_running_loop().create_future())
        self._send_addition(number)
        await addition.is_done

    def _join(self, group: str, channel: str) -> None:
        if group not in self._groups:
            self._groups[group] = {}
            self._listening.add([self._topic(group, "group")])
        self._groups[group][channel] = time.monotonic() + self._group_expiry

    def _discard(self, group: str, channel: str) -> None:
        channels = self._groups.get(group, {})
        channels.pop(channel, None)
        if group in self._groups and not channels:
            del self._groups[group]
            self._listening.remove([self._topic(group, "group")])

    def _leave_all(self, channel: str) -> None:
        """Remove a channel from all groups: a message has expired, so no consumer reads it."""
        for group in [group for group, channels in self._groups.items() if channel in channels]:
            self._discard(group, channel)

    def _forget(self) -> None:
        for group in list(self._groups):
            for channel in list(self._groups[group]):
                self._discard(group, channel)
        self._queues.clear()


class _Addition(NamedTuple):
    """A channel that joins a group behind the messages that this worker has sent to the group before."""

    group: str
    channel: str
    is_done: asyncio.Future[None]


def _worker_of(channel: str) -> str | None:
    """Return the worker of a channel that `new_channel` has named; None: it is a normal channel."""
    local, mark, _ = channel.partition("!")
    return local.rpartition(".")[2] if mark else None


async def _active(listening: Listening) -> None:
    if not listening.is_active:
        active = asyncio.get_running_loop().create_future()
        listening.when_active(lambda: None if active.done() else active.set_result(None))
        await active


def _frame(kind: bytes, channel: str, rest: bytes) -> bytes:
    return kind + channel.encode() + b"\n" + rest


def _encode(message: Mapping[str, object]) -> bytes:
    """Spell a message.

    :raises TypeError: it has more than dictionaries, lists, text, bytes, numbers, true, false and None.
    """
    return json.dumps(message, default=_spell, separators=(",", ":")).encode()


def _spell(value: object) -> dict[str, str]:
    if isinstance(value, bytes | bytearray | memoryview):
        return {_BYTES: base64.b64encode(value).decode()}
    raise TypeError(f"a message of a channel layer can't have {value!r}: it is no text, bytes, number, list or dict")


def _decode(data: bytes) -> dict[str, object]:
    message: dict[str, object] = json.loads(data, object_hook=_read)
    return message


def _read(value: dict[str, Any]) -> object:
    return base64.b64decode(value[_BYTES]) if value.keys() == {_BYTES} else value
