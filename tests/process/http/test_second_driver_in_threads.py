"""WSGI in threads behind the second driver: served as over HTTP/1, while the loop goes on with other streams."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from framed import frames
from framed_client import SCRIPTS, FramedClient, from_http1
from http_client import APPLICATIONS, request
from scripted_pool import script
from sources import metadata, source

from corepool.testing.pools import Pools
from corepool.testing.sockets import connect, receive_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.testing.pool import PoolProcess

LISTENER = """
[[listener]]
name = "{protocol}-{target}"
bind = ["tcp://127.0.0.1:0"]
protocol = "{protocol}"
[listener.options]
target = "{target}:wsgi"
directory = "{directory}"
threads = 2
"""


@pytest.fixture(scope="module")
def running() -> Iterator[PoolProcess]:
    files = {"framed.py": source("framed.py"), **metadata("framed", "[corepool.protocols]\nframed = framed:Framed\n")}
    toml = "".join(
        LISTENER.format(protocol=protocol, target=target, directory=APPLICATIONS)
        for protocol, target in (("http", "scripted"), ("framed", "scripted"), ("framed", "mirror"))
    )
    with Pools() as pools:
        yield pools("[pool]\nworkers = 1\n" + toml, files=files, traceback=True)


@pytest.fixture
def scripted(running: PoolProcess) -> Iterator[FramedClient]:
    with connect(running.urls("framed-scripted")[0]) as sock:
        yield FramedClient(sock)


@pytest.fixture
def mirror(running: PoolProcess) -> Iterator[FramedClient]:
    with connect(running.urls("framed-mirror")[0]) as sock:
        yield FramedClient(sock)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("scripted_answer", SCRIPTS)
def test_an_application_in_a_thread_is_served_as_over_http1(
    running: PoolProcess,
    scripted: FramedClient,
    method: str,
    scripted_answer: tuple[int, list[tuple[str, str]], list[bytes], str],
) -> None:
    target = script("threads", *scripted_answer)
    with connect(running.urls("http-scripted")[0]) as sock:
        sock.sendall(request(target, method=method))
        expected = from_http1(receive_all(sock), method)

    assert scripted.ask(target, method) == expected


@pytest.mark.parametrize(("headers", "end"), [([], "raise"), ([("Content-Length", "9")], "return"), ([], "panic")])
def test_a_response_that_breaks_off_in_a_thread_is_not_whole(
    scripted: FramedClient, headers: list[tuple[str, str]], end: str
) -> None:
    answer = scripted.ask(script("threads", 200, headers, [b"a", b"b"], end))

    assert (answer.status, answer.content, answer.is_whole) == (200, b"ab", False)
    assert scripted.ask(script("threads", 200, [], [b"next"])).content == b"next", "its connection goes on"


def test_streams_have_threads_of_their_own(mirror: FramedClient) -> None:
    """The first one waits for its content in a thread; the second is served meanwhile."""
    for number in (1, 3):
        mirror.send(stream=number, method="POST", target=f"/{number}", headers=[("host", "a")], more=True)
    mirror.send(stream=1, content="first, ", more=True)
    mirror.send(stream=3, content="of 3")
    [of_3] = mirror.answers().items()
    mirror.send(stream=1, content="last of 1")
    [of_1] = mirror.answers().items()
    told = [(number, json.loads(answer.content)) for number, answer in (of_3, of_1)]

    assert [(number, each["content"], each["PATH_INFO"]) for number, each in told] == [
        (3, "of 3", "/3"),
        (1, "first, last of 1", "/1"),
    ]
    assert all(each["wsgi.multithread"] for _, each in told)


def test_a_client_that_waits_is_invited_when_the_thread_reads(mirror: FramedClient) -> None:
    mirror.send(method="POST", target="/", headers=[("host", "a")], more=True, waits=True)
    assert frames(mirror.receive_frame()) == [{"stream": 1, "status": 100}]
    mirror.send(content="abc")

    assert json.loads(mirror.answers()[1].content)["content"] == "abc"


def test_a_stream_that_is_given_up_ends_the_wait_of_its_thread(mirror: FramedClient) -> None:
    """Both threads wait for content that never comes; were they not woken, the last request would get no thread."""
    for number in (1, 3):
        mirror.send(stream=number, method="POST", target="/", headers=[("host", "a")], more=True, waits=True)
        assert frames(mirror.receive_frame()) == [{"stream": number, "status": 100}]
    for number in (1, 3):
        mirror.send(stream=number, reset=True)
    mirror.send(stream=5, method="POST", target="/", headers=[("host", "a")], more=True)
    mirror.send(stream=5, content="abc")

    assert json.loads(mirror.answers()[5].content)["content"] == "abc"
