"""The headers of popular proxies, and the trust in them: over TCP and UNIX sockets, IPv4, IPv6 and mapped addresses."""

from __future__ import annotations

import json
import sys
from ipaddress import ip_network
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from http_client import APPLICATIONS, get, http_toml
from hypothesis import given
from hypothesis import strategies as st

from corepool.spec.types import Address
from corepool_http.message import Request, RequestLine, Section
from corepool_http.proxies import Proxies

if TYPE_CHECKING:
    from pathlib import Path

    from corepool.testing.pools import Pools

TRUSTED = ("10.0.0.0/8", "fd00::/8")


def seen(*lines: str, peer: str = "10.0.0.1", trusted: tuple[str, ...] = TRUSTED) -> tuple[str, int, str, str]:
    """Return host, port, scheme and Host as the application sees them."""
    headers = [(b"host", b"inner")]
    for line in lines:
        name, _, value = line.partition(":")
        headers.append((name.lower().encode(), value.strip(" ").encode("latin-1")))
    proxies = Proxies([each if each in {"*", "unix"} else ip_network(each) for each in trusted])  # type: ignore[misc]
    request = Request(RequestLine("GET", b"/"), "1.1", Section(headers, keep_alive=True))
    ends = SimpleNamespace(peer=Address(peer, 1), local=Address("10.0.0.9", 80), facts={}, listener="a")
    client = proxies.forwarded(proxies.client_of(cast("Any", ends)), request)
    return client.host, client.port, client.scheme, (request.section.single(b"host") or b"").decode()


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(  # proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; X-Forwarded-Proto $scheme
            ["X-Real-IP: 203.0.113.7", "X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https"],
            ("203.0.113.7", 0, "https", "inner"),
            id="nginx",
        ),
        pytest.param(  # option forwardfor adds a line of its own
            ["X-Forwarded-For: 9.9.9.9", "X-Forwarded-For: 203.0.113.7"],
            ("203.0.113.7", 0, "http", "inner"),
            id="HAProxy, forwardfor",
        ),
        pytest.param(["Forwarded: proto=http;for=203.0.113.7"], ("203.0.113.7", 0, "http", "inner"), id="forwarded"),
        pytest.param(
            ['Forwarded: proto=https;host="example.org:8443";for="[2001:db8::1]:4711"'],
            ("2001:db8::1", 4711, "https", "example.org:8443"),
            id="HAProxy, forwarded of everything",
        ),
        pytest.param(
            [
                "X-Forwarded-For: 203.0.113.7",
                "X-Forwarded-Host: example.org",
                "X-Forwarded-Port: 443",
                "X-Forwarded-Proto: wss",
                "X-Forwarded-Server: 2b5a",
                "X-Real-Ip: 203.0.113.7",
            ],
            ("203.0.113.7", 0, "https", "example.org"),
            id="Traefik, a WebSocket",
        ),
        pytest.param(
            ["X-Forwarded-For: 203.0.113.7", "X-Forwarded-Port: 80", "X-Forwarded-Proto: ws"],
            ("203.0.113.7", 0, "http", "inner"),
            id="Traefik, a WebSocket without TLS",
        ),
        pytest.param(
            ["X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: example.org:8443"],
            ("203.0.113.7", 0, "https", "example.org:8443"),
            id="Caddy",
        ),
        pytest.param(
            ["x-forwarded-proto: https", "x-envoy-internal: true", "x-forwarded-for: 203.0.113.7,10.1.1.1"],
            ("203.0.113.7", 0, "https", "inner"),
            id="Envoy",
        ),
        pytest.param(
            ["X-Forwarded-For: 203.0.113.7:4711", "X-Forwarded-Proto: https", "X-Forwarded-Port: 443"],
            ("203.0.113.7", 4711, "https", "inner"),
            id="AWS ALB, Azure",
        ),
        pytest.param(["X-Forwarded-For: [2001:db8::1]:4711"], ("2001:db8::1", 4711, "http", "inner"), id="ALB, IPv6"),
        pytest.param(["X-Forwarded-For: 2001:db8::1"], ("2001:db8::1", 0, "http", "inner"), id="IPv6, bare"),
        pytest.param(
            ["X-Forwarded-For: 203.0.113.7", "X-Forwarded-Host: example.org, inner.example", "X-Forwarded-Server: x"],
            ("203.0.113.7", 0, "http", "inner.example"),
            id="Apache behind what it does not know",
        ),
        pytest.param(
            ["CF-Connecting-IP: 203.0.113.7", "X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https"],
            ("203.0.113.7", 0, "https", "inner"),
            id="Cloudflare",
        ),
    ],
)  # fmt: skip
def test_what_proxies_send(lines: list[str], expected: tuple[str, int, str, str]) -> None:
    assert seen(*lines) == expected
    assert seen(*lines, trusted=("unix",), peer="unix") == expected or "10.1.1.1" in lines[-1]
    assert seen(*lines, peer="::ffff:10.0.0.1") == expected
    assert seen(*lines, peer="192.0.2.1") == ("192.0.2.1", 1, "http", "inner")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        # Each proxy adds to the lists: those of the outer one count if the inner one's peer, it, is trusted.
        (["X-Forwarded-For: 203.0.113.7, 10.0.0.2", "X-Forwarded-Proto: https, http"], ("203.0.113.7", "https")),
        (["X-Forwarded-For: 203.0.113.7, 192.0.2.9", "X-Forwarded-Proto: https, http"], ("192.0.2.9", "http")),
        (["X-Forwarded-For: 203.0.113.7,10.0.0.2", "X-Forwarded-Proto: https"], ("203.0.113.7", "https")),
        (["X-Forwarded-Proto: http", "X-Forwarded-Proto: https"], ("10.0.0.1", "https")),
        (["X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https, http"], ("203.0.113.7", "http")),
        (["X-Forwarded-Proto: https"], ("10.0.0.1", "https")),
        (["X-Forwarded-Proto: HTTPS"], ("10.0.0.1", "https")),
        (["X-Forwarded-Proto: WSS"], ("10.0.0.1", "https")),
        (["X-Forwarded-Proto: https,"], ("10.0.0.1", "https")),
        (["Forwarded: for=203.0.113.7;proto=wss"], ("203.0.113.7", "https")),
        (['Forwarded: For="203.0.113.7" ; Proto="https"'], ("203.0.113.7", "https")),
        (["Forwarded: for=203.0.113.7;proto=https, for=10.0.0.2;proto=http"], ("203.0.113.7", "https")),
        (["Forwarded: for=203.0.113.7", "Forwarded: for=10.0.0.2"], ("203.0.113.7", "http")),
        (["X-Forwarded-For: 203.0.113.7, ::ffff:10.0.0.2"], ("203.0.113.7", "http")),
        (["X-Forwarded-For: 203.0.113.7, [fd00::2]:80"], ("203.0.113.7", "http")),
        (["X-Forwarded-For: ::ffff:203.0.113.7"], ("203.0.113.7", "http")),
        # The client's own words stand before what its proxy adds, whatever they are.
        (['X-Forwarded-For: ", 203.0.113.7'], ("203.0.113.7", "http")),
        (['X-Forwarded-For: "1.1.1.1', "X-Forwarded-For: 203.0.113.7"], ("203.0.113.7", "http")),
        (["X-Forwarded-For: 1.1.1.1, 203.0.113.7"], ("203.0.113.7", "http")),
        # A malformed hop is not believed, and hides those farther away.
        (["X-Forwarded-For: 203.0.113.7, unknown"], ("10.0.0.1", "http")),
        (["X-Forwarded-For: 203.0.113.7, _hidden", "X-Forwarded-Proto: https"], ("10.0.0.1", "https")),
        (["Forwarded: for=203.0.113.7, for=unknown"], ("10.0.0.1", "http")),
        (["Forwarded: for=203.0.113.7;for=203.0.113.8"], ("10.0.0.1", "http")),
        (["Forwarded: for=203.0.113.7;proto"], ("10.0.0.1", "http")),
        (['Forwarded: for="203.0.113.7'], ("10.0.0.1", "http")),
        (["X-Forwarded-For: 203.0.113.7:port"], ("10.0.0.1", "http")),
        (["X-Forwarded-For: 203.0.113.7:99999"], ("10.0.0.1", "http")),
        (["X-Forwarded-For: [2001:db8::1]x"], ("10.0.0.1", "http")),
        (["X-Forwarded-For: fe80::1%<script>"], ("10.0.0.1", "http")),
        (["X-Forwarded-For: 203.0.113.007"], ("10.0.0.1", "http")),
        (["X-Forwarded-For: <script>", "X-Forwarded-Proto: javascript", "X-Forwarded-Host: a/b"], ("10.0.0.1", "http")),
        (["X-Forwarded-Proto: httpsx"], ("10.0.0.1", "http")),
        (["X-Forwarded-Proto: \xb2"], ("10.0.0.1", "http")),
    ],
)  # fmt: skip
def test_lists_and_nonsense(lines: list[str], expected: tuple[str, str]) -> None:
    host, _, scheme, name = seen(*lines)
    assert (host, scheme, name) == (*expected, "inner")


