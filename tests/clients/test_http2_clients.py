"""HTTP/2 with the clients that people use: curl, nghttp, h2load, httpx, gRPC, Chromium; and with frameworks."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import grpc
import httpx
import pytest
from certificates import authority_pem, client_context, pair
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from http_client import APPLICATIONS
from https import HERE, Files
from playwright.sync_api import sync_playwright

from corepool.testing.pools import Pools
from corepool.testing.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGE = bytes(range(256)) * 12_000
"""A file of 3 MB."""

FRAMEWORKS = {
    "flask": {"target": "frameworks.with_flask:app"},
    "flask-threads": {"target": "frameworks.with_flask:app", "threads": 2},
    "django-wsgi": {"target": "frameworks.with_django:wsgi"},
    "django-asgi": {"target": "frameworks.with_django:asgi"},
    "starlette": {"target": "frameworks.with_starlette:app"},
    "fastapi": {"target": "frameworks.with_fastapi:app"},
}

TLS = ("mirror", "grpc", "files")
"""Those that are served over TLS as well."""

LISTENER = '[[listener]]\nname = "{name}"\nbind = ["{bind}"]\nprotocol = "http"\n[listener.options]\n{options}\n'


class Site:
    """A pool of one worker that serves everything here, and the certificate of its authority."""

    def __init__(self, pools: Pools, folder: Path) -> None:
        (folder / "www").mkdir()
        (folder / "www" / "large").write_bytes(LARGE)
        self.ca = folder / "ca.pem"
        self.ca.write_text(authority_pem())
        files = Files.of(folder)
        served: dict[str, dict[str, Any]] = {
            "mirror": {"target": "mirror:asgi"},
            "messages": {"target": "messages:app"},
            "grpc": {"target": "grpc_echo:app"},
            **FRAMEWORKS,
            "files": {"root": str(folder / "www")},
        }
        secure = f"tls://127.0.0.1:0?cert={files.cert}&key={files.key}&handshake_timeout=600"
        toml = "[pool]\nworkers = 1\n"
        for name, options in served.items():
            all_options = options if "root" in options else {"directory": str(APPLICATIONS), **options}
            lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in all_options.items())
            toml += LISTENER.format(name=name, bind="tcp://127.0.0.1:0", options=lines)
            if name in TLS:
                toml += LISTENER.format(name=f"{name}-tls", bind=secure, options=lines)
        self.running = pools(toml)

    def host(self, name: str) -> str:
        """Return where a listener is, as `localhost:PORT`."""
        return f"localhost:{self.running.urls(name)[0].rpartition(':')[2]}"

    def url(self, name: str, path: str = "/") -> str:
        return f"{'https' if name.endswith('-tls') else 'http'}://{self.host(name)}{path}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Pools() as pools:
        yield Site(pools, tmp_path_factory.mktemp("http2"))


def run(*command: object) -> str:
    """Run a client, and return what it printed."""
    done = subprocess.run(list(map(str, command)), capture_output=True, check=False)  # noqa: S603
    assert done.returncode == 0, done
    return done.stdout.decode("latin-1") + done.stderr.decode("latin-1")


def test_curl_chooses_http2_by_alpn_and_by_prior_knowledge(site: Site, tmp_path: Path) -> None:
    content, got = tmp_path / "content", tmp_path / "got"
    content.write_bytes(LARGE)
    for name, flags in (("mirror-tls", ["--http2", "--cacert", site.ca]), ("mirror", ["--http2-prior-knowledge"])):
        told = run("curl", "-sSv", *flags, "--data-binary", f"@{content}", "-o", got, site.url(name, "/a%20b?c=d"))
        answer = json.loads(got.read_text())
        assert (answer["http_version"], answer["path"]) == ("2", "/a b")
        assert answer["content"].encode("latin-1") == LARGE
        assert "< HTTP/2 200" in told
        if name == "mirror-tls":
            assert "server accepted h2" in told
    run("curl", "-sS", "--http2", "--cacert", site.ca, "-o", got, site.url("files-tls", "/large"))
    assert got.read_bytes() == LARGE


def test_curl_is_answered_by_http1_where_it_asks_to_be_upgraded_or_does_not_offer_h2(site: Site) -> None:
    for name, flags in (("mirror-tls", ["--http1.1", "--cacert", site.ca]), ("mirror", ["--http2"])):
        told = run("curl", "-sSv", *flags, site.url(name))
        assert '"http_version": "1.1"' in told
        assert "< HTTP/1.1 200" in told


def test_nghttp_sees_early_hints_and_trailers(site: Site) -> None:
    messages = [
        {"type": "early_hint", "links": [b"</a.css>; rel=preload"]},
        {"type": "start", "status": 200, "headers": [(b"trailer", b"x-sum")], "trailers": True},
        {"type": "body", "body": b"abc"},
        {"type": "trailers", "headers": [(b"x-sum", b"294")]},
    ]
    told = run("nghttp", "-v", "-H", "te: trailers", site.url("messages", f"/?{quote(repr(messages))}"))
    at = 0
    for expected in (":status: 103", "link: </a.css>", ":status: 200", "abc", "x-sum: 294"):
        assert expected in told[at:], "it came, and in this order"
        at = told.index(expected, at)


def test_nghttp_sends_trailers_and_receives_padding_and_ten_files_at_once(site: Site, tmp_path: Path) -> None:
    (tmp_path / "content").write_bytes(b"abc")
    trailers = ("--trailer", "x-sum: 294", "--trailer", "x-more: b")
    told = run("nghttp", "-d", tmp_path / "content", *trailers, "--padding=200", site.url("messages"))
    assert told.endswith("(b'abc', [(b'x-sum', b'294'), (b'x-more', b'b')])")
    told = run("nghttp", "-ns", "-m", "10", site.url("files", "/large"))
    assert told.count(" 200 ") == 10, told


@pytest.mark.parametrize("name", ["mirror", "mirror-tls"])
def test_h2load_loses_nothing(site: Site, name: str, tmp_path: Path) -> None:
    targets = tmp_path / "targets"
    targets.write_text("".join(f"{site.url(name, f'/item/{number}')}\n" for number in range(100)))
    told = run("h2load", "-c", "10", "-m", "20", "-n", "2000", "-i", targets)
    assert "2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout" in told


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_framework(site: Site, name: str) -> None:
    with httpx.Client(base_url=site.url(name), http1=False, http2=True, timeout=DEADLINE_S) as client:
        hello = client.get("/hello", params={"name": "world"})
        assert (hello.http_version, hello.text) == ("HTTP/2", "hello world")
        assert client.post("/upload", files={"file": ("a.bin", LARGE)}).text == str(len(LARGE))
        assert client.get("/stream").text == "".join(f"{number}\n" for number in range(1000))
        assert client.post("/form", data={"a": "b"}).text == "b"
        assert client.get("/nothing-there").status_code == 404


def test_httpx_chooses_http2_by_alpn(site: Site) -> None:
    with httpx.Client(http2=True, verify=client_context(), timeout=DEADLINE_S) as client:
        answer = client.get(site.url("mirror-tls"))
        assert (answer.http_version, answer.json()["scheme"]) == ("HTTP/2", "https")


@pytest.fixture(params=["grpc", "grpc-tls"])
def channel(site: Site, request: pytest.FixtureRequest) -> Iterator[grpc.Channel]:
    host, options = site.host(request.param), [("grpc.enable_http_proxy", 0)]
    if request.param == "grpc":
        opened = grpc.insecure_channel(host, options)
    else:
        opened = grpc.secure_channel(host, grpc.ssl_channel_credentials(authority_pem().encode()), options)
    with closing(opened):
        yield opened


def test_grpc_calls_all_kinds_of_methods(channel: grpc.Channel) -> None:
    answer, call = channel.unary_unary("/test.Echo/Each").with_call(b"a" * 100_000)
    assert answer == b"a" * 100_000
    assert ("x-version", "2") in call.trailing_metadata()
    assert list(channel.unary_stream("/test.Echo/Split")(b"abc")) == [b"a", b"b", b"c"]
    assert channel.stream_unary("/test.Echo/Join")(iter([b"a", b"", b"bc"])) == b"abc"
    assert list(channel.stream_stream("/test.Echo/Each")(iter([b"%d" % number for number in range(100)]))) == [
        b"%d" % number for number in range(100)
    ]


def test_grpc_is_told_of_errors_by_trailers(channel: grpc.Channel) -> None:
    answers = channel.unary_stream("/test.Echo/Fail")(b"first")
    assert next(answers) == b"first"
    with pytest.raises(grpc.RpcError) as raised:
        next(answers)
    assert (raised.value.code(), raised.value.details()) == (grpc.StatusCode.NOT_FOUND, "not found: ä")
    with pytest.raises(grpc.RpcError) as raised:
        channel.unary_unary("/test.Echo/None")(b"")
    assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED


FETCH = """async () => {
    const answers = await Promise.all([...Array(20).keys()].map(async (number) => {
        const answer = await fetch(`/item/${number}`, { method: "POST", body: `content ${number}` });
        return (await answer.json()).content;
    }));
    const socket = new WebSocket(location.href.replace("https:", "wss:"));
    const first = await new Promise((resolve, reject) => {
        socket.onmessage = (event) => resolve(event.data);
        socket.onerror = () => reject(new Error("the WebSocket failed"));
    });
    socket.close();
    const entries = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
    return { answers, first, protocols: entries.map((entry) => entry.nextHopProtocol) };
}"""


def test_chromium_speaks_http2_and_websockets_over_it(site: Site, tmp_path: Path) -> None:
    key = x509.load_pem_x509_certificate(pair(*HERE).leaf).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    trusted = base64.b64encode(hashlib.sha256(spki).digest()).decode()
    flags = ["--no-sandbox", f"--ignore-certificate-errors-spki-list={trusted}"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(
            str(tmp_path / "home"), executable_path="/usr/bin/chromium", args=flags, timeout=0
        )
        with closing(browser):
            page = browser.new_page()
            page.goto(site.url("mirror-tls"), timeout=0)
            told = page.evaluate(FETCH)
    assert told["answers"] == [f"content {number}" for number in range(20)]
    assert set(told["protocols"]) == {"h2"}
    first = json.loads(told["first"])
    assert (first["type"], first["http_version"], first["scheme"]) == ("websocket", "2", "wss")
