"""The configuration as frozen values: one class per TOML table, one field per key.

Each default says whose it matches or what breaks when it is raised or lowered. Durations are in
seconds here, whatever unit the file used.
"""

from __future__ import annotations

from typing import Annotated, Literal

from corepool.config.addresses import url_of
from corepool.config.masks import FileMask
from corepool.config.naming import name_listeners
from corepool.spec.durations import Duration, DurationOrOff
from corepool.spec.fields import AfterValidator, BeforeValidator, Discriminator, Field, Tag
from corepool.spec.model import Model
from corepool.spec.networks import Rule
from corepool.spec.sizes import Size, SizeOrOff

Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
# A name, or the place of a class: FILE.py:CLASS, MODULE:CLASS.
ExtensionName = Annotated[
    str, Field(min_length=1, max_length=1024, pattern=r"^([A-Za-z0-9][A-Za-z0-9_.-]*|[^:]+:[A-Za-z_][A-Za-z0-9_]*)$")
]
OptionTable = dict[str, object]
# uid_t is 32 bits, and its last value means "unchanged" to setresuid(2).
AccountName = Annotated[str, Field(min_length=1)] | Annotated[int, Field(ge=0, le=2**32 - 2)]


def _alone(value: object) -> object:
    """Return the list of one element in whose place the element itself is written."""
    return (value,) if isinstance(value, str | int | float) else value


_Address = Annotated[str, AfterValidator(url_of)]


class _Table(Model):
    # Strict: `backlog = true` or `workers = "4"` is a mistake to report, not a number to guess.
    # Deferred: the validators of all tables are built once, as parts of the whole.
    model_config = {"extra": "forbid", "frozen": True, "strict": True, "defer_build": True}


class WorkersRange(_Table):
    """workers = { min = 2, max = 8 }: as many as the scaler chooses."""

    min: Annotated[int, Field(ge=1, le=512)] = 1
    """Never fewer; the pool begins with these."""

    max: Annotated[int, Field(ge=1, le=512)]
    """Never more."""


class PoolSettings(_Table):
    """[pool], or one of several [[pool]]: the processes."""

    name: Name | None = None
    """Its name in `status`, in the log and for listeners; each of several needs one. An only one gives it to all,
    for `corepool ps` and other commands."""

    workers: Annotated[int, Field(ge=1, le=512)] | Literal["auto"] | WorkersRange = "auto"
    """How many worker processes; "auto" is the CPUs this process may use (affinity and cgroup quota)."""

    scaler: Name = "fixed"
    """The plugin that changes their number while the pool runs; "busyness" does, between `workers.min` and
    `workers.max`."""

    scaler_options: OptionTable = {}
    """Options of the scaler."""

    dispatcher: Name = "least-connections"
    """How a worker is chosen for a connection, for listeners that don't say."""

    dispatcher_options: OptionTable = {}
    """Options of that dispatcher."""

    max_connections: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Connections per worker; more wait in the kernel's backlog. Lowered at start as far as `ulimit -n` demands."""

    heartbeat_timeout: Duration = 30.0
    """A worker whose loop has not turned for this long counts as hung and is killed (gunicorn: 30 s)."""

    boot_timeout: Duration = 60.0
    """A worker that is not ready after this long counts as hung and is killed. Large applications import slowly."""

    drain_timeout: Duration = 30.0
    """How long a stopping worker may finish requests that have begun (gunicorn's graceful_timeout: 30 s)."""

    stop_timeout: Duration = 10.0
    """How long plugins may take for `on_worker_stop` after that, before their worker is killed."""

    surge: Annotated[int, Field(ge=1, le=512)] = 1
    """How many replacements may start at once at a reload or recycling; each worker serves until its own is ready."""

    max_unavailable: Annotated[int, Field(ge=0, le=512)] = 0
    """How many workers may be missing meanwhile: they leave before their replacements are ready, which saves memory."""

    recycle_requests: Annotated[int, Field(ge=0)] = 0
    """Replace a worker after this many requests, as `status` counts them; 0 never does (gunicorn: max_requests)."""

    recycle_connections: Annotated[int, Field(ge=0)] = 0
    """Replace a worker after this many connections; 0 never does."""

    recycle_age: DurationOrOff = 0.0
    """Replace a worker after this long; 0 never does."""

    recycle_memory: SizeOrOff = 0
    """Replace a worker that has held more memory than this for three seconds (resident bytes); 0 never does."""

    recycle_memory_hard: SizeOrOff = 0
    """Kill a worker that holds more memory than this, with the connections it has; 0 never does."""

    recycle_jitter: Annotated[float, Field(ge=0, le=10)] = 0.1
    """Raises each worker's limits by a random fraction up to this, so that workers aren't all recycled at once."""

    respawn_delay: Duration = 0.5
    """Wait before a worker is replaced that died before it was ready, or within a second after; doubles each time, with
    jitter. One that has served longer is replaced at once."""

    respawn_delay_max: Duration = 30.0
    """The longest such wait. After the last ready worker of a pool the wait is never longer than `respawn_delay`."""


