"""What each protocol is told of a client behind a proxy that sends PROXY headers."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest
from extension_client import unix_url
from http_client import http_toml, parse, request
from kv_client import Client
from proxy_headers import AUTHORITY, SSL_VERSION, TCP4, UNIQUE_ID, UNIX, checked, ips, paths, tls, tlv, v1
from sources import source

from corepool.testing.sockets import connect, receive_all, receive_exactly
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

CLIENT, SERVER = ("203.0.113.7", 4711), ("198.51.100.1", 443)
V1, V2 = v1(CLIENT, SERVER), checked(TCP4, ips(CLIENT, SERVER))
ACCEPT = 'accept_proxy = ["127.0.0.0/8", "unix"]\naccept_proxy_timeout = "1h"'
HEADERS = pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])


def ask(running: PoolProcess, header: bytes, *headers: str) -> Any:
    with connect(running.urls()[0]) as client:
        client.sendall(header + request("/", *headers))
        [response] = parse(receive_all(client), ["GET"])
    assert response.status == 200, response
    return json.loads(response.body)


def serve_http(pool: Pools, target: str, bind: str = "tcp://127.0.0.1:0", **options: object) -> PoolProcess:
    toml = http_toml(bind=bind, listener=ACCEPT, target=f"ends:{target}", **options)
    return pool(toml, files={"ends.py": source("served/ends.py")})


@HEADERS
@pytest.mark.parametrize("bind", ["tcp://127.0.0.1:0", "unix"])
def test_a_wsgi_application_is_told_of_the_client(pool: Pools, header: bytes, bind: str) -> None:
    running = serve_http(pool, "wsgi", unix_url() if bind == "unix" else bind)

    assert ask(running, header) == [CLIENT[0], str(CLIENT[1]), SERVER[0], str(SERVER[1]), "http"]


@HEADERS
@pytest.mark.parametrize("bind", ["tcp://127.0.0.1:0", "unix"])
def test_an_asgi_application_is_told_of_the_client(pool: Pools, header: bytes, bind: str) -> None:
    running = serve_http(pool, "asgi", unix_url() if bind == "unix" else bind)

    assert ask(running, header) == [[*CLIENT], [*SERVER], "http"]


def test_headers_of_http_are_believed_if_the_client_is_trusted_not_its_proxy(pool: Pools) -> None:
    running = serve_http(pool, "asgi", trusted_proxies=["127.0.0.0/8", "203.0.113.8"])
    forwarded = "X-Forwarded-For: 192.0.2.1"

    assert ask(running, V1, forwarded)[0] == [*CLIENT]
    assert ask(running, v1(("203.0.113.8", 1), SERVER), forwarded)[0] == ["192.0.2.1", 0]


def test_a_request_behind_a_header_that_comes_while_its_worker_leaves_is_the_last(pool: Pools) -> None:
    toml = http_toml(listener=ACCEPT, target="ends:wsgi").replace("[pool]", '[pool]\ndrain_timeout = "1h"')
    running = pool(toml, files={"ends.py": source("served/ends.py")})
    with connect(running.urls()[0]) as served, connect(running.urls()[0]) as waiting:
        served.sendall(V1 + request("/", close=False))
        assert served.recv(1) == b"H"
        waiting.sendall(V1[:-1])
        running.send_signal(signal.SIGTERM)
        receive_all(served)  # it is idle, and closed: the worker leaves
        waiting.sendall(V1[-1:] + request("/", close=False))
        [response] = parse(receive_all(waiting), ["GET"])
    assert (response.status, response.header("Connection")) == (200, "close")


@pytest.mark.parametrize(("client", "scheme"), [(1, "https"), (0, "http")])
def test_the_scheme_is_that_of_the_client(pool: Pools, client: int, scheme: str) -> None:
    header = checked(TCP4, ips(CLIENT, SERVER) + tls(client, 1, (SSL_VERSION, b"TLSv1.3")))

    assert ask(serve_http(pool, "asgi"), header)[2] == scheme


@pytest.mark.parametrize("target", ["header_of_wsgi", "header_of_asgi"])
def test_an_application_has_what_else_the_header_says(pool: Pools, target: str) -> None:
    running = serve_http(pool, target, unix_url())
    known = tlv(AUTHORITY, b"shop.example") + tlv(UNIQUE_ID, b"c-17")

    assert ask(running, checked(TCP4, ips(CLIENT, SERVER) + known)) == ["shop.example", "c-17"]
    assert ask(running, V1) == [None, None]
    assert ask(pool(http_toml(target=f"ends:{target}"), files={"ends.py": source("served/ends.py")}), b"") is None


def test_a_header_that_names_unix_sockets_is_a_client_of_one(pool: Pools) -> None:
    header = checked(UNIX, paths(b"/run/client", b"/run/proxy"))

    assert ask(serve_http(pool, "wsgi"), header)[0] == ""


def test_several_requests_of_a_connection_have_one_header(pool: Pools) -> None:
    running = serve_http(pool, "asgi")
    with connect(running.urls()[0]) as client:
        client.sendall(V1 + request("/", close=False) + request("/"))
        responses = parse(receive_all(client), ["GET", "GET"])
    assert [json.loads(each.body)[0] for each in responses] == [[*CLIENT], [*CLIENT]]


@HEADERS
def test_kv_lists_the_client(pool: Pools, header: bytes) -> None:
    toml = f"""
    [pool]
    workers = 1
    [[listener]]
    name = "kv"
    bind = ["tcp://127.0.0.1:0"]
    protocol = "kv"
    {ACCEPT}
    """
    running = pool(toml)
    with running.connect() as sock:
        sock.sendall(header)
        info = Client(sock)("CLIENT", "INFO").decode()
    assert f" addr={CLIENT[0]}:{CLIENT[1]} laddr={SERVER[0]}:{SERVER[1]} " in info


@HEADERS
@pytest.mark.parametrize(("protocol", "target"), [("asyncio", "Upper"), ("socketserver", "Lines")])
def test_a_hosted_server_greets_the_client(pool: Pools, header: bytes, protocol: str, target: str) -> None:
    toml = f"""
    [pool]
    workers = 1
    [[listener]]
    name = "it"
    bind = ["tcp://127.0.0.1:0"]
    protocol = "{protocol}"
    options = {{ target = "application:{target}" }}
    {ACCEPT}
    """
    running = pool(toml, files={"application.py": source("served/hosted.py")})
    with running.connect() as client:
        client.sendall(header)  # no more: the server speaks first
        greeting = b"hello %s\n" % CLIENT[0].encode()
        assert receive_exactly(client, len(greeting)) == greeting
        client.sendall(b"word\n")
        assert receive_exactly(client, 5) == b"WORD\n"


@pytest.mark.parametrize("at_once", [True, False], ids=["header and request at once", "one after the other"])
def test_one_port_for_several_protocols_looks_behind_the_header(pool: Pools, at_once: bool) -> None:  # noqa: FBT001
    toml = f"""
    [pool]
    workers = 2
    [[listener]]
    name = "both"
    bind = ["tcp://127.0.0.1:0"]
    protocols = ["http", "kv"]
    protocol_options = {{ http = {{ target = "ends:asgi" }} }}
    sniff_timeout = "1h"
    {ACCEPT}
    """
    running = pool(toml, files={"ends.py": source("served/ends.py")})
    with running.connect() as web, running.connect() as cache:
        for sock in (web, cache):
            if not at_once:
                sock.sendall(V1)
        if not at_once:
            wait_until(lambda: running.status()["totals"]["bytes_in"] == 2 * len(V1))
        before = V1 if at_once else b""
        web.sendall(before + request("/"))
        [response] = parse(receive_all(web), ["GET"])
        assert json.loads(response.body)[0] == [*CLIENT]
        cache.sendall(before)
        assert f" addr={CLIENT[0]}:{CLIENT[1]} " in Client(cache)("CLIENT", "INFO").decode()
