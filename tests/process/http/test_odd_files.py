"""Files that change, that are no files, or larger than memory; and what one request leaves for the next."""

from __future__ import annotations

import itertools
import os
import socket
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import pytest
from http_client import ask, get, http_toml, parse, receive_response, request

from corepool.testing.pools import Pools
from corepool.testing.sockets import connect, receive_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from http_client import Response

    from corepool.testing.pool import PoolProcess

LARGE = 5 * 1024**3  # sparse: it takes no room
MODIFIED = 784_111_777


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an empty folder."""
    return tmp_path_factory.mktemp("root")


@pytest.fixture(scope="module")
def files(root: Path) -> Iterator[PoolProcess]:
    """Serve it."""
    with Pools() as pools:
        yield pools(http_toml(root=str(root), root_path="/mount point", listing=True))


@pytest.mark.parametrize("shrink", [lambda path: os.truncate(path, 1000), lambda path: os.truncate(path, 0)])
def test_a_file_that_shrinks_while_it_is_sent_is_broken_off(files: PoolProcess, root: Path, shrink: object) -> None:
    path = root / "shrinks"
    with path.open("wb") as file:
        file.truncate(LARGE)
    with connect(files.urls()[0]) as sock:
        sock.sendall(request("/shrinks"))
        assert sock.recv(12) == b"HTTP/1.1 200"
        shrink(path)  # type: ignore[operator]
        received = 0
        try:
            while data := sock.recv(1 << 20):
                received += len(data)
        except ConnectionResetError:
            pass
        assert received < LARGE
    path.unlink()
    assert get(files, "/shrinks").status == 404


def test_a_file_that_is_unlinked_while_it_is_sent_is_sent(files: PoolProcess, root: Path) -> None:
    path = root / "vanishes"
    content = os.urandom(1 << 16) * 512  # more than the kernel takes
    path.write_bytes(content)
    with connect(files.urls()[0]) as sock:
        sock.sendall(request("/vanishes"))
        begin = sock.recv(12)
        path.unlink()
        [response] = parse(begin + receive_all(sock), ["GET"])
    assert response.body == content


def test_a_file_larger_than_memory(files: PoolProcess, root: Path) -> None:
    with (root / "large").open("wb") as file:
        file.truncate(LARGE - 3)
        file.seek(0, os.SEEK_END)
        file.write(b"end")
    assert get(files, "/large", method="HEAD").header("content-length") == str(LARGE)
    last = get(files, "/large", "Range: bytes=-3")
    assert (last.status, last.body) == (206, b"end")
    assert last.header("content-range") == f"bytes {LARGE - 3}-{LARGE - 1}/{LARGE}"
    assert get(files, "/large", f"Range: bytes={LARGE - 2}-{LARGE - 2},{LARGE - 1}-").body.count(b"Content-Range") == 2
    assert get(files, "/large", f"Range: bytes={LARGE}-").header("content-range") == f"bytes */{LARGE}"


def test_anything_but_a_file_is_not_found(files: PoolProcess, root: Path) -> None:
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        folder = os.open(root, os.O_RDONLY)
        listening.bind(f"/proc/self/fd/{folder}/socket")  # its path would be too long
        os.close(folder)
        for path in ("/fifo", "/socket", "/fifo/", "/socket/"):
            assert get(files, path).status == 404


@pytest.mark.parametrize("kind", ["folder", "fifo", "dangling link", "link that leads out", "loop"])
def test_a_sibling_that_can_not_be_served_is_passed_over(files: PoolProcess, root: Path, kind: str) -> None:
    name = kind.replace(" ", "-")
    (root / f"{name}.js").write_bytes(b"plain")
    (root / f"{name}.js.gz").write_bytes(b"packed")
    sibling = root / f"{name}.js.br"
    match kind:
        case "folder":
            sibling.mkdir()
        case "fifo":
            os.mkfifo(sibling)
        case "dangling link":
            sibling.symlink_to("nothing")
        case "link that leads out":
            (root.parent / "secret").write_bytes(b"secret")
            sibling.symlink_to(root.parent / "secret")
        case _:
            sibling.symlink_to(sibling.name)
    assert get(files, f"/{name}.js").body == b"plain"
    assert get(files, f"/{name}.js", "Accept-Encoding: br").body == b"plain"
    both = get(files, f"/{name}.js", "Accept-Encoding: br, gzip")
    assert (both.body, both.header("content-encoding")) == (b"packed", "gzip")
    assert both.header("vary") == "Accept-Encoding"


def test_each_coding_has_an_entity_tag_of_its_own(files: PoolProcess, root: Path) -> None:
    for name in ("same.css", "same.css.gz", "same.css.br"):
        (root / name).write_bytes(b"12345")
        os.utime(root / name, (MODIFIED, MODIFIED))
    tags = {}
    for coding in ("identity", "gzip", "br"):
        response = get(files, "/same.css", f"Accept-Encoding: {coding}")
        tags[coding] = response.header("etag")
        assert response.header("vary") == "Accept-Encoding"
    assert len(set(tags.values())) == 3
    for coding, other in itertools.product(tags, repeat=2):
        asked = (f"Accept-Encoding: {coding}", f"If-None-Match: {tags[other]}")
        response = get(files, "/same.css", *asked)
        assert response.status == (304 if coding == other else 200)
        assert response.header("vary") == "Accept-Encoding"
        if response.status == 304:  # RFC 9110, 15.4.5
            sent = {name.lower() for name, _ in response.headers}
            assert sent == {"date", "server", "etag", "vary", "last-modified", "connection"}
        part = get(files, "/same.css", f"Accept-Encoding: {coding}", "Range: bytes=0-1", f"If-Range: {tags[other]}")
        assert part.status == (206 if coding == other else 200)
    for line, status in (('If-Match: "other"', 412), ("Range: bytes=9-", 416)):
        response = get(files, "/same.css", "Accept-Encoding: gzip", line)
        assert (response.status, response.header("vary")) == (status, "Accept-Encoding")


def test_facts_found_for_one_request_are_not_used_for_another_that_differs(files: PoolProcess, root: Path) -> None:
    """Each request is asked after each other one, within the second that answers are kept for, and has one answer."""
    (root / "kept.css").write_bytes(b"plain text")
    (root / "kept.css.gz").write_bytes(b"packed")
    for path in ("kept.css", "kept.css.gz"):
        os.utime(root / path, (MODIFIED, MODIFIED))
    (root / "kept").mkdir()
    (root / "kept" / "index.html").write_bytes(b"index")
    etag = get(files, "/kept.css").header("etag")
    asked = [
        ("GET", request("/kept.css", close=False)),
        ("HEAD", request("/kept.css", method="HEAD", close=False)),
        ("GET", request("/kept.css", "Accept-Encoding: gzip", close=False)),
        ("GET", request("/kept.css", "Accept-Encoding: gzip;q=0", close=False)),
        ("GET", request("/kept.css", "Range: bytes=2-4", close=False)),
        ("GET", request("/kept.css", "Range: bytes=99-", close=False)),
        ("GET", request("/kept.css", f"If-None-Match: {etag}", close=False)),
        ("GET", request("/kept.css", 'If-Match: "other"', close=False)),
        ("GET", request("/kept.css", "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", close=False)),
        ("OPTIONS", request("/kept.css", method="OPTIONS", close=False)),
        ("POST", request("/kept.css", method="POST", close=False)),
        ("GET", request("/kept.css/", close=False)),
        ("GET", request("/kept", close=False)),
        ("GET", request("/kept/", close=False)),
        ("GET", request("/kept/", "Accept-Encoding: gzip", close=False)),
    ]
    answers: dict[int, set[str]] = {}
    with connect(files.urls()[0]) as sock:
        for pair in itertools.permutations(range(len(asked)), 2):
            for each in pair:
                method, data = asked[each]
                sock.sendall(data)
                response = receive_response(sock, method) if method != "OPTIONS" else receive_empty(sock)
                shown = [line for line in response.headers if line[0] != "Date"]
                answers.setdefault(each, set()).add(repr((response.status, shown, response.body)))
    assert [len(each) for each in answers.values()] == [1] * len(asked)


def receive_empty(sock: socket.socket) -> Response:
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        data += sock.recv(1)
    [response] = parse(data, ["GET"])
    return response


def test_methods(files: PoolProcess, root: Path) -> None:
    (root / "method.txt").write_bytes(b"content")
    allowed = "GET, HEAD, OPTIONS"
    for target in ("/method.txt", "*", "/nothing"):
        response = get(files, target, method="OPTIONS")
        assert (response.status, response.header("allow"), response.body) == (204, allowed, b"")
    for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"):
        response = get(files, "/method.txt", method=method)
        assert (response.status, response.header("allow")) == (405, allowed)
    # Content that is there in full is no reason to close.
    answers = ask(files, request("/", method="POST", content=b"abc", close=False) + request("/method.txt"))
    assert [response.status for response in parse(answers, ["POST", "GET"])] == [405, 200]


def test_a_redirect_stays_under_the_mount_point(files: PoolProcess, root: Path) -> None:
    (root / "evil.example" / "a b").mkdir(parents=True)
    for asked, location in (
        ("/evil.example", "/mount%20point/evil.example/"),
        ("//evil.example", "/mount%20point/evil.example/"),
        ("/.//evil.example", "/mount%20point/evil.example/"),
        ("/%2Fevil.example?//other", "/mount%20point/evil.example/?//other"),
        ("/evil.example/a%20b", "/mount%20point/evil.example/a%20b/"),
    ):
        response = get(files, asked)
        assert (response.status, response.header("location")) == (301, location)


@pytest.mark.parametrize("seconds", [2**33, -(2**31), 0])
def test_no_file_is_modified_after_its_response(files: PoolProcess, root: Path, seconds: int) -> None:
    (root / "dated.txt").write_bytes(b"content")
    os.utime(root / "dated.txt", (seconds, seconds))
    response = get(files, "/dated.txt")
    modified = parsedate_to_datetime(response.header("last-modified") or "")
    assert modified <= parsedate_to_datetime(response.header("date") or "")
    assert seconds > time.time() or modified.timestamp() == seconds
    # A copy of a file from the future is never known to be the same by its date.
    date = response.header("last-modified")
    expected = 200 if seconds > time.time() else 304
    assert get(files, "/dated.txt", f"If-Modified-Since: {date}").status == expected


def test_odd_names_are_listed(files: PoolProcess, root: Path) -> None:
    folder = root / "names"
    folder.mkdir()
    names = [b"a b", b'"quoted"', b"<b>bold", b"javascript:alert(1)", b"?a=b", b"#a", b"%41", b"\xff", b".dot", b"a\nb"]
    for name in names:
        (folder / os.fsdecode(name)).write_bytes(name)
    page = get(files, "/names/").body
    links = [part.partition(b'"')[0] for part in page.split(b'<a href="')[1:]]
    assert len(links) == len(names)
    assert {get(files, f"/names/{link.decode()}").body for link in links} == set(names)
    assert b"<b>" not in page
    assert b'href="javascript' not in page