class ProcessSettings(_Table):
    """[process]: user, limits, priority and name of the processes. Read once, at the start."""

    name: Name | None = None
    """The name of the whole, for `corepool ps` and other commands; unset: that of the only [pool], else of the folder
    of the configuration. Process titles have it, too, and if it is unset the names of the listeners."""

    user: AccountName | None = None
    """Workers run as this user, by name or number; the master stays root, to bind and to clean up (nginx, gunicorn)."""

    group: AccountName | None = None
    """Workers run in this group, by name or number; unset: the user's own. The user's further groups come with it."""

    umask: FileMask | None = None
    """Permissions that new files don't get, in octal; also for socket files without a ?mode=. Unset: as inherited."""

    nofile: Annotated[int, Field(ge=64)] | Literal["max"] = "max"
    """Descriptors a process may have; "max": the hard limit (nginx: worker_rlimit_nofile). Below 64 nothing works."""

    nice: Annotated[int, Field(ge=-20, le=19)] | None = None
    """Priority of all processes, from -20, the highest, to 19; unset: as inherited. Below 0 needs privileges."""

    affinity: (
        Literal["off", "auto"] | Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1, strict=False)]
    ) = "off"
    """CPUs that workers are pinned to, one each in turn: "auto": all that the pool may use, or a list."""

    pidfile: Annotated[str, Field(min_length=1)] | None = None
    """File with the master's process id, locked while it runs."""

    shutdown_delay: DurationOrOff = 0.0
    """How long the pool goes on accepting after it was told to stop, while /readyz answers 503: a load balancer takes
    it out meanwhile, and then nothing is refused (Caddy: shutdown_delay). A second order to stop ends the wait."""


class ControlSettings(_Table):
    """[control]: how `corepool status` and its like reach the running pool."""

    socket: Annotated[str, Field(min_length=1, max_length=107)] | None = None
    """Path of the control socket, mode 0600. Unset: NAME.sock in the user's run-time folder."""


class LogSettings(_Table):
    """[log]: the log."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important events that are still written."""

    format: Literal["auto", "text", "json"] = "auto"
    """"auto" is text on a terminal, else JSON: one object per line."""

    file: Annotated[str, Field(min_length=1)] | None = None
    """Where it goes; unset: standard error. Reopened on USR1."""

    config: Annotated[str, Field(min_length=1)] | None = None
    """A file for `logging.config`, .json, .yaml or INI: each worker reads it before it imports the application."""