@pytest.mark.parametrize("peer", ["10.0.0.1", "::ffff:10.0.0.1", "fd00::1", "fd00::1%lo"])
@pytest.mark.parametrize("trusted", [TRUSTED, ("::ffff:10.0.0.0/104", "fd00::/8"), ("*",)])
def test_trusted_peers(peer: str, trusted: tuple[str, ...]) -> None:
    assert seen("X-Forwarded-For: 203.0.113.7", peer=peer, trusted=trusted)[0] == "203.0.113.7"


@pytest.mark.parametrize("peer", ["11.0.0.1", "::ffff:11.0.0.1", "fc00::1", "::10.0.0.1", "unix", ""])
def test_peers_that_are_not_trusted(peer: str) -> None:
    assert seen("X-Forwarded-For: 203.0.113.7", peer=peer)[0] == peer


NAMES = st.sampled_from(["Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"])
WORDS = st.sampled_from(["10.0.0.2", "203.0.113.7", "[::1]:80", "for=", "proto=https", "host=a", *',;"\\ =\xff[%:'])


@given(st.lists(st.tuples(NAMES, st.lists(WORDS, max_size=12).map("".join)), max_size=6))
def test_nothing_that_is_sent_raises(lines: list[tuple[str, str]]) -> None:
    host, port, scheme, name = seen(*(f"{name}: {value}" for name, value in lines))
    assert scheme in {"http", "https"}
    assert host in {"10.0.0.1", "10.0.0.2", "203.0.113.7"} or ":" in host
    assert 0 <= port < 65_536
    assert name


