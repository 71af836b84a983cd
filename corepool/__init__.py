"""corepool: the process pool for any protocol.

It is a master that owns the listening sockets and chooses a worker for each connection, and workers
that serve them on an epoll reactor inside asyncio. Protocols, dispatch strategies and transports are
plugins found by entry points. It is not a protocol, a framework or a proxy: the master never reads a
byte that a client sent.

The names below are the public interface; everything else may change between releases.
"""

from importlib.metadata import version

from corepool.errors import SetupError
from corepool.logs.event import Event, event
from corepool.spec.connection import Connection
from corepool.spec.dispatcher import Dispatcher, Incoming, WorkerView
from corepool.spec.durations import Duration, DurationOrOff
from corepool.spec.hookspecs import hookimpl
from corepool.spec.layer import Layer
from corepool.spec.options import Options
from corepool.spec.scaler import PoolLoad, Scaler
from corepool.spec.sizes import Size, SizeOrOff
from corepool.spec.transport import Endpoint, FileRights, Transport
from corepool.spec.types import (
    Address,
    CloseReason,
    ExitCause,
    ExitStatus,
    ListenerInfo,
    PoolInfo,
    SharedResource,
    ThreadGauge,
    TimeoutKind,
    WorkerInfo,
    WorkerLoad,
)
from corepool.spec.worker import Worker

__all__ = [
    "Address",
    "CloseReason",
    "Connection",
    "Dispatcher",
    "Duration",
    "DurationOrOff",
    "Endpoint",
    "Event",
    "ExitCause",
    "ExitStatus",
    "FileRights",
    "Incoming",
    "Layer",
    "ListenerInfo",
    "Options",
    "PoolInfo",
    "PoolLoad",
    "Scaler",
    "SetupError",
    "SharedResource",
    "Size",
    "SizeOrOff",
    "ThreadGauge",
    "TimeoutKind",
    "Transport",
    "Worker",
    "WorkerInfo",
    "WorkerLoad",
    "WorkerView",
    "__version__",
    "event",
    "hookimpl",
]

__version__ = version("corepool")
"""The version of corepool, as of its distribution."""
