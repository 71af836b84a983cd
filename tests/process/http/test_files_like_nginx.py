"""The same folder served by nginx and by corepool: each request has the same answer, or a reason why not."""

from __future__ import annotations

import gzip
import os
import subprocess
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

import pytest
from http_client import http_toml, parse, request

from corepool.testing.pools import Pools
from corepool.testing.sockets import connect, receive_all
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from http_client import Response

CONTENT = bytes(range(256)) * 40
MODIFIED = 784_111_777
AT = "Sun, 06 Nov 1994 08:49:37 GMT"
BEFORE = "Sun, 06 Nov 1994 08:49:36 GMT"
AFTER = "Sun, 06 Nov 1994 08:49:38 GMT"

NGINX = """
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr;
events {{}}
http {{
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    gzip_static on;
    gzip_vary on;
    if_modified_since before;
    absolute_redirect off;
    server {{
        listen unix:{folder}/socket;
        root {root};
    }}
}}
"""


class Case(NamedTuple):
    """A request that both get."""

    path: str
    headers: tuple[str, ...] = ()
    method: str = "GET"


class Seen(NamedTuple):
    """The parts of a response that are compared."""

    status: int
    media_type: str | None = None
    coding: str | None = None
    length: str | None = None
    content_range: str | None = None
    accept_ranges: str | None = None
    modified: str | None = None
    vary: str | None = None
    location: str | None = None
    parts: list[tuple[str, bytes]] | None = None
    body: bytes = b""


class Both(NamedTuple):
    """The addresses of the two."""

    nginx: str
    corepool: str


def case(path: str, *headers: str, method: str = "GET") -> Case:
    return Case(path, headers, method)


def fill(root: Path) -> None:
    """Make the folder."""
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "a b").mkdir()
    (root / "evil.example").mkdir()
    for name in (
        "data.bin", "page.html", "sub/index.html", "a.webp", "a.woff2", "a.wasm", "a.json", "a.css", "a.svg",
        "UPPER.PNG", "a.min.css", "no_suffix", "a.", ".hidden", ".css", "..css", "a.unknown", "a b & <c>.txt",
        "käse.txt", "a%20b.txt", "a+b.txt", "a;b.txt", "a:b.txt", "back\\slash.txt", "quote'\".txt",
    ):  # fmt: skip
        (root / name).write_bytes(CONTENT)
    (root / os.fsdecode(b"\xff\xfe.txt")).write_bytes(CONTENT)
    (root / "empty.txt").touch()
    (root / "packed.css").write_bytes(CONTENT)
    (root / "packed.css.gz").write_bytes(gzip.compress(CONTENT, mtime=0))
    (root / "archive.tar.gz").write_bytes(gzip.compress(CONTENT, mtime=0))
    (root / "a.svgz").write_bytes(gzip.compress(CONTENT, mtime=0))
    (root / "stale.css").write_bytes(CONTENT)
    (root / "stale.css.gz").write_bytes(gzip.compress(b"old", mtime=0))
    (root / "only.css.gz").write_bytes(gzip.compress(CONTENT, mtime=0))
    (root / "link").symlink_to("page.html")
    (root / "dangling").symlink_to("nothing")
    (root / "loop").symlink_to("loop")
    (root / "out").symlink_to("../conf")
    os.mkfifo(root / "fifo")
    for path in root.rglob("*"):
        os.utime(path, (MODIFIED, MODIFIED), follow_symlinks=path.exists())
    os.utime(root / "stale.css.gz", (MODIFIED - 60, MODIFIED - 60))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Serve one folder with both."""
    folder = tmp_path_factory.mktemp("nginx")
    root = folder / "root"
    root.mkdir()
    fill(root)
    (folder / "conf").write_text(NGINX.format(folder=folder, root=root))
    command = ["nginx", "-e", "stderr", "-p", folder, "-c", folder / "conf"]
    nginx = subprocess.Popen(command)  # noqa: S603
    address = f"unix://{folder}/socket"
    try:
        wait_until(lambda: nginx.poll() is not None or is_served(address), what="nginx")
        assert nginx.poll() is None
        with Pools() as pools:
            yield Both(address, pools(http_toml(root=str(root))).urls()[0])
    finally:
        nginx.terminate()
        nginx.wait()


def is_served(address: str) -> bool:
    try:
        connect(address).close()
    except OSError:
        return False
    return True


def ask(address: str, case: Case) -> Response:
    with connect(address) as sock:
        sock.sendall(request(case.path, *case.headers, method=case.method))
        [response] = parse(receive_all(sock), [case.method])
        return response


def seen(response: Response) -> Seen:
    if response.status >= 400:  # its page differs
        return Seen(response.status, content_range=response.header("content-range"))
    location = response.header("location")
    if location is not None:  # one escapes what the other doesn't need to; the path and the query are the same
        target = urlsplit(location)
        return Seen(response.status, location=f"{unquote(target.path)}?{target.query}")
    media_type, _, boundary = (response.header("content-type") or "").partition("; boundary=")
    if boundary:  # the heads of the parts have another length
        return Seen(response.status, media_type, parts=parts_of(response.body, boundary))
    coding = response.header("content-encoding")
    return Seen(
        response.status,
        media_type.partition(";")[0],
        coding,
        response.header("content-length"),
        response.header("content-range"),
        # nginx has it where a range can be asked for, and none was.
        None if response.status == 206 or coding else response.header("accept-ranges"),
        response.header("last-modified"),
        response.header("vary"),
        body=response.body,
    )


def parts_of(body: bytes, boundary: str) -> list[tuple[str, bytes]]:
    """Return each part's Content-Range and content."""
    first, *parts = f"\r\n{body.decode('latin-1')}".split(f"\r\n--{boundary}")
    assert not first.strip()
    assert parts.pop() == "--\r\n"
    split = [part.partition("\r\n\r\n") for part in parts]
    return [(head.partition("Content-Range: ")[2].split("\r\n")[0], text.encode("latin-1")) for head, _, text in split]


