"""Folders of files beside an application: `static`."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest
from http_client import APPLICATIONS, get, http_toml
from pydantic import ValidationError
from websockets.sync.client import connect as connect_websocket

from corepool.testing.pool import PoolProcess
from corepool_http.options import HttpOptions

if TYPE_CHECKING:
    from pathlib import Path

    from corepool.testing.pools import Pools

CONTENT = bytes(range(256)) * 1024

SOURCES = {
    "wsgi": {"target": "beside_files:wsgi"},
    "threads": {"target": "beside_files:wsgi", "threads": 2},
    "asgi": {"target": "beside_files:asgi"},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder with files to be served, beside others that must not be."""
    folder = tmp_path / "public"
    (folder / "sub").mkdir(parents=True)
    (folder / "bare").mkdir()
    (folder / "data.bin").write_bytes(CONTENT)
    (folder / "style.css").write_text("p {}")
    (folder / "packed.js").write_text("var a;" * 100)
    (folder / "packed.js.gz").write_bytes(gzip.compress(b"var a;" * 100))
    (folder / "sub" / "index.html").write_text("<p>index")
    (folder / "out").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "uploads").mkdir()
    (tmp_path / "uploads" / "one.txt").write_text("one")
    return folder


def serve(pool: Pools, folder: Path, source: str, **options: object) -> PoolProcess:
    shown = {"/static/": str(folder), "/static/uploads": str(folder.parent / "uploads")}
    table = ", ".join(f'"{prefix}" = "{path}"' for prefix, path in shown.items())
    toml = http_toml(directory=str(APPLICATIONS), **SOURCES[source], **options)
    return pool(f"{toml}\nstatic = {{ {table} }}\n")


@pytest.fixture(params=SOURCES)
def beside(pool: Pools, folder: Path, request: pytest.FixtureRequest) -> PoolProcess:
    """Serve both folders beside each kind of application."""
    return serve(pool, folder, request.param)


def test_files_below_the_prefix_and_everything_else_by_the_application(beside: PoolProcess, folder: Path) -> None:
    assert get(beside, "/").body == b"GET  /"
    response = get(beside, "/static/data.bin")
    assert (response.status, response.body) == (200, CONTENT)
    etag = response.header("etag")
    assert get(beside, "/static/data.bin", f"If-None-Match: {etag}").status == 304
    assert get(beside, "/static/data.bin", method="HEAD").header("content-length") == str(len(CONTENT))
    part = get(beside, "/static/data.bin", "Range: bytes=10-19", f"If-Range: {etag}")
    assert (part.status, part.body) == (206, CONTENT[10:20])
    packed = get(beside, "/static/packed.js", "Accept-Encoding: gzip")
    assert (packed.header("content-encoding"), packed.header("vary")) == ("gzip", "Accept-Encoding")
    assert get(beside, "/static/style.css").header("content-type") == "text/css; charset=utf-8"
    assert get(beside, "/static/sub/").body == b"<p>index"
    assert get(beside, "/static/uploads/one.txt").body == b"one"  # the longer prefix
    assert get(beside, "/static/style.css", method="POST", content=b"x").status == 405
    assert get(beside, "/static/style.css", method="OPTIONS").header("allow") == "GET, HEAD, OPTIONS"
    assert get(beside, "/", method="OPTIONS").body == b"OPTIONS  /"
    assert get(beside, "/static/none.css").status == 404
    for _ in range(3):  # the second time by its remembered path
        assert get(beside, "/static/style.css").body == b"p {}"
    (folder / "style.css").write_text("a {}!")
    assert get(beside, "/static/style.css").body == b"a {}!"


@pytest.mark.parametrize(
    ("asked", "location"),
    [
        ("/static", "/static/"),
        ("/static?a=b", "/static/?a=b"),
        ("/static/sub", "/static/sub/"),
        ("/static//sub", "/static/sub/"),
        ("/static/bare", "/static/bare/"),
        ("/static/uploads", "/static/uploads/"),
    ],
)
def test_a_folder_without_its_slash_is_redirected(pool: Pools, folder: Path, asked: str, location: str) -> None:
    response = get(serve(pool, folder, "wsgi"), asked)
    assert (response.status, response.header("location")) == (301, location)


