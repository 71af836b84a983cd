"""A request leaves no cycle of references: the garbage collector would stop the worker to look for them."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest
from http_client import APPLICATIONS

from corepool_http import Http, HttpOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.testing.conversation import Conversation, Conversations

# In the loop, WSGI leaves its content to the garbage collector, or to the end of its last reference.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

HEAD = b"%b /hello HTTP/1.1\r\nHost: a\r\n"
GET = HEAD % b"GET" + b"\r\n"
POST = HEAD % b"POST" + b"Content-Length: 7\r\n\r\ncontent"
IN_PARTS = (HEAD % b"POST" + b"Content-Length: 7\r\n\r\nco", b"nt", b"ent")


@pytest.fixture(autouse=True)
def _by_hand() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def serve(connection: Conversations, target: str) -> Conversation:
    options = HttpOptions.model_validate({"target": target, "directory": str(APPLICATIONS)})
    return connection(Http(options))


@pytest.mark.parametrize("target", ["mirror:asgi", "mirror:wsgi"])
@pytest.mark.parametrize("pieces", [(GET,), (POST,), IN_PARTS], ids=["no content", "content", "content in parts"])
def test_a_request_leaves_nothing_for_the_garbage_collector(
    connection: Conversations, target: str, pieces: tuple[bytes, ...]
) -> None:
    client = serve(connection, target)

    def ask() -> None:
        for piece in pieces:
            client.send(piece)
        assert b"HTTP/1.1 200 OK" in client.receive()

    ask()  # the first one fills caches
    gc.collect()
    for _ in range(10):
        ask()
    assert gc.collect() == 0


def test_a_client_that_leaves_its_request_leaves_nothing_for_the_garbage_collector(
    connection: Conversations,
) -> None:
    for _ in range(2):
        client = serve(connection, "mirror:asgi")
        client.send(IN_PARTS[0])
        gc.collect()
        client.reset()
    assert gc.collect() == 0