FILES = [
    *(
        case(path)
        for path in (
            "/data.bin", "/page.html", "/a.webp", "/a.woff2", "/a.wasm", "/a.json", "/a.css", "/a.svg", "/UPPER.PNG",
            "/a.min.css", "/no_suffix", "/a.", "/.hidden", "/.css", "/..css", "/a.unknown", "/a%20b%20&%20%3Cc%3E.txt",
            "/k%C3%A4se.txt", "/k%c3%a4se.txt", "/%FF%FE.txt", "/a%2520b.txt", "/a+b.txt", "/a;b.txt", "/a:b.txt",
            "/back%5Cslash.txt", "/quote'%22.txt", "/empty.txt", "/link", "/%64ata.bin", "/data.bin?query",
            "/data.bin?", "//data.bin", "/./data.bin", "/sub//index.html", "/sub%2Findex.html", "/sub/", "/sub/.",
            "/sub//", "http://a/data.bin",
            # Folders.
            "/sub", "/sub?a=b&c=/d", "/sub?", "//sub", "/sub/deep", "/a%20b", "//evil.example", "/.//evil.example",
            "/./sub", "/%73ub",
            # Missing files.
            "/nothing", "/sub/nothing", "/data.bin/", "/data.bin/.", "/data.bin/a", "/dangling", "/DATA.BIN",
            "/a%2Bb.txt.x", "/only.css", "/fifo", "/evil.example%5C..%5Cdata.bin", "/" + "a" * 300, "/" + "a/" * 2000,
        )
    ),
    case("/data.bin", method="HEAD"),
    case("/empty.txt", method="HEAD"),
    case("/sub/", method="HEAD"),
    case("/nothing", method="HEAD"),
    case("/data.bin", method="POST"),
    case("/data.bin", method="PUT"),
    case("/data.bin", method="DELETE"),
    case("/nothing", method="PUT"),
]  # fmt: skip

