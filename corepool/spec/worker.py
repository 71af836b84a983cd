"""The contract between a plugin and the worker process that it runs in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from corepool.spec.bus import Bus
    from corepool.spec.sharing import LeakyBuckets, Semaphores, SharedCounter, SharedMap
    from corepool.spec.types import ListenerInfo, ThreadGauge, WorkerLoad

T = TypeVar("T")


class Worker(Protocol):
    """A worker process, as `on_worker_start` and `on_worker_stop` see it."""

    requests: int
    """Requests served. A protocol with `counts_requests = True` on its class adds its own, in the loop's thread; for
    any other, each event that brings data counts as one. `status`, metrics and `recycle_requests` go by the sum.
    """

    @property
    def slot(self) -> int:
        """Its stable place in the pool, 0..n-1."""

    @property
    def pool(self) -> str:
        """The name of its pool."""

    @property
    def pid(self) -> int:
        """Its process id."""

    @property
    def generation(self) -> int:
        """How many reloads came before it."""

    @property
    def workers(self) -> int:
        """How many workers the pool was configured with: a store in memory can't be shared by several."""

    @property
    def boot_timeout(self) -> float:
        """Seconds that it has to get ready, including `on_worker_start` of all plugins, before it counts as hung."""

    def boot_s(self) -> float:
        """Return the seconds of `boot_timeout` that are left; imports may have taken most of it.

        A plugin that waits for something in `on_worker_start` gives up before that, and says what it has waited for.
        """

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Its event loop: tasks, timers and asyncio clients run in it beside the connections."""

    @property
    def listeners(self) -> list[ListenerInfo]:
        """The listeners of the pool."""

    def listener_of(self, plugin: object) -> str:
        """Return the name of the listener whose protocol or extension `plugin` is: each listener has its own instance.

        :raises ValueError: it is of no listener.
        """

    def loads(self) -> list[WorkerLoad]:
        """Read the load of every worker of the pool from the scoreboard, this one's included; by slot."""

    async def status(self) -> Mapping[str, object]:
        """Ask the master for the status of all its pools, as `corepool status --json` prints it.

        A master that is stopped or very busy answers late or never: give the call a timeout.

        :raises OSError: the master does not read its messages.
        """

    def gauge_threads(self, most: int) -> ThreadGauge:
        """Make a gauge, for status and metrics, for a plugin that serves connections in at most `most` threads."""

    def metrics_of(self, protocol: object, refresh: Callable[[], None] | None = None) -> Mapping[str, memoryview[int]]:
        """Return the cells of a protocol's own `metrics`, by name: whole numbers of 64 bits, in shared memory.

        Writing to a cell takes about twice as long as to an attribute: counts of each request can be kept in
        attributes, and copied by `refresh`; a crash then costs those of the last second.

        :param protocol: the one that asks, in its `on_worker_start`.
        :param refresh: called in the loop's thread once a second or more often, and before the worker ends.
        :raises ValueError: it is not the protocol of a listener, an extension, say.
        """

    def counter(self, name: str) -> SharedCounter:
        """Return a counter that all workers of the pool add to, in shared memory.

        :param name: the plugin's own choice, beginning with its own. 256 are kept until the pool stops.
        :raises SetupError: there are more.
        :raises TimeoutError: a process was stopped while it had the lock of the directory.
        """

    def buckets(self, name: str, rate: float, burst: int | None = None, most: int = 65_536) -> LeakyBuckets:
        """Return leaky buckets that all workers of the pool take out of, in shared memory.

        :param rate: how much a bucket is filled with in a second.
        :param burst: how much it holds; None: that of a second, and at least 1.
        :param most: room for so many keys: 48 bytes each, where they are used. Beyond that, the buckets that are
            full soonest are forgotten. Another number makes new buckets.
        :raises SetupError: all tables of the pool would have more than 320 MiB, or be more than 64.
        :raises ValueError: these buckets would never be full, or there is room for no key.
        :raises TimeoutError: as of `counter`.
        """

    def semaphores(self, name: str, most: int = 65_536) -> Semaphores:
        """Return semaphores that all workers of the pool hold, in shared memory.

        :param most: room for so many keys, 96 bytes each; one that several workers hold counts several times.
            Beyond that, `acquire` returns None. Another number makes new semaphores.
        :raises SetupError: as of `buckets`.
        :raises TimeoutError: as of `counter`.
        """

    def map(self, name: str, most: int = 1024, size: int = 256) -> SharedMap:
        """Return a map that all workers of the pool read and change, in shared memory.

        :param most: room for so many keys, beyond which `put` and `add` raise MapFullError. Each takes four times
            `size`, and 80 bytes, where it is used. Another number makes a new map.
        :param size: the most bytes of a key and its value, 65,536 at most; another number likewise.
        :raises SetupError: as of `buckets`.
        :raises ValueError: such a map can't be.
        :raises TimeoutError: as of `counter`.
        """

    @property
    def bus(self) -> Bus:
        """The bus: messages between the workers of all pools of this master."""

    def publish(self, topic: bytes | str, data: bytes | bytearray | memoryview | str) -> int:
        """Send a message to every subscription of `topic`, in every worker; see `Bus.publish`."""

    def subscribe(self, topic: bytes | str) -> None:
        """Have the hook `on_message` called with each message on `topic`; see `Bus.subscribe` for patterns.

        As often as it is called for a topic, `unsubscribe` has to be called. From the loop's thread.
        """

    def unsubscribe(self, topic: bytes | str) -> None:
        """Undo one `subscribe`.

        :raises ValueError: there is none of that topic.
        """

    def last_words_s(self) -> float:
        """Return the seconds that `on_worker_stop` may still wait for handlers to clean up.

        All plugins share half a second for that; what a plugin does there itself has `stop_timeout`.
        """

    def stop_s(self) -> float:
        """Return the seconds that `on_worker_stop` of all plugins may still take, before the worker is killed.

        `stop_timeout`, or less than a second when the worker has to stop at once.
        """

    def fail(self, error: BaseException) -> None:
        """Report that this worker is of no use any more: something that a plugin needs, or has started, has failed.

        The error is logged with its traceback. The worker takes no more connections, drains, and exits with status 70:
        a crash, after which another takes its place, with growing back-off if it recurs. From the loop's thread.
        """

    def shared(self, make: Callable[[], T]) -> T:
        """Return the object that `make` has made for this worker: it is called once, however many plugins ask.

        For a resource of all listeners of a worker: a class, or a function of a module, is the key that they have in
        common. The plugins agree among themselves which one ends it.
        """

    def at_batch_end(self, call: Callable[[], None]) -> None:
        """Have `call` called once, when every connection that was ready has had its turn.

        Output that it sends leaves right after it. So a plugin can do work once for a whole batch that would
        cost too much for each request: commit a transaction, say, and only then answer. An exception is logged.
        """

    def on_long_turn(self, limit_s: float, call: Callable[[float, float], None]) -> None:
        """Have `call` called whenever asyncio's callbacks and tasks have kept the loop for longer than `limit_s`.

        It is called at the end of that turn of the loop, with when the callbacks began (on the clock of `loop.time()`)
        and how many seconds they took. The hooks of connections are not among them. An exception is logged.
        """
