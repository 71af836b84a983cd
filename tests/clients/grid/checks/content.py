"""Content of requests."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from grid.client import multipart
from http_client import receive_response, request

from corepool.testing.sockets import receive_all, receive_exactly

if TYPE_CHECKING:
    from grid.client import Site

JSON = ("Content-Type", "application/json")
FORM = ("Content-Type", "application/x-www-form-urlencoded")
OCTETS = ("Content-Type", "application/octet-stream")
LARGE = bytes(range(256)) * 12_000
"""3 MB, of which no two neighbouring bytes are the same."""

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def _described(data: bytes) -> dict[str, object]:
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def json_content(site: Site) -> None:
    value = {"text": "é€😀", "list": [1, 2.5, None, True], "nested": {"a": {}}}
    answer = site.post("/json", json.dumps(value).encode(), JSON)
    assert answer.json == value
    assert (answer.header("content-type") or "").startswith("application/json")


def json_that_is_none(site: Site) -> None:
    assert 400 <= site.post("/json", b"{no json", JSON).status < 500


def form(site: Site) -> None:
    assert site.post("/form", b"a=1&b=x+y%26&c=%C3%A9", FORM).json == {"a": "1", "b": "x y&", "c": "é"}


def form_in_parts(site: Site) -> None:
    body, header = multipart("a", "é".encode(), filename=None)
    assert site.post("/form", body, header).json == {"a": "é"}


def small_file(site: Site) -> None:
    body, header = multipart("file", b"abc")
    assert site.post("/upload", body, header).json == {"name": "a.bin", **_described(b"abc")}


def empty_file(site: Site) -> None:
    body, header = multipart("file", b"")
    assert site.post("/upload", body, header).json == {"name": "a.bin", **_described(b"")}


def file_of_3_mb(site: Site) -> None:
    body, header = multipart("file", LARGE)
    assert site.post("/upload", body, header).json == {"name": "a.bin", **_described(LARGE)}


def file_of_3_mb_in_chunks(site: Site) -> None:
    body, header = multipart("file", LARGE)
    answer = site.post("/upload", (body[at : at + 50_000] for at in range(0, len(body), 50_000)), header)
    assert answer.json == {"name": "a.bin", **_described(LARGE)}


def file_of_3_mb_for_which_the_client_waits_for_100(site: Site) -> None:
    body, (name, value) = multipart("file", LARGE)
    with site.socket() as sock:
        head = request("/upload", f"{name}: {value}", f"Content-Length: {len(body)}", "Expect: 100-continue",
                       method="POST", close=False)  # fmt: skip
        sock.sendall(head)
        assert receive_exactly(sock, len(CONTINUE)) == CONTINUE
        sock.sendall(body)
        answer = receive_response(sock)
    assert json.loads(answer.body) == {"name": "a.bin", **_described(LARGE)}


def no_content(site: Site) -> None:
    assert site.ask("POST", "/whole", headers=[OCTETS, ("Content-Length", "0")]).json == _described(b"")
    assert site.ask("POST", "/whole", headers=[OCTETS]).json == _described(b"")


def content_of_1_byte(site: Site) -> None:
    assert site.post("/whole", b"x", OCTETS).json == _described(b"x")


def content_of_200_kb(site: Site) -> None:
    assert site.post("/whole", LARGE[:200_000], OCTETS).json == _described(LARGE[:200_000])


def content_in_chunks(site: Site) -> None:
    answer = site.post("/whole", (LARGE[at : at + 1000] for at in range(0, 100_000, 1000)), OCTETS)
    assert answer.json == _described(LARGE[:100_000])


def no_content_in_chunks(site: Site) -> None:
    assert site.post("/whole", (piece for piece in ()), OCTETS).json == _described(b"")


def content_for_which_the_client_waits_for_100(site: Site) -> None:
    with site.socket() as sock:
        head = request("/whole", "Content-Length: 5", "Expect: 100-continue", "Content-Type: text/plain",
                       method="POST", close=False)  # fmt: skip
        sock.sendall(head)
        assert receive_exactly(sock, len(CONTINUE)) == CONTINUE
        sock.sendall(b"abcde")
        assert json.loads(receive_response(sock).body) == _described(b"abcde")


def content_that_is_read_in_pieces(site: Site) -> None:
    assert site.post("/pieces", LARGE, OCTETS).json == _described(LARGE)


def content_that_comes_byte_by_byte(site: Site) -> None:
    with site.socket() as sock:
        head = request("/pieces", "Content-Length: 20", "Content-Type: application/octet-stream",
                       method="POST", close=False)  # fmt: skip
        for byte in head + b"a" * 20:
            sock.sendall(bytes([byte]))
        assert json.loads(receive_response(sock).body) == _described(b"a" * 20)


def content_that_is_not_read(site: Site) -> None:
    answer = site.post("/unread", LARGE[:50_000], OCTETS)
    assert answer.text == "not read"
    site.assert_serves()


def content_above_the_limit_of_the_application(site: Site) -> None:
    body, header = multipart("a", b"x" * 300_000, filename=None)
    assert site.post("/limited", body, header).status in {400, 413}
    site.assert_serves()


def content_below_the_limit_of_the_application(site: Site) -> None:
    body, header = multipart("a", b"x" * 50_000, filename=None)
    assert site.post("/limited", body, header).json == {"a": 50_000}


def client_that_leaves_half_way_through_its_content(site: Site) -> None:
    with site.socket() as sock:
        sock.sendall(request("/whole", "Content-Length: 100000", "Content-Type: text/plain", method="POST"))
        sock.sendall(b"x" * 50_000)
    site.assert_serves()


def client_that_ends_its_side_after_its_content(site: Site) -> None:
    with site.socket() as sock:
        sock.sendall(request("/whole", "Content-Type: text/plain", method="POST", content=b"abc"))
        sock.shutdown(1)
        assert json.dumps(_described(b"abc")["sha256"]).encode() in receive_all(sock)
