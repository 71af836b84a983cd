"""wsgi.file_wrapper sends the bytes that read() returns; only a plain file is sent by its descriptor."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from http_client import Response, get, http_toml, request
from sources import source

from corepool.testing.pools import Pools
from corepool.testing.sockets import connect, receive_all
from corepool.testing.waiting import wait_until
from corepool_http.apps.wsgi_files import FileWrapper, plain_segment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from corepool.testing.pool import PoolProcess

CONTENT = b"".join(b"%09d\n" % number for number in range(20_000))

APPLICATION = source("served/wrapping.py")


@pytest.fixture(scope="module", params=[0, 2], ids=["loop", "threads"])
def running(request: pytest.FixtureRequest) -> Iterator[PoolProcess]:
    with Pools() as pools:
        pool = pools(
            http_toml(target="wrapping:application", threads=request.param),
            files={"wrapping.py": APPLICATION, "small": "small", "empty": "", "large": CONTENT.decode()},
            traceback=True,
        )
        (pool.directory / "large.gz").write_bytes(gzip.compress(CONTENT))
        (pool.directory / "large.bz2").write_bytes(bz2.compress(CONTENT))
        (pool.directory / "large.xz").write_bytes(lzma.compress(CONTENT))
        with zipfile.ZipFile(pool.directory / "large.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("large", CONTENT)
        yield pool


def wish(name: str, offset: int = 0, block: tuple[int, ...] = (), headers: tuple[tuple[str, str], ...] = ()) -> str:
    return "X-File: " + json.dumps([name, offset, block, headers])


def ask(running: PoolProcess, *values: Any, method: str = "GET") -> Response:
    return get(running, "/", wish(*values), method=method)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("gzip", CONTENT),
        ("bz2", CONTENT),
        ("lzma", CONTENT),
        ("zip", CONTENT),
        ("large", CONTENT),
        ("unbuffered", CONTENT),
        ("small", b"small"),
        ("empty", b""),
        ("memory", b"memory"),
        ("spooled in memory", CONTENT),
        ("spooled to disk", CONTENT),
        ("temporary", b"start end"),
        ("named temporary", b"start end"),
        ("subclass", b"SMALL"),
        ("object", b"SMALL"),
        ("pipe", b"piped"),
    ],
)
def test_the_content_is_what_read_returns(running: PoolProcess, name: str, content: bytes) -> None:
    for block in ((), (1,), (100_000,), (0,), (-1,)):
        if block == (1,) and len(content) > 100:
            continue
        response = ask(running, name, 0, block)
        assert (response.status, response.body) == (200, content)


def test_a_file_of_proc_has_content_though_its_size_is_0(running: PoolProcess) -> None:
    assert ask(running, "proc").body.split()[0].isdigit()


@pytest.mark.parametrize("name", ["large", "unbuffered", "gzip"])
@pytest.mark.parametrize("offset", [1, 150_000, len(CONTENT), len(CONTENT) + 5])
def test_content_begins_where_the_file_is(running: PoolProcess, name: str, offset: int) -> None:
    assert ask(running, name, offset).body == CONTENT[offset:]


@pytest.mark.parametrize("name", ["large", "gzip"])
def test_a_length_decides_how_much_is_sent(running: PoolProcess, name: str) -> None:
    assert ask(running, name, 0, (), (("Content-Length", "100000"),)).body == CONTENT[:100_000]
    with connect(running.urls()[0]) as sock:
        sock.sendall(request("/", wish(name, 0, (), (("Content-Length", "1000000"),))))
        received = receive_all(sock)  # and the end comes too early
    assert received.partition(b"\r\n\r\n")[2] == CONTENT


def test_head_has_the_length_alone(running: PoolProcess) -> None:
    response = ask(running, "large", method="HEAD")
    assert (response.status, response.header("content-length")) == (200, str(len(CONTENT)))


def test_a_file_that_can_not_be_read_is_a_500(running: PoolProcess) -> None:
    assert ask(running, "broken").status == 500


def test_a_file_that_shrinks_while_it_is_sent_breaks_the_response_off(running: PoolProcess) -> None:
    path = running.directory / "large"
    size = 64_000_000  # more than the kernel takes from a server at once
    try:
        os.truncate(path, size)
        with connect(running.urls()[0]) as sock:
            sock.sendall(request("/", wish("large")))
            received = len(sock.recv(1000))
            os.truncate(path, 1_000_000)
            try:
                while piece := sock.recv(1_000_000):
                    received += len(piece)
            except ConnectionResetError:
                pass
        assert received < size
    finally:
        path.write_bytes(CONTENT)


def test_descriptors_are_closed(running: PoolProcess) -> None:
    [worker] = running.workers()
    folder = Path(f"/proc/{worker}/fd")
    ask(running, "small")

    def opened() -> list[str]:
        return [link for entry in folder.iterdir() if "large" in (link := _link_of(entry))]

    for name in ("large", "unbuffered", "gzip"):
        ask(running, name)
    wait_until(lambda: not opened())


def _link_of(entry: Path) -> str:
    try:
        return str(entry.readlink())
    except FileNotFoundError:
        return ""


# --- which files are plain


class _Overridden(io.FileIO):
    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size)


def _devnull() -> BinaryIO:
    return Path(os.devnull).open("rb")


@pytest.mark.parametrize(
    ("make", "is_plain"),
    [
        (lambda path: path.open("rb"), True),
        (lambda path: path.open("rb", buffering=0), True),
        (lambda path: path.open("r+b"), True),
        (lambda path: path.open("ab"), False),
        (lambda path: path.open("r", encoding="utf-8"), False),
        (_Overridden, False),
        (lambda path: io.BufferedReader(_Overridden(path)), False),
        (gzip.GzipFile, False),
        (lambda path: io.BytesIO(path.read_bytes()), False),
        (lambda path: path, False),
        (lambda _: _devnull(), False),
        (lambda _: tempfile.SpooledTemporaryFile(), False),  # noqa: SIM115  # closed by the test
    ],
)
def test_plain_files_are_known_by_their_exact_types(
    tmp_path: Path, make: Callable[[Path], object], *, is_plain: bool
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    file = make(path)
    try:
        segment = plain_segment(FileWrapper(cast("BinaryIO", file)))
        assert (segment is not None) == is_plain
        if segment is not None:
            assert segment[1:] == (0, 7)
    finally:
        if hasattr(file, "close"):
            file.close()


def test_a_closed_file_and_an_odd_wrapper_are_not_plain(tmp_path: Path) -> None:
    class Odd(FileWrapper):
        pass

    path = tmp_path / "file"
    path.write_bytes(b"content")
    with path.open("rb") as file:
        assert plain_segment(Odd(file)) is None
        assert plain_segment(file) is None
        file.read = lambda _=-1: b"other"  # type: ignore[method-assign,assignment,misc]
        assert plain_segment(FileWrapper(file)) is None
    assert plain_segment(FileWrapper(file)) is None
