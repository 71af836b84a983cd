"""Events of plugins, whatever process they run in."""

from __future__ import annotations

import logging

from corepool.logs.event import event


@event(logging.ERROR)
def refused_hook_failed(*, plugin: str) -> None:
    """A plugin's `on_close` has raised an exception for a connection that another plugin refuses to thaw."""


@event(logging.ERROR)
def socket_not_cleaned_up(*, url: str) -> None:
    """A transport has raised an exception while it closed a listening socket; the socket is closed all the same."""