PACKED = [
    *(
        case("/packed.css", *(f"Accept-Encoding: {value}" for value in values))
        for values in (
            (), ("gzip",), ("GZIP",), ("gzip;q=1",), ("gzip;q=0.5",), ("gzip;q=0",), ("gzip;q=0.000",), ("gzip; q=0",),
            ("gzip, deflate, br",), ("br",), ("deflate, gzip;q=0.1",), ("identity",), ("gzip;q=x",), ("",),
            ("*;q=0",),
        )
    ),
    case("/packed.css", "Accept-Encoding: gzip", method="HEAD"),
    case("/packed.css", "Accept-Encoding: gzip", f"If-Modified-Since: {AT}"),
    case("/packed.css", "Range: bytes=0-9"),
    case("/stale.css", "Accept-Encoding: gzip"),
    case("/data.bin", "Accept-Encoding: gzip"),
]  # fmt: skip

CONDITIONS = [
    case("/data.bin", header)
    for header in (
        f"If-Modified-Since: {AT}",
        f"If-Modified-Since: {AFTER}",
        f"If-Modified-Since: {BEFORE}",
        "If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT",
        "If-Modified-Since: Sun Nov  6 08:49:37 1994",
        "If-Modified-Since: Sun, 06 Nov 1994 08:49:37",
        "If-Modified-Since: yesterday",
        f"If-Unmodified-Since: {AT}",
        f"If-Unmodified-Since: {AFTER}",
        f"If-Unmodified-Since: {BEFORE}",
        "If-None-Match: *",
        'If-None-Match: "other"',
        "If-Match: *",
        'If-Match: "other"',
        'If-Match: W/"other"',
    )
] + [
    case("/data.bin", 'If-None-Match: "other"', f"If-Modified-Since: {AT}"),
    case("/data.bin", 'If-Match: "other"', "If-None-Match: *"),
    case("/data.bin", f"If-Unmodified-Since: {BEFORE}", f"If-Modified-Since: {AT}"),
    case("/data.bin", f"If-Modified-Since: {AT}", method="HEAD"),
    case("/data.bin", f"If-Modified-Since: {AT}", "Range: bytes=0-1"),
    case("/data.bin", 'If-Match: "other"', "Range: bytes=0-1"),
    case("/nothing", "If-None-Match: *"),
    case("/nothing", "If-Match: *"),
    case("/sub", "If-None-Match: *"),
    case("/sub/", f"If-Modified-Since: {AT}"),
    case("/data.bin", "If-Match: *", method="POST"),
]

RANGES = [
    *(
        case("/data.bin", f"Range: {value}")
        for value in (
            "bytes=0-0", "bytes=0-", "bytes=10-19", "bytes=-1", "bytes=-99999", "bytes=10239-", "bytes=10239-99999",
            "bytes=10240-", "bytes=99999-", "bytes=-0", "bytes=0-0,99999-", "BYTES=0-0", "lines=0-1",
            "bytes 0-1", "bytes =0-1", "none", "", "bytes=0-1,3-4", "bytes=0-1, 3-4", "bytes=3-4,0-1",
            "bytes=0-9999,0-9999,0-9999",
        )
    ),
    case("/empty.txt", "Range: bytes=-1"),
    case("/data.bin", "Range: bytes=0-1", f"If-Range: {AT}"),
    case("/data.bin", "Range: bytes=0-1", f"If-Range: {BEFORE}"),
    case("/data.bin", "Range: bytes=0-1", f"If-Range: {AFTER}"),
    case("/data.bin", "Range: bytes=0-1", 'If-Range: "other"'),
    case("/data.bin", "Range: bytes=0-1", 'If-Range: W/"other"'),
    case("/data.bin", "Range: bytes=99999-", f"If-Range: {BEFORE}"),
    case("/data.bin", "Range: bytes=0-1", method="POST"),
    case("/nothing", "Range: bytes=0-1"),
    case("/sub", "Range: bytes=0-1"),
    case("/sub/", "Range: bytes=0-1"),
]  # fmt: skip


