"""ASGI: everything that an application hands over is taken as far as Python lets it, or refused in words."""

from __future__ import annotations

import array
import collections
import http
import io
import os
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from http_client import get, http_toml
from hypothesis import given
from hypothesis import strategies as st
from sources import source

from corepool.testing.pool import PoolProcess
from corepool_http.apps.asgi_messages import (
    bytes_of,
    file_of,
    head_of,
    int_of,
    is_departure,
    pairs_of,
    subprotocol_of,
    text_of,
    type_of,
)
from corepool_http.exchange import ClientDisconnectedError
from corepool_http.responses import Heads
from corepool_http.values import ResponseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PAIRS = [(b"content-type", b"text/plain"), (b"set-cookie", b"a=b"), (b"set-cookie", b"c=d")]


class Text(str):
    __slots__ = ()


class Octets(bytes):
    __slots__ = ()


class Number(int):
    pass


class Index:
    def __index__(self) -> int:
        return 200


class Angry:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def start(**keys: Any) -> dict[str, Any]:
    return {"type": "http.response.start", **keys}


@pytest.mark.parametrize(
    "make",
    [
        list,
        tuple,
        iter,
        collections.deque,
        lambda pairs: (pair for pair in pairs),
        lambda pairs: map(list, pairs),
        lambda pairs: [list(pair) for pair in pairs],
        lambda pairs: [iter(pair) for pair in pairs],
        lambda pairs: dict(enumerate(pairs)).values(),
        lambda pairs: [(bytearray(name), memoryview(value)) for name, value in pairs],
        lambda pairs: ((Octets(name), Octets(value)) for name, value in pairs),
        lambda pairs: [(name, memoryview(b"".join(b"%c?" % byte for byte in value))[::2]) for name, value in pairs],
    ],
)
def test_a_head_is_made_of_whatever_holds_one(make: Callable[[Any], Any]) -> None:
    heads = Heads("test")
    for status in (200, http.HTTPStatus.OK, Number(200), Index()):  # from the second on, the head may be known
        made = head_of(start(status=status, headers=make(PAIRS)), heads)
        assert made.status == 200
        assert made.lines.endswith(b"content-type: text/plain\r\nset-cookie: a=b\r\nset-cookie: c=d\r\n")


def test_a_generator_that_raises_is_the_applications_own_error() -> None:
    def headers() -> Iterator[tuple[bytes, bytes]]:
        yield PAIRS[0]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        head_of(start(status=200, headers=headers()), Heads("test"))


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({}, "has no 'status'"),
        ({"status": None}, "has no 'status'"),
        ({"status": "200"}, "str '200': an int is expected"),
        ({"status": 200.0}, "float 200.0: an int is expected"),
        ({"status": 99}, "invalid status"),
        ({"status": 1000}, "invalid status"),
        ({"status": 200, "headers": {b"a": b"b"}}, "a mapping"),
        ({"status": 200, "headers": b"a: b"}, "bytes b'a: b'"),
        ({"status": 200, "headers": 5}, "int 5"),
        ({"status": 200, "headers": [("content-type", "text/plain")]}, "str 'content-type': bytes are expected"),
        ({"status": 200, "headers": [(b"content-type", "text/plain")]}, "str 'text/plain': bytes are expected"),
        ({"status": 200, "headers": [(b"content-length", 5)]}, "int 5: bytes are expected"),
        ({"status": 200, "headers": [[b"content-length", None]]}, "None: bytes are expected"),
        ({"status": 200, "headers": [(b"a", b"b", b"c")]}, "a pair of bytes is expected"),
        ({"status": 200, "headers": [b"a"]}, "a pair of bytes is expected"),
        ({"status": 200, "headers": [None]}, "a pair of bytes is expected"),
        ({"status": 200, "headers": [(b"a b", b"c")]}, "invalid header name"),
        ({"status": 200, "headers": [[b"a", b"b\r\nc: d"]]}, "line break in a header"),
        ({"status": 200, "headers": [(Angry(), b"")]}, "Angry ?: bytes are expected"),
    ],
)
def test_a_head_that_is_none_is_refused_in_words(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ResponseError) as refused:
        head_of(start(**keys), Heads("test"))
    assert words in str(refused.value)


