"""Events of the key-value store."""

from __future__ import annotations

import logging

from corepool import event


@event(logging.ERROR)
def kv_command_failed() -> None:
    """A command has ended with an exception, and is answered with an error."""


@event(logging.ERROR)
def kv_batch_failed() -> None:
    """The transaction of a batch has ended with an exception; its commands are answered with an error."""


@event(logging.ERROR)
def kv_expiry_failed() -> None:
    """The search for expired records has ended with an exception; it goes on later."""


@event(logging.ERROR)
def kv_store_failed(*, reason: object) -> None:
    """The store fails; commands are answered with an error. Logged once a second at most."""


@event(logging.WARNING)
def kv_store_full(*, max_bytes: int, eviction: str) -> None:
    """The store has come near to its bound, and nothing can be evicted: commands that may store more are refused.

    Logged once a minute at most.
    """


@event(logging.WARNING)
def kv_cross_protocol_attack(*, client: object, word: str) -> None:
    """A client has sent a word of HTTP, as a web browser does (cross-protocol scripting); its connection is closed.

    Logged once a minute at most.
    """


@event(logging.WARNING)
def kv_slow_subscriber(*, client: object, buffered: int) -> None:
    """A client has not taken the messages of its channels, and is disconnected. Logged once a second at most."""


@event(logging.WARNING)
def memcached_protocol_refused(*, listener: str, protocol: str) -> None:
    """A client of a memcached listener speaks HTTP, as a web browser does, or the binary protocol; it is disconnected.

    Logged once a minute at most.
    """


@event(logging.WARNING)
def kv_statistics_not_shared(*, reason: object) -> None:
    """The figures of INFO can't be shared with other workers; the next second tries again. Logged once a second."""


@event(logging.INFO)
def kv_script_said(*, text: str) -> None:
    """A script has called redis.log with LOG_NOTICE."""


@event(logging.WARNING)
def kv_script_warned(*, text: str) -> None:
    """A script has called redis.log with LOG_WARNING."""


@event(logging.INFO)
def lmdb_store_grown(*, path: object, before: int, size: int) -> None:
    """A store is mapped with more bytes."""


@event(logging.WARNING)
def lmdb_store_reopened(*, path: object) -> None:
    """A store was closed and opened again after a failure."""


@event(logging.WARNING)
def lmdb_readers_not_cleared(*, path: object, reason: object) -> None:
    """The slots of dead readers can't be cleared; their pages stay in use."""


@event(logging.ERROR)
def lmdb_sync_failed(*, path: object, reason: object) -> None:
    """fsync(2) has failed; writes are refused until it succeeds."""


@event(logging.ERROR)
def lmdb_last_sync_failed(*, path: object, reason: object) -> None:
    """fsync(2) has failed as the worker ended; the last writes may not be on the disk."""


@event(logging.ERROR)
def kv_server_failed(*, server: object, reason: str) -> None:
    """The server of a store can't be reached, or has closed a connection; it is tried again.

    Logged every ten seconds at most, for each server.
    """


@event(logging.INFO)
def kv_server_is_back(*, server: object) -> None:
    """The server of a store is reached again."""


@event(logging.ERROR)
def kv_cluster_unknown(*, reason: str) -> None:
    """No server of a cluster has said which of them has which keys; they are asked again."""


@event(logging.WARNING)
def bus_link_lost(*, reason: str) -> None:
    """Messages between this pool's bus and those of other pools are lost. Logged every ten seconds at most."""