class ListenerSettings(_Table):
    """[[listener]]: the addresses of connections, and the plugins that serve them."""

    name: Name = ""
    """Its name in `status` and the log; unset: its protocol's, with a number from the second one on."""

    bind: Annotated[
        tuple[_Address, ...],
        Field(min_length=1, max_length=64, strict=False),
        BeforeValidator(_alone, json_schema_input_type=str | Annotated[list[str], Field(min_length=1, max_length=64)]),
    ]
    """URLs to listen on, such as `tcp://127.0.0.1:8000`; port 0 takes a free port. `8000`, `:8000` (every address),
    `127.0.0.1:8000` and `[::1]:8000` are understood, too."""

    bind_per_worker: bool = False
    """Bind each URL once for each worker, which accepts there by itself, so that a proxy can send a session to its
    worker: the port counts up with the worker's slot, or `{slot}` in the URL stands for it. For sticky sessions."""

    protocol: Name | None
    """The protocol plugin that serves its connections; or several: `protocols`."""

    options: OptionTable = {}
    """Options of the protocol."""

    protocols: Annotated[tuple[Name, ...], Field(max_length=16, strict=False)] = ()
    """In place of `protocol`: several on one port. With TLS the client may name one (ALPN); else each is asked, in
    this order, whether the first bytes of the connection, at most 1024, are its own."""

    protocol_options: dict[str, OptionTable] = {}
    """Options of `protocols`, one table per name."""

    default: Name | None = None
    """That one of `protocols` which serves connections that no other one recognises, or that send nothing for
    `sniff_timeout`; unset: they are closed."""

    sniff_timeout: Duration = 5.0
    """How long the first bytes may take that tell which of `protocols` a connection has."""

    pool: Name | None = None
    """The pool whose workers serve it; unset: the only pool."""

    dispatcher: Name | None = None
    """How a worker is chosen; unset: as its pool says."""

    dispatcher_options: OptionTable = {}
    """Options of that dispatcher."""

    extensions: Annotated[
        tuple[ExtensionName, ...],
        Field(strict=False),
        BeforeValidator(_alone, json_schema_input_type=ExtensionName | list[ExtensionName]),
    ] = ()
    """Plugins that see each connection before the protocol, in this order; also a class of yours, without a package:
    `./hooks.py:Hooks` or `module:Class`."""

    extension_options: dict[str, OptionTable] = {}
    """Options of the extensions, one table per name."""

    keep_on_crash: bool = False
    """Keep connections open when their worker crashes: idle ones continue in another worker, busy ones get an error and
    are closed."""

    accept_proxy: Annotated[
        tuple[Rule, ...],
        Field(max_length=1024, strict=False),
        BeforeValidator(_alone, json_schema_input_type=str | list[str]),
    ] = ()
    """Networks, and "unix", of proxies that begin each connection with a PROXY header (version 1 or 2), which names the
    client: from these it is required, before TLS. Connections from others are served as they come, without one."""

    accept_proxy_timeout: Duration = 10.0
    """How long a proxy may take for that header."""

    backlog: Annotated[int, Field(ge=1, le=65_535)] = 2048
    """Connections the kernel may queue (gunicorn: 2048); the system's somaxconn caps it."""

    idle_timeout: DurationOrOff = 0.0
    """Close a connection that has received and sent nothing for this long; 0 never does (redis's default)."""

    write_timeout: DurationOrOff = 60.0
    """Drop a peer that takes none of its output for this long (nginx's send_timeout: 60 s); 0 never does."""

    output_high_water: Annotated[Size, Field(ge=4096)] = 262_144
    """Bytes of unsent output above which a connection is no longer read."""

    output_limit: Annotated[Size, Field(ge=65_536)] = 67_108_864
    """Bytes of unsent output above which a connection is dropped: the bound on what one peer can cost. Files that
    are being sent don't count: they are not in memory."""

    @property
    def protocol_names(self) -> tuple[str, ...]:
        """The names of its protocols, in their order."""
        return self.protocols or (() if self.protocol is None else (self.protocol,))

    def options_of(self, protocol: str) -> OptionTable:
        """Return the options of one of its protocols."""
        return self.protocol_options.get(protocol, {}) if self.protocols else self.options

    def where_is(self, protocol: str) -> tuple[str, str]:
        """Return the keys that name a protocol, and have its options."""
        if not self.protocols:
            return "protocol", "options"
        return f"protocols[{self.protocols.index(protocol)}]", f"protocol_options.{protocol}"


def _form_of_pool(value: object) -> str:
    # The names that the members of the union have: mistakes are found by them.
    return "tuple" if isinstance(value, list | tuple) else "PoolSettings"


class Settings(_Table):
    """The whole configuration."""

    @classmethod
    def model_prepare(cls, values: object) -> object:
        """Name the listeners."""
        return name_listeners(values)

    pool: Annotated[
        Annotated[PoolSettings, Tag("PoolSettings")]
        | Annotated[tuple[PoolSettings, ...], Field(min_length=1, max_length=16, strict=False), Tag("tuple")],
        Discriminator(_form_of_pool),
    ] = PoolSettings()
    process: ProcessSettings = ProcessSettings()
    control: ControlSettings = ControlSettings()
    log: LogSettings = LogSettings()
    listener: Annotated[tuple[ListenerSettings, ...], Field(min_length=1, max_length=64, strict=False)]

    @property
    def pools(self) -> tuple[PoolSettings, ...]:
        """Every pool, whichever way they are written."""
        return self.pool if isinstance(self.pool, tuple) else (self.pool,)

    def where_is_pool(self, index: int) -> str:
        """Return the key path of a pool."""
        return f"pool[{index}]" if isinstance(self.pool, tuple) else "pool"

    def pool_of(self, listener: ListenerSettings) -> int | None:
        """Find the pool that serves a listener; None: there is none of that name, or several and it names none."""
        if listener.pool is None and len(self.pools) == 1:
            return 0
        names = [pool.name for pool in self.pools]
        return names.index(listener.pool) if listener.pool in names and listener.pool is not None else None
