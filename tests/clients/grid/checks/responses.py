"""Responses."""

from __future__ import annotations

import gzip
import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import http.client

    from grid.client import Site


def content_type_and_length(site: Site) -> None:
    answer = site.get("/hello?name=x")
    assert (answer.header("content-type") or "").startswith("text/")
    assert answer.header("content-length") == "7"
    assert answer.header("date")


def repeated_header(site: Site) -> None:
    cookies = site.get("/set-cookies").all("set-cookie")
    [first] = [cookie for cookie in cookies if cookie.startswith("first=1;")]
    [second] = [cookie for cookie in cookies if cookie.startswith("second=2;")]
    assert "httponly" in first.lower()
    assert "max-age=60" in second.lower()


def cookie_that_is_deleted(site: Site) -> None:
    [cookie] = [each for each in site.get("/delete-cookie").all("set-cookie") if each.startswith("first=")]
    assert "max-age=0" in cookie.lower() or "expires=" in cookie.lower()


def session(site: Site) -> None:
    [cookie] = site.get("/session?set=remembered").all("set-cookie")
    assert site.get("/session", ("Cookie", cookie.partition(";")[0])).text == "remembered"
    assert site.get("/session").text == ""


def chunks_that_arrive_one_by_one(site: Site) -> None:
    gate = site.gate()
    connection = site.connection()
    connection.request("GET", f"/stream?gate={gate.name}")
    response = connection.getresponse()
    for number in range(3):
        # The application makes the next one when this one is here.
        assert response.read(2) == f"{number}\n".encode()
        gate.open(str(number))
    assert response.read() == b""
    connection.close()


def stream_of_1000_chunks(site: Site) -> None:
    assert site.get("/lines").text == "".join(f"{number}\n" for number in range(1000))


def server_sent_events(site: Site) -> None:
    gate = site.gate()
    connection = site.connection()
    connection.request("GET", f"/events?gate={gate.name}", headers={"Accept": "text/event-stream"})
    response = connection.getresponse()
    assert (response.getheader("content-type") or "").startswith("text/event-stream")
    assert _three_events(response) == [b"0", b"1", b"2"]
    assert not gate.is_marked("closed")
    response.close()
    connection.close()
    # The client has left in the middle: the generator is closed, and may clean up.
    gate.wait_for("closed")
    site.assert_serves()


def silent_stream_whose_client_leaves(site: Site) -> None:
    gate = site.gate()
    connection = site.connection()
    connection.request("GET", f"/events?gate={gate.name}&silent=1")
    response = connection.getresponse()
    assert _three_events(response) == [b"0", b"1", b"2"]
    assert not gate.is_marked("closed")
    response.close()
    connection.close()
    # Nothing is sent any more, so no send can tell the application.
    gate.wait_for("closed")
    site.assert_serves()


def _three_events(response: http.client.HTTPResponse) -> list[bytes]:
    data: list[bytes] = []
    while len(data) < 3:
        line = response.readline()
        assert line, data
        if line.startswith(b"data:"):
            data.append(line.removeprefix(b"data:").strip())
    return data


def download_of_5_mb(site: Site) -> None:
    answer = site.get("/large")
    assert answer.header("content-length") == str(5 * 1024 * 1024)
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(b"0123456789abcdef" * 327_680).digest()


def client_that_leaves_half_way_through_a_download(site: Site) -> None:
    connection = site.connection()
    connection.request("GET", "/large")
    response = connection.getresponse()
    assert len(response.read(100_000)) == 100_000
    response.close()
    connection.close()
    site.assert_serves()


def name_of_a_file_that_is_not_ascii(site: Site) -> None:
    disposition = site.get("/download").header("content-disposition") or ""
    assert "filename*=utf-8''r%c3%a9sum%c3%a9.txt" in disposition.lower()


def status_204(site: Site) -> None:
    answer = site.get("/empty")
    assert (answer.status, answer.body) == (204, b"")
    assert answer.header("content-length") is None
    assert answer.header("transfer-encoding") is None


def gzip_of_the_framework(site: Site) -> None:
    answer = site.get("/compressible", ("Accept-Encoding", "gzip"))
    assert answer.header("content-encoding") == "gzip"
    assert gzip.decompress(answer.body) == b"compressible " * 1000


def no_gzip_for_a_client_that_wants_none(site: Site) -> None:
    answer = site.get("/compressible")
    assert answer.header("content-encoding") is None
    assert answer.body == b"compressible " * 1000


def order_of_middlewares(site: Site) -> None:
    assert ",".join(site.get("/hello?name=x").all("x-order")).replace(" ", "") == "inner,outer"