@pytest.mark.parametrize("message", [None, 5, "text", b"bytes", [], {}, {"type": None}, {"type": b"x"}, object()])
def test_malformed_messages_are_refused_in_words(message: Any) -> None:
    with pytest.raises(ResponseError, match="message"):
        type_of(message)


@given(st.binary(), st.integers(1, 5))
def test_bytes_are_taken_from_every_buffer(data: bytes, step: int) -> None:
    numbers = array.array("I", data + bytes(-len(data) % 4))
    for value, expected in (
        (data, data),
        (Octets(data), data),
        (bytearray(data), data),
        (memoryview(data), data),
        (memoryview(data)[::step], data[::step]),
        (memoryview(data)[::-1], data[::-1]),
        (numbers, numbers.tobytes()),
        (memoryview(numbers), numbers.tobytes()),
        (io.BytesIO(data).getbuffer(), data),
        (None, b""),
    ):
        taken = bytes_of({"type": "x", "body": value}, "body")
        assert type(taken) is bytes
        assert taken == expected


def test_accepted_bytes_are_a_copy() -> None:
    body = bytearray(b"before")
    taken = bytes_of({"type": "x", "body": body}, "body")
    body[:] = b"after!"
    assert taken == b"before"


@pytest.mark.parametrize("value", ["text", 5, 5.0, True, [1, 2], ["a"], {}, object(), Angry()])
def test_objects_without_bytes_are_refused_in_words(value: Any) -> None:
    with pytest.raises(ResponseError, match=r"'body' of x is \w+ .*: bytes are expected"):
        bytes_of({"type": "x", "body": value}, "body")


def test_a_memoryview_that_was_released_is_refused_in_words() -> None:
    view = memoryview(b"x")
    view.release()
    with pytest.raises(ResponseError, match="bytes are expected"):
        bytes_of({"type": "x", "body": view}, "body")


def test_other_keys() -> None:
    message = MappingProxyType({"type": "x", "text": Text("a"), "code": Number(1000), "nothing": None, "raw": b"a"})
    assert text_of(message, "text") == "a"  # type: ignore[arg-type]
    assert text_of(message, "nothing") is text_of(message, "missing") is None  # type: ignore[arg-type]
    assert int_of(message, "code") == 1000  # type: ignore[arg-type]
    assert int_of(message, "missing") is None  # type: ignore[arg-type]
    assert pairs_of(message) == []  # type: ignore[arg-type]
    for call, key in ((text_of, "raw"), (text_of, "code"), (int_of, "text")):
        with pytest.raises(ResponseError, match="is expected"):
            call(message, key)  # type: ignore[arg-type]
    with pytest.raises(ResponseError, match="lone surrogates"):
        text_of({"type": "x", "text": "\ud800"}, "text")
    for name in ("a b", "a\r\nb: c", "é", "a,b"):
        with pytest.raises(ResponseError, match="token"):
            subprotocol_of({"type": "x", "subprotocol": name})


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"type": "http.response.pathsend"}, "a path is expected"),
        ({"type": "http.response.pathsend", "path": 0}, "a path is expected"),
        ({"type": "http.response.pathsend", "path": "/dev/null"}, "no plain file"),
        ({"type": "http.response.pathsend", "path": b"/dev"}, "no plain file"),
        ({"type": "http.response.zerocopysend"}, "no descriptor"),
        ({"type": "http.response.zerocopysend", "file": "/etc/passwd"}, "no descriptor"),
        ({"type": "http.response.zerocopysend", "file": io.BytesIO()}, "no descriptor"),
        ({"type": "http.response.zerocopysend", "file": 2**40}, "no descriptor"),
    ],
)
def test_anything_but_a_file_is_refused_in_words(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ResponseError, match=words):
        file_of(keys)


