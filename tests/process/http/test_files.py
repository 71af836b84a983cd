"""Files: the served ones, the parts of them, and those that never are (RFC 9110, 13 and 14)."""

from __future__ import annotations

import gzip
import os
import re
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest
from http_client import ask, get, http_toml, parse, receive_response, request
from pydantic import ValidationError

from corepool.testing.pool import PoolProcess
from corepool.testing.sockets import connect
from corepool_http import Http, HttpOptions
from corepool_http.apps.files import Files
from corepool_http.apps.ranges import parse_ranges

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from corepool.testing.conversation import Conversations
    from corepool.testing.pools import Pools

CONTENT = bytes(range(256)) * 1024


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a folder with files to be served, beside others that must not be."""
    root = tmp_path / "root"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "data.bin").write_bytes(CONTENT)
    (root / "page.html").write_text("<p>page")
    (root / "empty.txt").touch()
    (root / "sub" / "index.html").write_text("<p>index")
    (root / "a b & <c>.txt").write_text("odd")
    (root / "packed.js").write_text("var a;" * 100)
    (root / "packed.js.gz").write_bytes(gzip.compress(b"var a;" * 100))
    (tmp_path / "secret.txt").write_text("secret")
    (root / "out").symlink_to(tmp_path / "secret.txt")
    (root / "in").symlink_to("page.html")
    (root / "up").symlink_to("..")
    (root / "loop").symlink_to("loop")
    os.mkfifo(root / "fifo")
    return root


@pytest.fixture
def files(pool: Pools, root: Path) -> PoolProcess:
    """Serve it."""
    return pool(http_toml(root=str(root)))


def test_a_file(files: PoolProcess) -> None:
    response = get(files, "/data.bin")
    assert (response.status, response.body) == (200, CONTENT)
    assert response.header("content-length") == str(len(CONTENT))
    assert response.header("content-type") == "application/octet-stream"
    assert get(files, "/data.bin", method="HEAD").header("content-length") == str(len(CONTENT))
    assert get(files, "/page.html").header("content-type") == "text/html; charset=utf-8"
    assert get(files, "/empty.txt").body == b""
    assert get(files, "/in").body == b"<p>page"
    assert get(files, "/a%20b%20%26%20%3Cc%3E.txt").body == b"odd"
    assert get(files, "/sub/").body == b"<p>index"
    assert get(files, "/sub?a=b").header("location") == "/sub/?a=b"
    assert get(files, "//sub").header("location") == "/sub/"
    assert get(files, "/data.bin", method="POST", content=b"x").status == 405


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/sub/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/up/secret.txt",
        "/out",
        "/a%00b",
        "/%00",
        "/loop",
        "/fifo",
        "/nothing",
        "/data.bin/",
        "/sub/deep/",
        "/%ff",
        "/" + "a/" * 2000,
        "/....//secret.txt",
        "/sub/%2e%2e/%2e%2e/secret.txt",
        "/%252e%252e/secret.txt",
        "/\\..\\secret.txt",
    ],
)
def test_nothing_leads_out(files: PoolProcess, path: str) -> None:
    response = get(files, path)
    assert response.status == 404
    assert b"secret" not in response.body


def test_links_and_listings_are_a_choice(pool: Pools, root: Path) -> None:
    running = pool(http_toml(root=str(root), follow_links=True, listing=True))
    assert get(running, "/out").body == b"secret"
    page = get(running, "/").body.decode()
    assert '<a href="./a%20b%20%26%20%3Cc%3E.txt">a b &amp; &lt;c&gt;.txt</a>' in page
    assert '<a href="./sub/">sub/</a>' in page
    assert get(running, "/../secret.txt").status == 404


def test_conditions(files: PoolProcess, root: Path) -> None:
    first = get(files, "/data.bin")
    etag, modified = first.header("etag"), first.header("last-modified")
    later, earlier = formatdate(2**31, usegmt=True), formatdate(0, usegmt=True)
    for header, status in [
        (f"If-None-Match: {etag}", 304),
        (f'If-None-Match: "other", W/{etag}', 304),
        ("If-None-Match: *", 304),
        ('If-None-Match: "other"', 200),
        (f"If-Modified-Since: {modified}", 304),
        (f"If-Modified-Since: {later}", 304),
        (f"If-Modified-Since: {earlier}", 200),
        ("If-Modified-Since: yesterday", 200),
        (f"If-Match: {etag}", 200),
        (f"If-Match: W/{etag}", 412),
        ('If-Match: "other"', 412),
        (f"If-Unmodified-Since: {earlier}", 412),
        (f"If-Unmodified-Since: {modified}", 200),
    ]:
        response = get(files, "/data.bin", header)
        assert response.status == status, header
        if status == 304:
            assert response.header("etag") == etag
    os.utime(root / "data.bin", ns=(1, 1))
    assert get(files, "/data.bin", f"If-None-Match: {etag}").status == 200


@pytest.mark.parametrize(
    ("header", "status", "content"),
    [
        ("bytes=0-0", 206, CONTENT[:1]),
        ("bytes=10-19", 206, CONTENT[10:20]),
        ("bytes=-10", 206, CONTENT[-10:]),
        ("bytes=262100-", 206, CONTENT[262_100:]),
        ("bytes=262100-999999999", 206, CONTENT[262_100:]),
        ("bytes=999999999-", 416, b""),
        ("bytes=-0", 416, b""),
        ("bytes=5-2", 200, CONTENT),
        ("bytes=a-b", 200, CONTENT),
        ("lines=1-2", 200, CONTENT),
        ("bytes=" + ",".join(["0-"] * 10), 200, CONTENT),
        ("bytes=" + ",".join(f"{n}-{n}" for n in range(100)), 200, CONTENT),
    ],
)
def test_ranges(files: PoolProcess, header: str, status: int, content: bytes) -> None:
    response = get(files, "/data.bin", f"Range: {header}")
    assert (response.status, response.body) == (status, content)
    if status == 416:
        assert response.header("content-range") == f"bytes */{len(CONTENT)}"


def test_several_ranges_and_if_range(files: PoolProcess) -> None:
    etag = get(files, "/data.bin").header("etag")
    response = get(files, "/data.bin", "Range: bytes=0-1, 10-11,-1", f"If-Range: {etag}")
    assert response.status == 206
    kind = response.header("content-type") or ""
    boundary = kind.partition("boundary=")[2].encode()
    parts = response.body.split(b"--" + boundary)
    assert [part.partition(b"\r\n\r\n")[2] for part in parts[1:-1]] == [
        CONTENT[:2] + b"\r\n", CONTENT[10:12] + b"\r\n", CONTENT[-1:] + b"\r\n"
    ]  # fmt: skip
    assert parts[-1] == b"--\r\n"
    assert get(files, "/data.bin", "Range: bytes=0-1", 'If-Range: "other"').status == 200


def test_ranges_never_ask_for_more_than_there_is() -> None:
    assert parse_ranges("bytes=0-9", 0) == []
    assert parse_ranges("bytes=0-9,5-14", 20) == [(0, 9), (5, 14)]
    assert parse_ranges("bytes=", 20) is None
    assert parse_ranges("bytes=0-" + "9" * 100, 20) is None


def test_precompressed_neighbours(files: PoolProcess) -> None:
    plain = get(files, "/packed.js")
    packed = get(files, "/packed.js", "Accept-Encoding: br;q=1, gzip;q=0.5")
    assert plain.header("content-encoding") is None
    assert (packed.header("content-encoding"), gzip.decompress(packed.body)) == ("gzip", plain.body)
    assert plain.header("vary") == packed.header("vary") == "Accept-Encoding"
    assert packed.header("content-type") == plain.header("content-type")
    assert packed.header("etag") != plain.header("etag")
    assert get(files, "/packed.js", "Accept-Encoding: gzip;q=0").header("content-encoding") is None


def test_many_files_over_one_connection(files: PoolProcess) -> None:
    asked = [request("/data.bin", close=number == 19) for number in range(20)]
    responses = parse(ask(files, b"".join(asked)), ["GET"] * 20)
    assert all(response.body == CONTENT for response in responses)
    with connect(files.urls()[0]) as sock:
        sock.sendall(request("/page.html", close=False))
        assert receive_response(sock).body == b"<p>page"


@pytest.mark.parametrize("name", ["none", "page.html", "a\0b"])
def test_a_root_that_is_no_folder_is_a_mistake(tmp_path: Path, name: str) -> None:
    (tmp_path / "page.html").touch()
    with PoolProcess.run(http_toml(root=f"{tmp_path}/{name}"), wait=False) as running:
        assert running.wait() == 2
        assert "listener[0].options.root" in running.stderr
        assert "there is no such folder" in running.stderr
        assert "Traceback" not in running.stderr


def test_target_and_root_exclude_each_other(tmp_path: Path) -> None:
    for options, words in (
        (
            {"target": "a:b", "root": str(tmp_path)},
            "`target` and `root` exclude each other; beside an application, `static =",
        ),
        ({}, "either `target` (an application) or `root` (a folder of files) is needed"),
    ):
        with pytest.raises(ValidationError, match=re.escape(words)):
            HttpOptions.model_validate(options)


def test_a_file_that_is_asked_for_again_is_looked_at_again(files: PoolProcess, root: Path) -> None:
    page = root / "page.html"

    def replace(make: Callable[[Path], object]) -> None:
        made = root / "new"
        make(made)
        made.replace(page)

    for number in range(20):
        assert get(files, "/page.html").status == 200
        content = b"<p>%d" % number
        replace(lambda path, content=content: path.write_bytes(content))
        for _ in range(3):
            response = get(files, "/page.html")
            assert (response.status, response.body) == (200, content)
        etag = response.header("etag")
        assert get(files, "/page.html", f"If-None-Match: {etag}").status == 304
        assert get(files, "/page.html", "Range: bytes=0-1").body == b"<p"
        assert get(files, "/page.html", method="HEAD").header("content-length") == str(len(content))

        replace(lambda path: path.symlink_to(root.parent / "secret.txt"))
        assert get(files, "/page.html").status == 404
        page.unlink()
        assert get(files, "/page.html").status == 404
        page.write_bytes(b"again")
    assert [get(files, "/packed.js").header("content-encoding") for _ in range(3)] == [None] * 3
    assert get(files, "/packed.js", "Accept-Encoding: gzip").header("content-encoding") == "gzip"
    assert get(files, "/packed.js").header("vary") == "Accept-Encoding"


def test_the_folder_that_was_looked_at_is_listed(
    connection: Conversations, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not a file that is put in its place after it was found to be inside."""
    is_inside = Files._is_inside  # noqa: SLF001 - the moment between the two

    def swap(self: Files, fd: int) -> bool:
        found = is_inside(self, fd)
        (root / "sub" / "deep").rename(root / "sub" / "old")
        (root / "sub" / "deep").symlink_to(tmp_path)
        return found

    (root / "sub" / "deep" / "mine.txt").touch()
    client = connection(Http(HttpOptions(root=str(root), listing=True)))
    monkeypatch.setattr(Files, "_is_inside", swap)
    client.send(request("/sub/deep/"))
    page = client.receive()
    assert b"mine.txt" in page
    assert b"secret" not in page


def test_folders_that_are_odd(pool: Pools) -> None:
    prepare = "chmod 444 www/locked && touch www/odd/$(printf '\\377') && exec \"$@\""
    # Root may look into everything, unless that is taken from it.
    obeys = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
    running = pool(
        http_toml(root="www", listing=True),
        files={"www/locked/a.txt": "", "www/odd/a.txt": "", **{f"www/large/{each}": "" for each in range(10_001)}},
        wrapper=("sh", "-c", prepare, "sh", *obeys),
    )
    assert get(running, "/locked/").status == 403
    assert b'<a href="./%FF">' in get(running, "/odd/").body
    page = get(running, "/large/").body
    assert page.count(b"<li><a") == 10_000
    assert b"and more" in page
    assert "Traceback" not in running.stderr
    (running.directory / "www" / "locked").chmod(0o755)
