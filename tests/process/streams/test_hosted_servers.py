"""Servers of socketserver, of the standard library and of others, are served as they are: their handlers find them."""

from __future__ import annotations

import http.client
import socket
import struct
import xmlrpc.client
from typing import TYPE_CHECKING

import dnslib
import pytest
from operated import reload_by_signal
from sources import source

from corepool.testing.sockets import receive_all, receive_exactly
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

TOML = """
[pool]
workers = 1
drain_timeout = 5
[[listener]]
name = "it"
bind = ["{bind}"]
protocol = "socketserver"
options = {{ target = "{target}" {more} }}
"""


def start(pool: Pools, target: str, more: str = "", bind: str = "tcp://127.0.0.1:0", **keywords: object) -> PoolProcess:
    toml = TOML.format(target=target if ":" in target else f"application:{target}", more=more, bind=bind)
    files = {
        "application.py": source("served/hosted_servers.py"),
        "ready.py": "from application import Counter\ninstance = Counter()\n",
        "file": "0123456789" * 20_000,
    }
    return pool(toml, files=files, environment={"PYTHONDONTWRITEBYTECODE": "1"}, **keywords)  # type: ignore[arg-type]


def read_line(client: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        more = client.recv(1)
        assert more, line
        line += more
    return line


def ask(client: socket.socket, line: bytes) -> bytes:
    client.sendall(line + b"\n")
    return read_line(client)


@pytest.mark.parametrize("target", ["Counter", "ready:instance", "make", "served", "by_hand"])
def test_handlers_find_the_one_server_of_their_worker(pool: Pools, target: str) -> None:
    running = start(pool, target)
    with running.connect() as first, running.connect() as second:
        assert ask(first, b"a") == b"1 a\n"
        assert ask(second, b"b") == b"2 b\n"
        assert ask(first, b"c") == b"3 c\n"


@pytest.mark.parametrize("bind", ["tcp://127.0.0.1:0", "unix:@{name}"])
def test_pages_are_served(pool: Pools, bind: str, request: pytest.FixtureRequest) -> None:
    name = f"corepool-hosted-{id(request)}"
    running = start(pool, "pages", bind=bind.format(name=name))
    with running.connect() as connection:
        client = http.client.HTTPConnection("localhost")
        client.sock = connection
        for path in ("/a", "/b"):
            client.request("GET", path)
            assert client.getresponse().read().decode().startswith(f"{path} ('127.0.0.1', ")
        if bind.startswith("tcp"):
            client.request("GET", "/c")
            port = running.urls()[0].rpartition(":")[2]
            assert client.getresponse().read().decode() == f"/c ('127.0.0.1', {port})"


@pytest.mark.parametrize(("bind", "peer"), [("tcp://127.0.0.1:0", "127.0.0.1"), ("unix:@{name}", "")])
def test_wsgiref_serves_its_application(pool: Pools, bind: str, peer: str, request: pytest.FixtureRequest) -> None:
    running = start(pool, "wsgi", bind=bind.format(name=f"corepool-hosted-{id(request)}"))
    for _ in range(2):
        with running.connect() as connection:
            client = http.client.HTTPConnection("localhost")
            client.sock = connection
            client.request("GET", "/shop")
            assert client.getresponse().read().decode() == f"GET /shop {peer}"


def test_a_handler_of_pages_alone_is_served_on_a_unix_socket(pool: Pools, request: pytest.FixtureRequest) -> None:
    running = start(pool, "Page", bind=f"unix:@corepool-hosted-{id(request)}")
    with running.connect() as connection:
        client = http.client.HTTPConnection("localhost")
        client.sock = connection
        client.request("GET", "/a")
        assert client.getresponse().status == 200


def test_xmlrpc_calculates(pool: Pools) -> None:
    running = start(pool, "calculator")
    url = running.urls()[0].replace("tcp://", "http://")
    for _ in range(2):
        with xmlrpc.client.ServerProxy(url) as proxy:
            assert proxy.pow(2, 10) == 1024
            assert "pow" in proxy.system.listMethods()  # type: ignore[operator, union-attr]
    running.wait_logged("hosted_server_serves_one")


@pytest.mark.parametrize("target", ["dns", "dns_object"])
def test_dnslib_answers(pool: Pools, target: str) -> None:
    running = start(pool, target)
    question = dnslib.DNSRecord.question("shop.example").pack()
    for _ in range(2):
        with running.connect() as client:
            client.sendall(struct.pack("!H", len(question)) + question)
            answer = dnslib.DNSRecord.parse(receive_all(client)[2:])
            if target == "dns":
                assert str(answer.a.rdata) == "1.2.3.4"
            else:
                assert dnslib.RCODE[answer.header.rcode] == "NXDOMAIN"


def test_people_chat_by_irc(pool: Pools) -> None:
    running = start(pool, "irc")
    with running.connect() as anna, running.connect() as ben:
        for client, name in ((anna, b"anna"), (ben, b"ben")):
            client.sendall(b"NICK %s\r\nUSER %s 0 * :%s\r\n" % (name, name, name))
            while b" 376 " not in (line := read_line(client)) and b" 422 " not in line and b" 001 " not in line:
                pass
            client.sendall(b"JOIN #shop\r\n")
            while b" 366 " not in read_line(client):
                pass
        ben.sendall(b"PRIVMSG #shop :hello\r\n")
        while b"PRIVMSG #shop :hello" not in read_line(anna):
            pass


def test_a_file_is_sent(pool: Pools) -> None:
    running = start(pool, "Asking")
    with running.connect() as client:
        client.sendall(b"file 5 7\n")
        assert read_line(client) == b"56789017 12\n"
        assert ask(client, b"text") == b"file should be opened in binary mode\n"
        client.sendall(b"again\n")
        assert read_line(client) == b"0123456789" * 20_000 + b"200000\n"
        client.sendall(b"file 199990 0\n")
        assert read_line(client) == b"012345678910 200000\n"
        client.sendall(b"file 0 0\n")
        assert read_line(client) == b"0123456789" * 20_000 + b"200000 200000\n"


def test_input_is_looked_at_and_left(pool: Pools) -> None:
    running = start(pool, "Asking")
    with running.connect() as client:
        assert ask(client, b"peek") == b"ready\n"
        assert ask(client, b"some line") == b"som|some line\n"


def test_a_request_can_be_waited_for_by_select(pool: Pools) -> None:
    running = start(pool, "Asking")
    with running.connect() as client:
        for _ in range(2):
            assert ask(client, b"select") == b"ready\n"
            assert ask(client, b"some line") == b"0110 some line\n"
        assert ask(client, b"select") == b"ready\n"
        client.shutdown(socket.SHUT_WR)  # the end is readable, too, and stays so
        assert receive_all(client) == b"0111 "


def test_input_that_a_read_gave_back_is_seen_by_select(pool: Pools) -> None:
    running = start(pool, "Asking")
    with running.connect() as client:
        assert ask(client, b"impatient") == b"ready\n"
        client.sendall(b"hello")  # fewer than it reads, before or after its time-out
        assert receive_exactly(client, 7) == b"1 hello"


def test_what_a_server_refuses_is_closed(pool: Pools) -> None:
    with start(pool, "Picky").connect() as client:
        assert receive_all(client) == b""


def test_the_program_behind_serve_forever_goes_on_when_the_worker_leaves(pool: Pools) -> None:
    running = start(pool, "served")
    with running.connect() as client:
        assert ask(client, b"a") == b"1 a\n"
    reload_by_signal(running)
    ended = running.directory / "ended"
    wait_until(lambda: ended.exists() and ended.read_text() == "1\n")
    with running.connect() as client:
        assert ask(client, b"b") == b"1 b\n", "another worker, and its own server"


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("nothing", "it has returned, and made no server of socketserver"),
        ("two", "it makes a second server"),
        ("wants", "it wants argument: expected a function that makes a server of nothing"),
        ("NeedsHandler", "it can't be made without RequestHandlerClass: name a function instead that makes one"),
        ("NoServer", "no class derived from socketserver.BaseRequestHandler or socketserver.BaseServer"),
        ("dns_datagrams", "its server is for datagrams; corepool serves connections"),
        ("ADDRESS", "no server, and no function that makes one"),
        ("fails", "RuntimeError: no database"),
    ],
)
def test_a_target_that_makes_no_server_is_refused(pool: Pools, target: str, says: str) -> None:
    running = start(pool, target, wait=False, exit_status=3, traceback=target == "fails")
    running.wait()
    assert says in running.stderr


def test_a_server_that_shuts_itself_down_fails_its_worker(pool: Pools) -> None:
    running = start(pool, "leaves", traceback=True)

    running.wait_logged("it has shut its server down and returned")
