"""Events of the protocol `admin`."""

from __future__ import annotations

import logging

from corepool import event


@event(logging.ERROR)
def admin_request_failed(*, request: str) -> None:
    """A request is answered with 500: a master of another version has another status, say."""
