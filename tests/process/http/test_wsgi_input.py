"""wsgi.input reads as a file does (PEP 3333, io), however the content arrives. Real clients, real segments."""

from __future__ import annotations

import io
import json
import socket
import subprocess
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from http_client import http_toml, receive_response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sources import source

from corepool.testing.pools import Pools
from corepool.testing.sockets import connect, receive_all
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from corepool.testing.pool import PoolProcess

APPLICATION = source("served/reading.py")

Calls = list[tuple[Any, ...]]

_SIZES = st.integers(-1, 5000)
_CALLS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["read", "readline"]), _SIZES),
        st.tuples(st.sampled_from(["read", "readline"]), st.none()),
        st.tuples(st.sampled_from(["read", "readline", "readlines", "iterate"])),
        st.tuples(st.just("readlines"), _SIZES),
    ),
    max_size=8,
)
_CONTENT = st.lists(st.sampled_from([b"a", b"\n", b"bc" * 2000, b"\r\n", b"x" * 70_000]), max_size=8).map(b"".join)
_CUTS = st.lists(st.integers(0, 100_000), max_size=3)


@pytest.fixture(scope="module", params=["loop", "threads"])
def running(request: pytest.FixtureRequest) -> Iterator[PoolProcess]:
    toml = http_toml(target="reading:application", threads=2 if request.param == "threads" else 0, max_body=4_000_000)
    with Pools() as pools:
        yield pools(toml, files={"reading.py": APPLICATION}, traceback=True)


def head(calls: Calls, *headers: str, path: str = "/") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: a", f"X-Calls: {json.dumps(calls)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def answer(sock: socket.socket) -> Any:
    response = receive_response(sock)
    assert response.status == 200, response
    return json.loads(response.body)


def wait_for_continue(sock: socket.socket) -> None:
    received = b""
    while not received.endswith(b"\r\n\r\n"):
        received += sock.recv(1)
    assert received == b"HTTP/1.1 100 Continue\r\n\r\n"


def expected_of(content: bytes, calls: Calls) -> list[Any]:
    file = io.BytesIO(content)
    results: list[Any] = []
    for name, *values in calls:
        result = list(file) if name == "iterate" else getattr(file, name)(*values)
        results.append([each.decode() for each in result] if isinstance(result, list) else result.decode())
    return results


def pieces_of(content: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    return [content[start:end] for start, end in pairwise(places)]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=_CONTENT, calls=_CALLS, cuts=_CUTS, chunked=st.booleans(), expects=st.booleans())
def test_content_reads_as_from_a_file(
    running: PoolProcess, content: bytes, calls: Calls, cuts: list[int], *, chunked: bool, expects: bool
) -> None:
    headers = ["Transfer-Encoding: chunked"] if chunked else [f"Content-Length: {len(content)}"]
    if expects:
        headers.append("Expect: 100-continue")
    if not calls:
        calls = [("read",)]
    if expects:
        calls = [*calls, ("read", 0), ("read",)]  # the rest, so that the connection can go on
    with connect(running.urls()[0]) as sock:
        sock.sendall(head(calls, *headers))
        if expects and (chunked or content):
            wait_for_continue(sock)
        for piece in pieces_of(content, cuts):
            if chunked and piece:
                sock.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
            elif piece:
                sock.sendall(piece)
        if chunked:
            sock.sendall(b"0\r\n\r\n")
        results, length, is_terminated = answer(sock)
    assert results == expected_of(content, calls)
    assert is_terminated is True
    if length is not None:
        assert int(length) == len(content)


@pytest.mark.parametrize("expect", ["Expect:", "Expect: 100-continue"])
def test_curl_uploads_a_file(running: PoolProcess, tmp_path: Path, expect: str) -> None:
    upload = tmp_path / "upload"
    upload.write_bytes(b"0123456789" * 300_000)
    for calls in ([("read", 3_000_000)], [("read",)], [("readlines",)]):
        command = ["curl", "-sS", "-H", expect, "-H", f"X-Calls: {json.dumps(calls)}", "--data-binary", f"@{upload}"]
        url = running.urls()[0].replace("tcp", "http") + "/sizes"
        done = subprocess.run([*command, url], capture_output=True, check=True, timeout=300)  # noqa: S603
        results, length, _ = json.loads(done.stdout)
        assert (results, length) == ([1 if calls[0][0] == "readlines" else 3_000_000], "3000000")


def test_a_request_without_content_reads_as_an_empty_file(running: PoolProcess) -> None:
    calls: Calls = [("read",), ("read", 5), ("readline",), ("readlines",), ("iterate",)]
    with connect(running.urls()[0]) as sock:
        sock.sendall(head(calls))
        assert answer(sock)[0] == ["", "", "", [], []]


def _errors(running: PoolProcess) -> list[list[Any]]:
    with connect(running.urls()[0]) as sock:
        sock.sendall(head([], path="/errors"))
        found: list[list[Any]] = answer(sock)[0]
    return found


@pytest.mark.parametrize("call", ["read", "readline", "readlines", "iterate"])
@pytest.mark.parametrize("framing", ["Content-Length: 10", "Transfer-Encoding: chunked"])
def test_content_that_its_client_breaks_off_is_no_shorter_content(
    running: PoolProcess, framing: str, call: str
) -> None:
    """In threads the application may read already: it gets an error. In the loop it is not called."""
    before = len(_errors(running))
    with connect(running.urls()[0]) as sock:
        sock.sendall(head([(call,)], framing, "Expect: 100-continue"))
        wait_for_continue(sock)
        sock.sendall(b"5\r\nhello\r\n" if "chunked" in framing else b"hello")
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock).startswith(b"HTTP/1.1 400 ")
    if "threads = 2" in (running.directory / "corepool.toml").read_text():
        wait_until(lambda: len(_errors(running)) == before + 1)
        name, is_os_error, words = _errors(running)[-1]
        assert (name, is_os_error) == ("ClientDisconnectedError", True)
        assert "has not sent the whole content" in words
    assert "ClientDisconnectedError" not in running.stderr


