"""Events of hosted servers."""

from __future__ import annotations

import logging

from corepool import event


@event(logging.WARNING)
def hosted_server_missing(*, target: str, left_s: float) -> None:
    """The target has not called `loop.create_server` yet; the worker fails to boot if it doesn't in `left_s`."""


@event(logging.WARNING)
def hosted_signal_handler_refused(*, target: str, signal: str) -> None:
    """The target wants a handler for a signal that the worker needs; at that signal the target is cancelled instead."""


@event(logging.INFO)
def hosted_server_serves_one(*, target: str) -> None:
    """The hosted server is no ThreadingMixIn, so each worker serves one connection at a time; `threads` allows more."""


@event(logging.WARNING)
def hosted_server_method_not_called(*, target: str, method: str) -> None:
    """The hosted server overrides a method that accepts connections, which is the pool's part, so it is not called.

    If it begins TLS there, clients are served in the clear: wrap the server's `socket`, or bind the listener to tls://.
    """
