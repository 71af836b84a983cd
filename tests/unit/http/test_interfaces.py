"""Which interface an application has, as far as it can be seen."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest

from corepool_http.apps.loading import is_asgi

if TYPE_CHECKING:
    from collections.abc import Generator


async def coroutine_function(scope: object, receive: object, send: object) -> None:
    pass


def function(environ: object, start_response: object) -> None:
    pass


class Asynchronous:
    async def __call__(self, scope: object, receive: object, send: object) -> None:
        pass

    async def method(self, scope: object, receive: object, send: object) -> None:
        pass


class Synchronous:
    def __call__(self, environ: object, start_response: object) -> None:
        pass


class Awaitable:
    """As Starlette's HTTPEndpoint: an instance for each request."""

    def __init__(self, scope: object, receive: object, send: object) -> None:
        pass

    def __await__(self) -> Generator[None, None, None]:
        yield


@pytest.mark.parametrize(
    ("application", "is_one"),
    [
        (coroutine_function, True),
        (functools.partial(coroutine_function, 1), True),
        (Asynchronous(), True),
        (Asynchronous().method, True),
        (Awaitable, True),
        (function, False),
        (Synchronous(), False),
        (Synchronous, False),
        (Asynchronous, False),  # its call makes an instance, and is no coroutine
        (None, False),
    ],
)
def test_what_an_asgi_application_is(application: object, *, is_one: bool) -> None:
    assert is_asgi(application) is is_one
