"""Events of the protocols `admin` and `haproxy-agent`."""

from __future__ import annotations

import logging

from corepool import event


@event(logging.ERROR)
def admin_request_failed(*, request: str) -> None:
    """A request is answered with 500: a master of another version has another status, say."""


@event(logging.ERROR)
def agent_check_failed() -> None:
    """An agent check is answered with `down`: a master of another version has another status, say."""
