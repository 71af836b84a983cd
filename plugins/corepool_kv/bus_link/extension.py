"""The extension `bus-link`: it joins the buses of several hosts. One worker of a master has the connection at a time.

The first worker that holds its pool's semaphore is the pool's candidate; when it ends, for whatever reason, another one
is at once. Of the candidates of all pools on the bus, and of both masters at an upgrade, one is elected.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from corepool import Options, SetupError, hookimpl
from corepool_kv.bus_link.bridge import Bridge
from corepool_kv.bus_link.election import Election
from corepool_kv.bus_link.memory import Memory
from corepool_kv.stores.remote_url import is_remote, parse_remote_url

if TYPE_CHECKING:
    import asyncio

    from corepool import Hold, Semaphores, Worker

_LOOK_INTERVAL_S = 0.1
_MAX_CHANNELS = 64
_MAX_TOPIC_BYTES = 4096


def _is_server(url: str) -> str:
    if not is_remote(url):
        raise ValueError("expected redis://, rediss://, unix:// or cluster://")
    parse_remote_url(url)
    return url


def _is_topic(topic: str) -> str:
    if not 0 < len(topic.encode()) <= _MAX_TOPIC_BYTES:
        raise ValueError(f"a topic has 1 to {_MAX_TOPIC_BYTES} bytes")
    return topic


class BusLinkOptions(Options):
    """[listener.extension_options.bus-link]."""

    url: Annotated[str, AfterValidator(_is_server)]
    """The servers: "redis://HOST:PORT", "rediss://", "unix:///PATH", "cluster://HOST:PORT,HOST:PORT"."""

    topics: Annotated[list[Annotated[str, AfterValidator(_is_topic)]], Field(min_length=1)]
    """Topics that all pools have in common; those that end with `*` are prefixes."""

    channel: Annotated[str, Field(min_length=1, max_length=256)] = "corepool"
    """The channel on the servers: pools that name the same one are joined."""


class BusLink:
    """Join the bus with those of other pools."""

    Options = BusLinkOptions

    def __init__(self, options: BusLinkOptions) -> None:
        """Connect to nothing yet."""
        self._options = options
        self._url = parse_remote_url(options.url)
        self._worker: Worker
        self._semaphores: Semaphores
        self._link = f"{options.channel} {self._url}"
        self._hold: Hold | None = None
        self._memory: Memory
        self._election: Election | None = None
        self._bridge: Bridge | None = None
        self._looking: asyncio.TimerHandle | None = None

    @hookimpl
    def on_worker_start(self, worker: Worker) -> None:
        self._worker = worker
        self._semaphores = worker.semaphores("corepool-bus-link", most=_MAX_CHANNELS)
        self._memory = Memory(worker, self._link)
        try:
            self._url.tls_context()
        except ValueError as error:
            raise SetupError(f"bus-link: {self._url}: {error}") from None
        self._look()

    @hookimpl
    def on_worker_stop(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
        if self._election is not None:
            self._election.close()
        self._leave()
        if self._hold is not None:
            self._hold.release()

    def _look(self) -> None:
        """Be the candidate of this pool if no other worker is."""
        self._looking = None
        try:
            self._hold = self._semaphores.acquire(self._link, 1)
        except TimeoutError:  # a worker was stopped in the middle of it
            self._hold = None
        if self._hold is None:
            self._looking = self._worker.loop.call_later(_LOOK_INTERVAL_S, self._look)
            return
        topic = b"corepool-bus-link " + hashlib.sha256(self._link.encode()).digest()
        self._election = Election(self._worker.loop, self._worker.bus, topic, self._begin, self._leave)

    def _begin(self) -> None:
        options = self._options
        self._bridge = Bridge(self._url, options.channel, options.topics, self._worker, self._memory)

    def _leave(self) -> None:
        if self._bridge is not None:
            self._bridge.close()
            self._bridge = None