DIFFERENT = [
    # Codings: RFC 9110, 12.5.3 and 5.3.
    (case("/packed.css", "Accept-Encoding: *"), (200, None), (200, "gzip"), "* is each coding that is not named"),
    (case("/packed.css", "Accept-Encoding: x-gzip"), (200, None), (200, "gzip"), "an old name of gzip (8.4.1.3)"),
    (
        case("/packed.css", "Accept-Encoding: a", "Accept-Encoding: gzip"),
        (200, None),
        (200, "gzip"),
        "a list",
    ),
    (case("/packed.css", "Accept-Encoding: identity, gzip;q=0.5"), (200, "gzip"), (200, None), "identity is preferred"),
    (case("/a.svgz"), (200, None), (200, "gzip"), "a browser shows it only so; nginx leaves that to its configuration"),
    # Ranges: RFC 9110, 14.
    (
        case("/packed.css", "Accept-Encoding: gzip", "Range: bytes=0-9"),
        (200, "gzip"),
        (206, "gzip"),
        "as of a file",
    ),
    (
        case("/packed.css", "Accept-Encoding: gzip", "Range: bytes=9999-"),
        (200, "gzip"),
        (416, None),
        "as of a file",
    ),
    (case("/data.bin", "Range: bytes=0-1", method="HEAD"), (206, None), (200, None), "GET alone has ranges (14.2)"),
    (case("/data.bin", "Range: bytes=5-2"), (416, None), (200, None), "an invalid range is none (14.1.1)"),
    (case("/data.bin", "Range: bytes=a-b"), (416, None), (200, None), "an invalid range is none"),
    (case("/data.bin", "Range: bytes=0-1,,3-4"), (416, None), (206, None), "lists may have empty members (5.6.1)"),
    (case("/empty.txt", "Range: bytes=0-"), (200, None), (416, None), "no byte is behind the end (14.1.2)"),
    # Conditions: RFC 9110, 13.
    (case("/data.bin", "If-None-Match: *", f"If-Modified-Since: {BEFORE}"), (200, None), (304, None), "13.1.3"),
    (
        case("/data.bin", "If-Unmodified-Since: yesterday"),
        (412, None),
        (200, None),
        "no date (13.1.4)",
    ),
    (
        case("/data.bin", "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 +0100"),
        (304, None),
        (200, None),
        "a date of another zone than GMT is none (5.6.7)",
    ),
    # Methods.
    (case("/data.bin", method="OPTIONS"), (405, None), (204, None), "it says what is allowed (RFC 9110, 9.3.7)"),
    # Paths.
    (case("/sub/../data.bin"), (200, None), (404, None), "clients resolve `..` themselves; what is left is an attempt"),
    (case("/../data.bin"), (400, None), (404, None), "an attempt"),
    (case("/a%00b"), (400, None), (404, None), "no file has such a name"),
    (case("/sub/deep/"), (403, None), (404, None), "a folder that is not listed is not shown to be there"),
    (case("/loop"), (403, None), (404, None), "there is nothing to be forbidden"),
    (case("/out"), (200, None), (404, None), "`follow_links` is a choice"),
]


@pytest.mark.parametrize(("case", "nginx", "corepool", "why"), DIFFERENT)
def test_what_differs_has_a_reason(
    both: Both, case: Case, nginx: tuple[int, str | None], corepool: tuple[int, str | None], why: str
) -> None:
    answers = [ask(address, case) for address in both]
    assert [(each.status, each.header("content-encoding")) for each in answers] == [nginx, corepool], why


def test_an_archive_has_its_type(both: Both) -> None:
    """The table of nginx lacks it: it is a download there, as here."""
    for path in ("/archive.tar.gz", "/packed.css.gz"):
        packed = case(path, "Accept-Encoding: gzip")
        nginx, corepool = (seen(ask(address, packed)) for address in both)
        assert corepool == nginx._replace(media_type="application/gzip")


def name_of(case: Case) -> str:
    return f"{case.method} {case.path[:30]} {' '.join(case.headers)}"


@pytest.mark.parametrize("case", FILES + PACKED + CONDITIONS + RANGES, ids=name_of)
def test_the_answer_is_that_of_nginx(both: Both, case: Case) -> None:
    assert seen(ask(both.corepool, case)) == seen(ask(both.nginx, case))
