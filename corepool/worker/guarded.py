"""Hooks of the worker, whose exceptions are logged and go no further."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from corepool.guards import HOOK_ERRORS
from corepool.worker import events

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)


def guarded(name: str, hook: Callable[..., object], *values: object) -> None:
    """Call a hook, and log what it raises.

    :param name: the hook's, for the log.
    """
    try:
        hook(*values)
    except HOOK_ERRORS as error:
        events.worker_hook_failed.exception(log, error, hook=name)
