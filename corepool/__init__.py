"""corepool: the process pool for any protocol.

It is a master that owns the listening sockets and chooses a worker for each connection, and workers
that serve them on an epoll reactor inside asyncio. Protocols, dispatch strategies and transports are
plugins found by entry points. It is not a protocol, a framework or a proxy: the master never reads a
byte that a client sent.

The names below are the public interface; everything else may change between releases. Each is imported when it is
used: a command that needs none of them starts in a few milliseconds.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corepool.errors import MapFullError, SetupError
    from corepool.logs.event import Event, event
    from corepool.script import run
    from corepool.spec.bus import Bus, Listening, Message, Subscription, ThreadSubscription, current_bus
    from corepool.spec.certificates import ClientCertificate, ServerCertificate
    from corepool.spec.connection import Connection
    from corepool.spec.dispatcher import Dispatcher, Incoming, WorkerView
    from corepool.spec.durations import Duration, DurationOrOff
    from corepool.spec.facts import Facts
    from corepool.spec.hookspecs import hookimpl
    from corepool.spec.layer import Layer, PeerError
    from corepool.spec.metrics import Metric
    from corepool.spec.options import Options
    from corepool.spec.proxy_header import ProxyHeader, ProxyTls
    from corepool.spec.scaler import PoolLoad, Scaler
    from corepool.spec.sharing import Hold, LeakyBuckets, Semaphores, SharedCounter, SharedMap
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
    "Bus",
    "ClientCertificate",
    "CloseReason",
    "Connection",
    "Dispatcher",
    "Duration",
    "DurationOrOff",
    "Endpoint",
    "Event",
    "ExitCause",
    "ExitStatus",
    "Facts",
    "FileRights",
    "Hold",
    "Incoming",
    "Layer",
    "LeakyBuckets",
    "ListenerInfo",
    "Listening",
    "MapFullError",
    "Message",
    "Metric",
    "Options",
    "PeerError",
    "PoolInfo",
    "PoolLoad",
    "ProxyHeader",
    "ProxyTls",
    "Scaler",
    "Semaphores",
    "ServerCertificate",
    "SetupError",
    "SharedCounter",
    "SharedMap",
    "SharedResource",
    "Size",
    "SizeOrOff",
    "Subscription",
    "ThreadGauge",
    "ThreadSubscription",
    "TimeoutKind",
    "Transport",
    "Worker",
    "WorkerInfo",
    "WorkerLoad",
    "WorkerView",
    "__version__",
    "current_bus",
    "event",
    "hookimpl",
    "run",
]

__version__ = "0.1.0"
"""The version of corepool, as of its distribution."""

_HOMES = {
    "Address": "corepool.spec.types",
    "Bus": "corepool.spec.bus",
    "ClientCertificate": "corepool.spec.certificates",
    "CloseReason": "corepool.spec.types",
    "Connection": "corepool.spec.connection",
    "Dispatcher": "corepool.spec.dispatcher",
    "Duration": "corepool.spec.durations",
    "DurationOrOff": "corepool.spec.durations",
    "Endpoint": "corepool.spec.transport",
    "Event": "corepool.logs.event",
    "ExitCause": "corepool.spec.types",
    "ExitStatus": "corepool.spec.types",
    "Facts": "corepool.spec.facts",
    "FileRights": "corepool.spec.transport",
    "Hold": "corepool.spec.sharing",
    "Incoming": "corepool.spec.dispatcher",
    "Layer": "corepool.spec.layer",
    "LeakyBuckets": "corepool.spec.sharing",
    "ListenerInfo": "corepool.spec.types",
    "Listening": "corepool.spec.bus",
    "MapFullError": "corepool.errors",
    "Message": "corepool.spec.bus",
    "Metric": "corepool.spec.metrics",
    "Options": "corepool.spec.options",
    "PeerError": "corepool.spec.layer",
    "PoolInfo": "corepool.spec.types",
    "PoolLoad": "corepool.spec.scaler",
    "ProxyHeader": "corepool.spec.proxy_header",
    "ProxyTls": "corepool.spec.proxy_header",
    "Scaler": "corepool.spec.scaler",
    "Semaphores": "corepool.spec.sharing",
    "ServerCertificate": "corepool.spec.certificates",
    "SetupError": "corepool.errors",
    "SharedCounter": "corepool.spec.sharing",
    "SharedMap": "corepool.spec.sharing",
    "SharedResource": "corepool.spec.types",
    "Size": "corepool.spec.sizes",
    "SizeOrOff": "corepool.spec.sizes",
    "Subscription": "corepool.spec.bus",
    "ThreadSubscription": "corepool.spec.bus",
    "ThreadGauge": "corepool.spec.types",
    "TimeoutKind": "corepool.spec.types",
    "Transport": "corepool.spec.transport",
    "Worker": "corepool.spec.worker",
    "WorkerInfo": "corepool.spec.types",
    "WorkerLoad": "corepool.spec.types",
    "WorkerView": "corepool.spec.dispatcher",
    "current_bus": "corepool.spec.bus",
    "event": "corepool.logs.event",
    "hookimpl": "corepool.spec.hookspecs",
    "run": "corepool.script",
}


def __getattr__(name: str) -> object:
    """Import a public name (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(home), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