def test_content_beyond_the_limit_is_refused_while_it_is_read(running: PoolProcess) -> None:
    with connect(running.urls()[0]) as sock:
        sock.sendall(head([("read",)], "Transfer-Encoding: chunked", "Expect: 100-continue"))
        wait_for_continue(sock)
        sock.sendall(b"%x\r\n%b\r\n" % (5_000_000, b"x" * 5_000_000))
        assert receive_all(sock).startswith(b"HTTP/1.1 413 ")


def test_content_may_be_left_unread(running: PoolProcess) -> None:
    for expect in ([], ["Expect: 100-continue"]):
        with connect(running.urls()[0]) as sock:
            sock.sendall(head([], "Content-Length: 5", *expect))
            if not expect:
                sock.sendall(b"hello")
            while (response := receive_response(sock)).status == 100:
                sock.sendall(b"hello")
            assert response.status == 200


def test_content_that_has_no_room_on_the_disk_is_a_507(pool: Pools) -> None:
    """A limit on the size of files stands for the full disk: a write to either fails."""
    running = pool(
        http_toml(target="reading:application"),
        files={"reading.py": APPLICATION},
        wrapper=("prlimit", "--fsize=600000"),
    )
    size = 2_000_000
    with connect(running.urls()[0]) as sock:
        sock.sendall(head([("read",)], f"Content-Length: {size}", path="/sizes"))
        try:
            sock.sendall(b"x" * size)
        except ConnectionError:
            pass  # it was refused before it was whole
        assert receive_all(sock).startswith(b"HTTP/1.1 507 ")
    with connect(running.urls()[0]) as sock:
        sock.sendall(head([("read",)], "Content-Length: 5") + b"hello")
        assert answer(sock)[0] == ["hello"]
