"""Responses that their application does not bring to an end: delivered as far as they go, and never taken for whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from http_client import request
from judge import exchange, judge
from scripted_pool import MODES, literal, script, scripted_pool

from corepool.testing.sockets import connect
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.testing.pool import PoolProcess

BLOCK = bytes(range(256)) * 256
ENDS = ("raise", "panic", "exit")
CONTENTS = {"a piece": [b"abc"], "pieces": [b"a", b"", b"bc"]}


@pytest.fixture(scope="module")
def running() -> Iterator[PoolProcess]:
    """Serve the scripts; nothing that they do ends the worker."""
    with scripted_pool("write_timeout = 2", access_log="common", access_log_file="access.log") as pool:
        pids = pool.workers()
        yield pool
        assert pool.workers() == pids


def data_of(target: str, version: str = "1.1", method: str = "GET") -> bytes:
    """Ask for `target`, and for something behind it, which must not be answered as if nothing had happened."""
    return f"{method} {target} HTTP/{version}\r\nHost: a\r\n\r\n".encode() + request("/behind")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("end", ENDS)
def test_bytes_handed_over_are_delivered(running: PoolProcess, mode: str, end: str) -> None:
    for pieces in CONTENTS.values():
        for headers in ([], [("Content-Length", "5")]):
            for version in ("1.0", "1.1"):
                target = script(mode, 200, headers, pieces, end)
                received, was_reset = exchange(running, data_of(target, version), mode)
                [response] = judge(received, ["GET"], was_reset=was_reset)
                assert (response.status, response.content) == (200, b"abc")
                assert not response.is_whole
                assert was_reset == (version == "1.0" and not headers)


@pytest.mark.parametrize("mode", ["loop", "threads"])
def test_written_bytes_are_delivered(running: PoolProcess, mode: str) -> None:
    for end in ENDS:
        target = script(mode, 200, [], [b"a", b"bc"], end).replace("/?", "/write?")
        received, _ = exchange(running, data_of(target), mode)
        [response] = judge(received, ["GET"])
        assert (response.content, response.is_whole) == (b"abc", False)


@pytest.mark.parametrize("mode", MODES)
def test_an_application_that_fails_before_any_content_is_answered_for(running: PoolProcess, mode: str) -> None:
    if mode == "asgi":
        targets = [literal(200, [(b"content-length", b"3")], [5]), literal(200, [], ["abc"])]
    else:
        targets = [script(mode, 200, [("Content-Length", "3")], [], end) for end in ENDS]
        targets += [literal("200 OK", [], [5, b"abc"]), literal("200 OK", [], b"abc")]
        targets += [target.replace("/?", "/write?") for target in targets]
    for target in targets:
        for version in ("1.0", "1.1"):
            received, _ = exchange(running, data_of(target, version), mode)
            response, *_ = judge(received, ["GET", "GET"])
            assert (response.status, response.content) == (500, b"500 Internal Server Error\n")


@pytest.mark.parametrize("mode", MODES)
def test_a_response_to_head_is_whole_whatever_its_application_leaves_out(running: PoolProcess, mode: str) -> None:
    for pieces in ([], [b"abc"], [b"a", b"bc"]):
        target = script(mode, 200, [("Content-Length", "5")], pieces)
        received, _ = exchange(running, data_of(target, method="HEAD") + request("/"), mode)
        response = judge(received, ["HEAD", "GET", "GET"])[0]
        assert (response.all(b"content-length"), response.is_whole) == ([b"5"], True)
        assert response.all(b"connection") == []
    assert "HEAD /" not in "".join(line for line in running.stderr.splitlines() if "shorter" in line)


@pytest.mark.parametrize("mode", MODES)
def test_large_content_is_delivered_before_the_end(running: PoolProcess, mode: str) -> None:
    for version in ("1.0", "1.1"):
        target = literal(*_status(mode), [], "blocks", "raise")
        received, was_reset = exchange(running, data_of(target, version), mode)
        [response] = judge(received, ["GET"], was_reset=was_reset)
        assert response.content == BLOCK * 256
        assert not response.is_whole


def test_a_client_that_does_not_read_the_rest_is_not_waited_for(running: PoolProcess) -> None:
    def connections() -> int:
        return sum(worker["connections"] for worker in running.status()["workers"])

    for version in ("1.0", "1.1"):
        with connect(running.urls("loop")[0]) as sock:
            # More than the kernel keeps of it, handed over at once.
            target = literal("200 OK", [], "blocks", "raise").replace("/?", "/write?")
            sock.sendall(data_of(target, version))
            assert sock.recv(100)
            wait_until(lambda: connections() == 0)


@pytest.mark.parametrize("mode", MODES)
def test_a_broken_response_is_told_once_with_its_request(running: PoolProcess, mode: str) -> None:
    target = script(mode, 200, [("X-Mode", mode)], [b"told once"], "raise")
    exchange(running, data_of(target), mode)
    running.wait_logged(f'request_failed request="GET {target}"')
    path = running.directory / "access.log"
    wait_until(lambda: f'"GET {target} HTTP/1.1" 200 9' in path.read_text())
    assert running.stderr.count(f"GET {target}") == 1
    assert path.read_text().count(f"GET {target} ") == 1
    running.wait_logged("raised on purpose")


def _status(mode: str) -> tuple[object]:
    return (200,) if mode == "asgi" else ("200 OK",)
