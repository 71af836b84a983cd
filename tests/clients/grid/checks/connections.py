"""Connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grid.client import ask_on
from http_client import parse, receive_response, request

from corepool.testing.sockets import receive_all, reset

if TYPE_CHECKING:
    from grid.client import Site

HELLO = "/hello?name=x"


def ten_requests_on_one_connection(site: Site) -> None:
    connection = site.connection()
    connection.connect()
    sock = connection.sock
    for number in range(10):
        assert ask_on(connection, "GET", f"/hello?name={number}").text == f"hello {number}"
        assert connection.sock is sock
    connection.close()


def methods_in_turn_on_one_connection(site: Site) -> None:
    connection = site.connection()
    connection.connect()
    sock = connection.sock
    for method in ("GET", "POST", "HEAD", "PUT", "DELETE", "GET"):
        answer = ask_on(connection, method, "/method", content=b"content" if method in {"POST", "PUT"} else None)
        assert answer.text == ("" if method == "HEAD" else method)
    assert connection.sock is sock
    connection.close()


def streams_on_one_connection(site: Site) -> None:
    connection = site.connection()
    connection.connect()
    sock = connection.sock
    for _ in range(3):
        assert len(ask_on(connection, "GET", "/lines").body) == 3890
        assert ask_on(connection, "GET", HELLO).text == "hello x"
    assert connection.sock is sock
    connection.close()


def status_204_on_one_connection(site: Site) -> None:
    connection = site.connection()
    connection.connect()
    sock = connection.sock
    for _ in range(3):
        assert ask_on(connection, "GET", "/empty").status == 204
        assert ask_on(connection, "GET", HELLO).text == "hello x"
    assert connection.sock is sock
    connection.close()


def three_requests_at_once(site: Site) -> None:
    with site.socket() as sock:
        sock.sendall(b"".join(request(f"/hello?name={n}", close=n == 2) for n in range(3)))
        answers = parse(receive_all(sock), ["GET"] * 3)
    assert [answer.body for answer in answers] == [b"hello 0", b"hello 1", b"hello 2"]


def contents_at_once(site: Site) -> None:
    with site.socket() as sock:
        sock.sendall(b"".join(request("/method", method=method, content=b"abc", close=method == "PATCH")
                              for method in ("POST", "PUT", "PATCH")))  # fmt: skip
        answers = parse(receive_all(sock), ["POST", "PUT", "PATCH"])
    assert [answer.body for answer in answers] == [b"POST", b"PUT", b"PATCH"]


def connection_close(site: Site) -> None:
    with site.socket() as sock:
        sock.sendall(request(HELLO, close=True))
        [answer] = parse(receive_all(sock), ["GET"])
    assert (answer.header("connection") or "").lower() == "close"


def http_1_0(site: Site) -> None:
    with site.socket() as sock:
        sock.sendall(f"GET {HELLO} HTTP/1.0\r\n\r\n".encode())
        [answer] = parse(receive_all(sock), ["GET"])
    assert (answer.status, answer.body) == (200, b"hello x")


def http_1_0_has_no_chunks(site: Site) -> None:
    with site.socket() as sock:
        sock.sendall(b"GET /lines HTTP/1.0\r\nHost: a\r\n\r\n")
        [answer] = parse(receive_all(sock), ["GET"])
    assert answer.header("transfer-encoding") is None
    assert answer.body == "".join(f"{number}\n" for number in range(1000)).encode()


def http_1_0_that_keeps_its_connection(site: Site) -> None:
    with site.socket() as sock:
        for _ in range(2):
            sock.sendall(f"GET {HELLO} HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n".encode())
            assert receive_response(sock).body == b"hello x"


def head_and_get_on_one_connection(site: Site) -> None:
    with site.socket() as sock:
        sock.sendall(request("/large", method="HEAD", close=False))
        assert receive_response(sock, "HEAD").header("content-length") == str(5 * 1024 * 1024)
        sock.sendall(request(HELLO, close=False))
        assert receive_response(sock).body == b"hello x"


def head_of_a_stream(site: Site) -> None:
    with site.socket() as sock:
        sock.sendall(request("/lines", method="HEAD", close=False) + request(HELLO))
        answers = parse(receive_all(sock), ["HEAD", "GET"])
    assert answers[1].body == b"hello x"


def client_that_leaves_before_the_response(site: Site) -> None:
    for _ in range(3):
        with site.socket() as sock:
            sock.sendall(request("/large", close=False))
    site.assert_serves()


def client_that_resets_its_connection(site: Site) -> None:
    for _ in range(3):
        sock = site.socket()
        sock.sendall(request("/lines", close=False))
        reset(sock)
    site.assert_serves()


def client_that_ends_its_side(site: Site) -> None:
    with site.socket() as sock:
        sock.sendall(request(HELLO, close=False))
        sock.shutdown(1)
        [answer] = parse(receive_all(sock), ["GET"])
    assert answer.body == b"hello x"


def request_byte_by_byte(site: Site) -> None:
    with site.socket() as sock:
        for byte in request(HELLO):
            sock.sendall(bytes([byte]))
        [answer] = parse(receive_all(sock), ["GET"])
    assert answer.body == b"hello x"


def target_with_the_whole_url(site: Site) -> None:
    with site.socket() as sock:
        head = f"GET http://example.org{HELLO} HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n"
        sock.sendall(head.encode())
        [answer] = parse(receive_all(sock), ["GET"])
    assert answer.body == b"hello x"


def no_request_at_all(site: Site) -> None:
    with site.socket() as sock:
        sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 nonsense\r\n\r\n")
        assert receive_all(sock).startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
    site.assert_serves()