OF_FILES = [
    "/static/",
    "/static/bare/",
    "/static/out",
    "/static/../secret.txt",
    "/static/%2e%2e/secret.txt",
    "/static/..%2fsecret.txt",
    "/static%2f..%2fsecret.txt",
    "/static/sub/../../secret.txt",
    "/static/uploads/../style.css",
    "/static/uploads/..%2fstyle.css",
    "/static/uploads/style.css",
    "/static/%00",
    "/static/style.css/",
    "/static/style.css%2f",
    "/static/%252e%252e/secret.txt",
    "/static/..",
]
OF_THE_APPLICATION = [
    "/staticx/style.css",
    "/static.css",
    "/Static/style.css",
    "//static/style.css",
    "/./static/style.css",
    "/%2e/static/style.css",
    "/x/../static/style.css",
    "/x/%2e%2e/static/style.css",
    "/%2fstatic/style.css",
    "/style.css",
    "/static%00/style.css",
    "/stati",
]


def test_each_path_has_one_place(beside: PoolProcess) -> None:
    """Whole segments are compared, decoded once and not normalised: nothing leads from one place to the other."""
    for path in OF_FILES:
        response = get(beside, path)
        assert (response.status, b"secret" in response.body) == (404, False), path
    for path in OF_THE_APPLICATION:
        response = get(beside, path)
        assert response.status == 200, path
        assert response.body.startswith(b"GET  /"), path
    assert get(beside, "/%73tatic%2Fstyle.css").body == b"p {}"


def test_under_a_root_path(pool: Pools, folder: Path) -> None:
    for source in SOURCES:
        running = serve(pool, folder, source, root_path="/api")
        assert get(running, "/static/style.css").body == b"p {}"
        assert get(running, "/static/sub").header("location") == "/api/static/sub/"
        assert get(running, "/apix/static/style.css").body == b"GET /api /apix/static/style.css"
        unstripped = get(running, "/api/static/style.css").body
        # As the application sees its own paths: an ASGI root_path is put before every target.
        assert unstripped == (b"GET /api /api/static/style.css" if source == "asgi" else b"p {}")
        if source != "asgi":
            assert get(running, "/api/static").header("location") == "/api/static/"
            assert get(running, "/api").body == b"GET /api "


def test_the_application_has_the_paths_that_no_file_has_if_they_fall_through(pool: Pools, folder: Path) -> None:
    for source in SOURCES:
        running = serve(pool, folder, source, static_fallthrough=True)
        assert get(running, "/static/style.css").body == b"p {}"
        assert get(running, "/static/sub").header("location") == "/static/sub/"
        for path in ("/static/none", "/static/bare", "/static/bare/", "/static", "/static/", "/static/../secret.txt"):
            assert get(running, path).body == f"GET  {path}".encode()
        for method in ("POST", "OPTIONS", "DELETE"):
            assert get(running, "/static/style.css", method=method).body == f"{method}  /static/style.css".encode()
        assert get(running, "/static/none", method="HEAD").status == 200
        assert get(running, "/static/data.bin", "Range: bytes=999999999-").status == 416


def test_a_whole_site_in_front_of_an_application(pool: Pools, folder: Path) -> None:
    toml = http_toml(directory=str(APPLICATIONS), target="beside_files:wsgi", static_fallthrough=True, listing=True)
    running = pool(f'{toml}\nstatic = {{ "/" = "{folder}" }}\n')
    assert get(running, "/style.css").body == b"p {}"
    assert get(running, "/sub/").body == b"<p>index"
    assert get(running, "/bare").header("location") == "/bare/"
    assert b"<h1>/bare/</h1>" in get(running, "/bare/").body
    assert get(running, "/items/4").body == b"GET  /items/4"


def test_websockets_are_the_applications_and_so_is_the_lifespan(pool: Pools, folder: Path) -> None:
    running = serve(pool, folder, "asgi")
    with connect_websocket(running.urls()[0].replace("tcp://", "ws://") + "/static/style.css") as socket:
        assert socket.recv() == "WS  /static/style.css"
    running.stop()
    told = [line for line in running.stdout.splitlines() if line.startswith("lifespan.")]
    assert told == ["lifespan.startup", "lifespan.shutdown"]


def test_beside_a_root_there_may_be_other_folders(pool: Pools, folder: Path) -> None:
    running = pool(f'{http_toml(root=str(folder))}\nstatic = {{ "/media" = "{folder.parent}/uploads" }}\n')
    assert get(running, "/media/one.txt").body == b"one"
    assert get(running, "/style.css").body == b"p {}"
    assert get(running, "/media/style.css").status == 404


