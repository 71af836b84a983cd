"""Pools that serve HTTP, and requests in bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from http_client import APPLICATIONS, http_toml

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools


@pytest.fixture(params=["inline", "threads"])
def wsgi(pool: Pools, request: pytest.FixtureRequest) -> PoolProcess:
    """Serve the WSGI application, in the loop and in threads."""
    threads = 2 if request.param == "threads" else 0
    return pool(http_toml(target="applications:wsgi", directory=str(APPLICATIONS), threads=threads), traceback=True)


@pytest.fixture
def asgi(pool: Pools) -> PoolProcess:
    """Serve the ASGI application."""
    return pool(http_toml(target="applications:asgi", directory=str(APPLICATIONS)), traceback=True)