def test_a_pipe_without_a_writer_stops_no_client(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ResponseError, match="no plain file"):
        file_of({"type": "http.response.pathsend", "path": tmp_path / "pipe"})


class ClientDisconnect(Exception):  # noqa: N818
    """As Starlette names it."""


def raised(*errors: BaseException, explicitly: bool) -> BaseException:
    """Raise each error while the one before is handled, and return the last."""
    current: BaseException | None = None
    for error in errors:
        error.__context__ = current
        error.__cause__ = current if explicitly else None
        current = error
    assert current is not None
    return current


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        (ClientDisconnectedError(), True),
        (ClientDisconnect(), True),
        (raised(ClientDisconnectedError(), ClientDisconnect(), explicitly=False), True),
        (raised(ClientDisconnectedError(), ValueError(), explicitly=True), True),
        (raised(ClientDisconnectedError(), ValueError(), explicitly=False), False),
        (BaseExceptionGroup("", [ClientDisconnectedError(), ExceptionGroup("", [ClientDisconnect()])]), True),
        (BaseExceptionGroup("", [ClientDisconnectedError(), ValueError()]), False),
        (raised(ExceptionGroup("", [ClientDisconnectedError()]), KeyError(), ValueError(), explicitly=True), True),
        (raised(KeyError(), ValueError(), explicitly=True), False),
        (OSError(), False),
        (ConnectionResetError(), False),
    ],
)
def test_what_says_that_the_client_has_gone(error: BaseException, *, is_one: bool) -> None:
    assert is_departure(error) is is_one


APPLICATION = source("served/values.py")


@pytest.fixture(scope="module")
def values() -> Iterator[PoolProcess]:
    """Serve an application that hands over what it likes, with one worker that has to live."""
    with PoolProcess.run(http_toml(target="application:app"), files={"application.py": APPLICATION}) as running:
        [worker] = running.workers()
        yield running
        assert running.workers() == [worker]
        running.stop()


@pytest.mark.parametrize("name", ["panic", "interrupt", "exit", "generator", "cancelled", "cancels-itself", "group"])
def test_what_an_application_raises_costs_its_request(values: PoolProcess, name: str) -> None:
    assert get(values, f"/raise/{name}").status == 500
    values.wait_logged(f'request_failed request="GET /raise/{name}"')
    with pytest.raises((AssertionError, ConnectionResetError, ValueError)):
        get(values, f"/raise-late/{name}")  # which is broken off
    values.wait_logged(f'request_failed request="GET /raise-late/{name}"')


@pytest.mark.parametrize("name", ["dict", "user", "proxy"])
def test_a_message_is_any_mapping(values: PoolProcess, name: str) -> None:
    assert get(values, f"/mapping/{name}").body == b"content"


def test_more_than_a_response_is_an_error_of_the_application(values: PoolProcess) -> None:
    assert get(values, "/again/x").body == b"content"
    values.wait_logged("http.response.body was sent after the response was complete")


def test_an_application_may_catch_a_refusal(values: PoolProcess) -> None:
    assert get(values, "/catch/x").body == b"content"


@pytest.mark.parametrize("name", ["str", "bytes", "path"])
def test_files_by_path(values: PoolProcess, name: str) -> None:
    assert get(values, f"/path/{name}").body == APPLICATION.encode()


@pytest.mark.parametrize("name", ["object", "number"])
def test_parts_of_files(values: PoolProcess, name: str) -> None:
    assert get(values, f"/file/{name}").body == b"2345" + b"89" + b"0123456789"


def test_errors_with_files_are_told(values: PoolProcess) -> None:
    assert get(values, "/no-path/x").status == 500
    values.wait_logged("FileNotFoundError")
    assert get(values, "/negative/x").status == 500
    values.wait_logged("neither is negative")