def test_clients_that_people_use(pool: Pools, folder: Path) -> None:
    """By flags; curl goes on where it had stopped, httpx follows redirects and unpacks."""
    arguments = ("http", "beside_files:wsgi", "--directory", str(APPLICATIONS), "-b", "tcp://127.0.0.1:0", "-w", "1")
    with PoolProcess.serve(*arguments, "--static", "/a=b=c", "--static", "/d", wait=False) as refused:
        assert refused.wait() == 2
        assert '--static."/a" = "b=c": there is no such folder' in refused.stderr
        assert '--static = "/d": expected KEY=VALUE' in refused.stderr
    running = pool.serve(*arguments, "--static", f"/static/={folder}")
    url = running.urls()[0].replace("tcp://", "http://")
    target = folder.parent / "half.bin"
    target.write_bytes(CONTENT[:1000])
    subprocess.run(["curl", "-sf", "-C", "-", "-o", target, f"{url}/static/data.bin"], check=True)  # noqa: S603, S607
    assert target.read_bytes() == CONTENT
    with httpx.Client(base_url=url, follow_redirects=True) as client:
        assert client.get("/static/sub").text == "<p>index"
        packed = client.get("/static/packed.js")
        assert (packed.headers["content-encoding"], packed.text) == ("gzip", "var a;" * 100)
        assert client.get("/orders").text == "GET  /orders"


@pytest.mark.parametrize(
    ("static", "words"),
    [
        ({"static/": "."}, "'static/': a prefix is a path from its first slash on, such as /static/"),
        ({"": "."}, "a prefix is a path"),
        ({"/a//b": "."}, "a prefix is a path"),
        ({"/a/../b": "."}, "a prefix is a path"),
        ({"/%2e%2e": "."}, "a prefix is a path"),
        ({"/a%2f/b": "."}, "a prefix is a path"),
        ({"/a?b": "."}, "'/a?b': a path is expected, without a query or a fragment"),
        ({"/a%": "."}, "each % has to be followed by two hexadecimal digits"),
        ({"/caf%C3%A9": ".", "/café/": "."}, "'/caf%C3%A9' and '/café/' are the same prefix"),
        ({"/": "."}, "the prefix / leaves nothing to the application"),
        ({"/static": "nothing/of/that/name"}, "there is no such folder"),
        ({"/static": ""}, "there is no such folder"),
        ({"/static": __file__}, "there is no such folder"),
    ],
)
def test_mistakes(static: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(words)):
        HttpOptions(target="a:b", static=static)


def test_static_needs_a_target_or_a_root() -> None:
    with pytest.raises(ValidationError, match="either `target`"):
        HttpOptions(static={"/static": "."})


def test_check_finds_a_folder_that_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "corepool.toml"
    path.write_text(f'{http_toml(target="a:b")}\nstatic = {{ "/static/" = "nothing" }}\n')
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "corepool", "check", path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert 'listener[0].options.static."/static/" = "nothing": there is no such folder' in done.stderr


def cache_control(running: PoolProcess, path: str, *headers: str) -> tuple[int, str | None]:
    response = get(running, path, *headers)
    return response.status, response.header("Cache-Control")


def test_files_have_the_age_of_the_options_and_hashed_names_are_immutable(pool: Pools, folder: Path) -> None:
    (folder / "assets").mkdir()
    for name in ("app.55e7cbb9ba48.css", "sub/app.55e7cbb9ba48.css", "assets/app-3f2a.js", "jquery.validate.min.js"):
        (folder / name).write_text("x")
    options = {"static_max_age": "1h", "static_immutable": ["assets/*", f"*.{'[0-9a-f]' * 12}.*"]}
    running = serve(pool, folder, "wsgi", **options)
    usual, immutable = "public, max-age=3600", "public, max-age=31536000, immutable"

    assert cache_control(running, "/static/style.css") == (200, usual)
    assert cache_control(running, "/static/sub/") == (200, usual)
    assert cache_control(running, "/static/packed.js", "Accept-Encoding: gzip") == (200, usual)
    assert cache_control(running, "/static/jquery.validate.min.js") == (200, usual)
    assert cache_control(running, "/static/app.55e7cbb9ba48.css") == (200, immutable)
    assert cache_control(running, "/static/sub/app.55e7cbb9ba48.css") == (200, immutable)
    assert cache_control(running, "/static/assets/app-3f2a.js") == (200, immutable)
    etag = get(running, "/static/style.css").header("ETag")
    assert cache_control(running, "/static/style.css", f"If-None-Match: {etag}") == (304, usual)
    assert cache_control(running, "/static/style.css", "Range: bytes=0-1") == (206, usual)
    assert cache_control(running, "/static/missing.css") == (404, None)
    assert cache_control(running, "/") == (200, None), "the application's"


@pytest.mark.parametrize(("options", "expected"), [({}, None), ({"static_max_age": 0}, "no-cache")])
def test_caches_guess_unless_an_age_is_given_and_ask_if_it_is_none(
    pool: Pools, folder: Path, options: dict[str, object], expected: str | None
) -> None:
    running = serve(pool, folder, "wsgi", **options)
    for _ in range(2):  # the second is served as one that is known
        assert cache_control(running, "/static/style.css") == (200, expected)
