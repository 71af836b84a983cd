"""An exception whose class redefines how its attributes are read is answered for like any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from http_client import ask, http_toml, request

if TYPE_CHECKING:
    from corepool.testing.pools import Pools

APPLICATION = """
class Odd(BaseException):
    def __getattribute__(self, name):
        raise KeyError(name)
    __setattr__ = __str__ = __repr__ = __eq__ = __getattribute__

async def asgi(scope, receive, send):
    if scope["type"] == "http":
        raise Odd()
    while True:
        event = (await receive())["type"]
        await send({"type": event + ".complete"})
        if event == "lifespan.shutdown":
            return

def wsgi(environ, start_response):
    raise Odd()
"""


@pytest.mark.parametrize(
    "options",
    [{"target": "application:asgi"}, {"target": "application:wsgi"}, {"target": "application:wsgi", "threads": 2}],
)
def test_it_is_answered_with_500(pool: Pools, options: dict[str, object]) -> None:
    running = pool(http_toml(**options), files={"application.py": APPLICATION}, traceback=True)

    assert ask(running, request("/")).startswith(b"HTTP/1.1 500 ")
    assert ask(running, request("/")).startswith(b"HTTP/1.1 500 ")