BOTH_FAMILIES = """
import os, socket, sys
sock = socket.socket(socket.AF_INET6)
sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
sock.bind(("::ffff:127.0.0.1", 0))
sock.listen()
os.dup2(sock.fileno(), 77)
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""A socket as systemd passes them by default: its peers of IPv4 have addresses of IPv6."""


@pytest.mark.parametrize(
    ("bind", "trusted"),
    [
        ("tcp://127.0.0.1:0", "127.0.0.0/8"),
        ("tcp://[::1]:0", "::1"),
        ("fd://77", "127.0.0.0/8"),
        ("fd://77", "::ffff:127.0.0.1"),
        ("unix:///{folder}/http.sock", "unix"),
    ],
)
def test_over_each_transport(pool: Pools, tmp_path: Path, bind: str, trusted: str) -> None:
    options = {"target": "mirror:wsgi", "directory": str(APPLICATIONS), "trusted_proxies": [trusted]}
    url = bind.format(folder=str(tmp_path).strip("/"))
    wrapper = (sys.executable, "-c", BOTH_FAMILIES) if url == "fd://77" else ()
    running = pool(http_toml(bind=url, **options), wrapper=wrapper)
    response = get(running, "/", "X-Forwarded-For: 203.0.113.7:4711", "X-Forwarded-Proto: https")
    environ = json.loads(response.body)
    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"], environ["wsgi.url_scheme"]) == (
        "203.0.113.7",
        "4711",
        "https",
    )
