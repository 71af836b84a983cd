"""Events of the start of a pool."""

from __future__ import annotations

import logging

from corepool.logs.event import event


@event(logging.WARNING)
def max_connections_lowered(*, configured: int, lowered: int, nofile: int) -> None:
    """A worker may not have as many descriptors as `max_connections` takes."""


@event(logging.WARNING)
def listens_on_every_address(*, listener: str, url: str, advice: str) -> None:
    """Every host that reaches this machine reaches the listener, if no firewall is between them."""


@event(logging.WARNING)
def setting_doubtful(*, setting: str, reason: str) -> None:
    """A setting is allowed, and probably not meant."""


@event(logging.WARNING)
def table_needs_restart(*, table: str) -> None:
    """A table of the configuration has changed whose settings take effect when the pool is restarted."""


@event(logging.WARNING)
def control_socket_unavailable(*, reason: object) -> None:
    """There is no control socket at the default path: `corepool status` finds no pool there."""


@event(logging.WARNING)
def pool_renamed(*, name: str, wanted: str, path: object) -> None:
    """Another pool has the name that this one was to have; commands call this one `name`."""


@event(logging.WARNING)
def name_needs_restart(*, name: str, configured: str) -> None:
    """The configuration has another name for the pool, which it gets when it is restarted."""


@event(logging.ERROR)
def inherited_socket_not_adopted(*, url: str) -> None:
    """A transport has raised an exception for a socket of the old master; the socket stays as it was."""


@event(logging.WARNING)
def pidfile_not_taken_over(*, reason: object) -> None:
    """The pidfile of the old master can't be written."""


@event(logging.DEBUG)
def scheduling_policy_kept(*, reason: object) -> None:
    """The master's scheduling policy can't be set."""
