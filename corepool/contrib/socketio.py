"""Client managers for python-socketio: events reach the clients of all workers, by the bus.

    import socketio
    from corepool.contrib.socketio import AsyncBusManager

    server = socketio.AsyncServer(async_mode="asgi", client_manager=AsyncBusManager())
    app = socketio.ASGIApp(server)

Clients that begin with long-polling need a worker of their own for all their requests: docs/howto/sticky-sessions.md.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from socketio.async_pubsub_manager import AsyncPubSubManager
from socketio.pubsub_manager import PubSubManager

from corepool.spec.bus import current_bus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from corepool.spec.bus import Subscription

_TOPICS = "socketio."

_PATIENCE_S = 10.0
"""Of a client, until its worker listens. It takes a millisecond, if the loop is not blocked."""


class AsyncBusManager(AsyncPubSubManager):  # type: ignore[misc]
    """For `socketio.AsyncServer`: emits, rooms and disconnections go to the servers of all workers.

    A message of Socket.IO that takes more than 1 MiB as JSON is a ValueError for who emits it.
    """

    name = "asyncbus"

    def __init__(self, channel: str = "socketio", logger: Any = None, json: Any = None) -> None:
        """Join the servers of a channel.

        :param channel: a name: servers with the same one share their clients.
        :param logger: as of `AsyncPubSubManager`.
        :param json: likewise.
        """
        super().__init__(channel=channel, logger=logger, json=json)
        self._messages: Subscription

    def initialize(self) -> None:
        """Subscribe. Called by the server, at its first client."""
        self._messages = current_bus().subscribe(_TOPICS + self.channel)
        super().initialize()

    async def pre_connect(self, eio_sid: str, namespace: str) -> Any:
        """Let a client in, when every message of others reaches this worker."""
        await self._messages.ready()
        return await super().pre_connect(eio_sid, namespace)

    async def _publish(self, data: Mapping[str, object]) -> None:
        current_bus().publish(_TOPICS + self.channel, self.json.dumps(data))

    async def _listen(self) -> AsyncIterator[bytes]:
        async for message in self._messages:
            yield message.data
        await asyncio.Event().wait()  # the worker ends, and cancels this; messages that end are logged as an error


class BusManager(PubSubManager):  # type: ignore[misc]
    """For `socketio.Server`, in an application of WSGI with threads."""

    name = "bus"

    def __init__(self, channel: str = "socketio", logger: Any = None, json: Any = None) -> None:
        """Join the servers of a channel; arguments as of `AsyncBusManager`."""
        super().__init__(channel=channel, logger=logger, json=json)
        self._is_listening = threading.Event()

    def pre_connect(self, eio_sid: str, namespace: str) -> Any:
        """Let a client in, when every message of others reaches this worker.

        :raises TimeoutError: it has not come to listen: the log says why.
        """
        if not self._is_listening.wait(_PATIENCE_S):
            raise TimeoutError(f"python-socketio has not subscribed to the bus after {_PATIENCE_S:g} s")
        return super().pre_connect(eio_sid, namespace)

    def _publish(self, data: Mapping[str, object]) -> None:
        current_bus().publish(_TOPICS + self.channel, self.json.dumps(data))

    def _listen(self) -> Iterator[bytes]:
        with current_bus().subscribe_in_thread(_TOPICS + self.channel) as messages:
            self._is_listening.set()
            for message in messages:
                yield message.data
        threading.Event().wait()  # the worker ends, and this daemon with it; messages that end are logged as an error
