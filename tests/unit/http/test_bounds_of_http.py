"""The memory that a client can make the http protocol use, in each state: a test for each row of bounds.md."""

from __future__ import annotations

import asyncio
import gc
import re
import sys
from ipaddress import ip_network
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import mirror
import pytest
from http_client import APPLICATIONS, request
from mirror_client import let_go, run_out

from corepool.spec.types import Address, CloseReason, TimeoutKind
from corepool_http import Http, HttpOptions
from corepool_http.http1.heads import PythonHeadReader
from corepool_http.http1.names import Names
from corepool_http.message import Request, RequestLine, Section
from corepool_http.proxies import Proxies
from corepool_http.responses import Heads

if TYPE_CHECKING:
    from corepool.testing.conversation import Conversation, Conversations
    from corepool_http.http1.driver import Driver

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "bounds.md"
SEGMENTS = 5 * 65_536  # what one event may read, and a little
MEGABYTE = 1_000_000
HIGH_WATER = 262_144

GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(autouse=True)
def _in_memory() -> None:
    mirror.Handshakes.go = asyncio.Event()


def serve(connection: Conversations, target: str = "asgi", module: str = "mirror", **options: object) -> Conversation:
    settings = {"target": f"{module}:{target}", "directory": str(APPLICATIONS), **options}
    return connection(Http(HttpOptions.model_validate(settings)))


def ends(client: Conversation) -> bool:
    """Report whether the connection has ended, or ends at the client's next bytes, which corepool drops."""
    if not client.conn.closed and client.has_met_the_end:
        read = client.conn.bytes_in
        client.send(b"x" * MEGABYTE)
        assert client.conn.bytes_in == read, "it is not read"
        client.end()
    return client.conn.closed


def status(client: Conversation) -> int:
    client.read_on()
    answer = client.receive()
    assert answer, "nothing was answered"
    return int(answer.split(b" ")[1])


def test_between_requests(connection: Conversations) -> None:
    for before in (b"", GET + b"\r\n"):
        client = serve(connection, max_head=1024)
        client.send(before)
        client.receive()
        for _ in range(8):
            client.send(b"\r\n" * 100)
        assert status(client) == 400
        assert ends(client)
    client = serve(connection, keep_alive=0.01)
    client.send(b"\r\n")
    run_out(client)
    assert client.conn.closed
    assert client.receive() == b""


@pytest.mark.parametrize("size", [1, 100, 5_000])
def test_request_line(connection: Conversations, size: int) -> None:
    client = serve(connection, max_request_line=256, header_timeout=0.01)
    client.send(b"GET /")
    for _ in range(5_000 // size):
        client.send(b"a" * size)
    assert status(client) == 414
    client = serve(connection, header_timeout=0.01)
    client.send(b"GET /")
    run_out(client)
    assert status(client) == 408


@pytest.mark.parametrize("piece", [b"a", b"a" * 100, b": b\r\n", b"A: b\r\n", b"A" * 5_000])
def test_header_section(connection: Conversations, piece: bytes) -> None:
    client = serve(connection, max_head=1024, max_request_line=256)
    client.send(GET + b"A")
    for _ in range(5_000 // len(piece)):
        client.send(piece)
    assert status(client) in ({400} if piece.startswith(b":") else {431})
    client = serve(connection, header_timeout=0.01)
    client.send(GET)
    run_out(client)
    assert status(client) == 408


def test_content_waiting_for_the_application(connection: Conversations) -> None:
    chunks = b"1\r\nx\r\n" * 50_000
    for head, content in (
        (request("/hold", f"Content-Length: {MEGABYTE}", method="POST"), b"x" * MEGABYTE),
        (
            CHUNKED.replace(b" / ", b" /hold ").replace(b"Host: a", b"Host: a\r\nConnection: close"),
            chunks + b"0\r\n\r\n",
        ),
    ):
        mirror.Handshakes.go = asyncio.Event()
        client = serve(connection)
        client.send(head)
        client.send(content)
        assert client.conn.paused
        assert client.unread > len(content) - SEGMENTS
        body = client.conn.session.current.request.body  # type: ignore[attr-defined]
        assert len(body.pieces) < 15_000  # of those chunks: one segment
        let_go(client)
        assert status(client) == 200
        assert ends(client)
    mirror.Handshakes.go = asyncio.Event()
    client = serve(connection)
    client.send(request("/hold", f"Content-Length: {MEGABYTE}", method="POST") + b"x" * MEGABYTE)
    client.reset()
    assert client.reason is CloseReason.RESET


def test_content_waiting_for_the_client(connection: Conversations) -> None:
    client = serve(connection, max_body=1_000)
    client.send(request("/", "Content-Length: 1001", method="POST"))
    assert status(client) == 413
    client = serve(connection, "wsgi", max_body=1_000)
    client.send(CHUNKED + b"64\r\n" + b"x" * 100 + b"\r\n")
    for _ in range(10):
        client.send(b"64\r\n" + b"x" * 100 + b"\r\n")
    assert status(client) == 413
    client = serve(connection, body_timeout=0.01)
    client.send(request("/", "Content-Length: 2", method="POST") + b"x")
    run_out(client)
    assert status(client) == 408


def test_content_of_a_WSGI_request(connection: Conversations) -> None:  # noqa: N802
    client = serve(connection, "wsgi", max_body=MEGABYTE * 2)
    client.send(request("/", f"Content-Length: {MEGABYTE}", method="POST"))
    for _ in range(9):
        client.send(b"x" * (MEGABYTE // 10))
    gc.collect()
    kept = sum(len(each) for each in gc.get_objects() if type(each) in (bytes, bytearray))
    assert kept < 600_000  # the rest is in a file
    assert client.unread == 0
    client.reset()


@pytest.mark.parametrize("piece", [b"0", b";a", b";a=b", b"0" * 700])
def test_chunk_sizes_and_extensions(connection: Conversations, piece: bytes) -> None:
    client = serve(connection, "wsgi", max_head=1024, max_request_line=256)
    client.send(CHUNKED + b"1\r\nx\r\n0")
    for _ in range(5_000 // len(piece)):
        client.send(piece)
    assert status(client) == 431
    client = serve(connection, body_timeout=0.01)
    client.send(CHUNKED + b"1\r\nx\r\n0")
    run_out(client)
    assert status(client) == 408


@pytest.mark.parametrize("piece", [b"a", b": b\r\na", b"a" * 700])
def test_trailers(connection: Conversations, piece: bytes) -> None:
    client = serve(connection, "wsgi", max_head=1024, max_request_line=256)
    client.send(CHUNKED + b"1\r\nx\r\n0\r\na")
    for _ in range(5_000 // len(piece)):
        client.send(piece)
    assert status(client) == 431
    client = serve(connection, body_timeout=0.01)
    client.send(CHUNKED + b"1\r\nx\r\n0\r\na")
    run_out(client)
    assert status(client) == 408


def test_pipelined_requests(connection: Conversations) -> None:
    client = serve(connection)
    one = request("/", close=False)
    client.send(request("/hold", close=False))
    client.send(one * 10_000)
    assert client.conn.paused
    assert client.unread > len(one) * 10_000 - SEGMENTS
    let_go(client)
    assert client.receive().count(b"HTTP/1.1 200") > 1
    assert not client.conn.closed


@pytest.mark.parametrize("behind", [b"nothing that is a request\r\n", GET + b"Host: b\r\n\r\n"])
def test_behind_a_refused_request(connection: Conversations, behind: bytes) -> None:
    client = serve(connection)
    client.send(request("/hold", close=False))
    client.send(behind)
    client.send(b"x" * MEGABYTE)
    assert client.unread == 0
    let_go(client)
    answer = client.receive()
    assert [each[:3] for each in answer.split(b"HTTP/1.1 ")[1:]] in ([b"200", b"400"], [b"200", b"501"])
    assert ends(client)


def test_content_behind_its_response(connection: Conversations) -> None:
    head = b"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
    client = serve(connection, module="early")
    client.send(head % 65_537)
    assert b"\r\nConnection: close\r\n" in client.receive()
    client = serve(connection, module="early", body_timeout=0.01)
    client.send(head % 65_536)
    assert status(client) == 200
    for _ in range(65):
        client.send(b"x" * 1000)
        body = cast("Driver", client.conn.session).parser.body
        assert body is not None
        assert body.size == 0
    run_out(client)


def test_behind_Connection_close_(connection: Conversations) -> None:  # noqa: N802
    client = serve(connection)
    client.send(request("/hold"))
    client.send(request("/") + b"x" * MEGABYTE)
    assert client.unread == 0
    let_go(client)
    assert client.receive().count(b"HTTP/1.1 200") == 1
    assert ends(client)


@pytest.mark.parametrize("target", ["wsgi", "asgi"])
def test_behind_an_ignored_wish_to_upgrade(connection: Conversations, target: str) -> None:
    client = serve(connection, target, keep_alive=0.01)
    wish = request("/", "Connection: Upgrade", "Upgrade: h2c", close=False)
    client.send(wish + wish)
    client.read_on()
    assert client.receive().count(b"HTTP/1.1 200") == 2
    run_out(client)
    assert client.conn.closed
    client = serve(connection, target)
    client.send(request("/", "Connection: Upgrade", "Upgrade: h2c", close=False))
    client.receive()
    client.send(b"\r\n" * 50_000)
    assert status(client) == 400


def test_response(connection: Conversations) -> None:
    client = serve(connection)
    client.stop_reading()
    client.send(request("/stream"))
    assert client.conn.buffered < HIGH_WATER + 2 * 65_536
    client.time_out(TimeoutKind.WRITE)
    assert client.reason is CloseReason.TIMEOUT


def section_of(known: PythonHeadReader, head: bytes) -> Section:
    request = known.read(head, 0)
    assert request is not None
    return request.section


def test_known_header_sections_without_a_compiler() -> None:
    options = HttpOptions(target="a:b")
    known = PythonHeadReader(options)
    heads = [GET + b"A: %d\r\n\r\n" % number for number in range(2_000)]
    sections = [section_of(known, head) for head in heads]
    assert (
        256
        <= sum(section_of(known, head) is section for head, section in zip(heads[::-1], sections[::-1], strict=True))
        <= 512
    )
    for head in (GET + b"A: " + b"b" * 4_096 + b"\r\n\r\n", GET + b"A: b\r\n" * 41 + b"\r\n"):
        assert section_of(known, head) is not section_of(known, head)


def test_known_request_lines_without_a_compiler() -> None:
    options = HttpOptions(target="a:b")
    known = PythonHeadReader(options)
    for number in range(2_000):
        assert known.read(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number, 0) is not None
    gc.collect()
    assert sum(type(each) is RequestLine for each in gc.get_objects()) <= 600
    assert known.read(b"GET /" + b"a" * options.max_request_line + b" HTTP/1.1\r\nHost: a\r\n\r\n", 0) is None


def test_header_names() -> None:
    names = Names()
    for number in range(2_000):
        assert names.lower(b"X-%d" % number) == b"x-%d" % number
    assert len(names.known) == 1_000
    names = Names()
    assert names.lower(b"X" * 65) == b"x" * 65
    assert not names.known


def test_names_of_WSGI_s_environment(connection: Conversations) -> None:  # noqa: N802
    client = serve(connection, "wsgi", max_head="1MiB")
    for first in range(0, 2_000, 100):
        client.send(request("/", *(f"X-{number}: b" for number in range(first, first + 100)), close=False))
    client.send(request("/", *(f"X{'y' * 70}-{number}: b" for number in range(100)), close=False))
    environments = client.conn.session.service._application._environments  # type: ignore[attr-defined]  # noqa: SLF001
    assert len(environments._variables) == 1_000  # noqa: SLF001
    assert max(map(len, environments._variables)) <= 64  # noqa: SLF001


def test_heads_of_responses_without_a_compiler() -> None:
    heads = Heads("x")
    made = [heads.of_text("200 OK", [("A", str(number))]) for number in range(3_000)]
    again = [heads.of_text("200 OK", [("A", str(number))]) for number in range(3_000)]
    assert sum(one is other for one, other in zip(made, again, strict=True)) <= 1_000
    long = [("A", "b" * 4_096)]
    assert heads.of_text("200 OK", long) is not heads.of_text("200 OK", long)


def test_facts_about_files(connection: Conversations, tmp_path: Path) -> None:
    for number in range(1_100):
        (tmp_path / f"{number}.txt").touch()
    client = connection(Http(HttpOptions(root=str(tmp_path))))
    for number in range(1_100):
        client.send(request(f"/{number}.txt", close=False))
    files = client.conn.session.service._application  # type: ignore[attr-defined]  # noqa: SLF001
    assert len(files._recent) <= 1_000  # noqa: SLF001


def test_proxies_of_one_request() -> None:
    proxies = Proxies([ip_network("10.0.0.0/8")])
    ends = SimpleNamespace(peer=Address("10.0.0.1", 1), local=Address("127.0.0.1", 2), facts={}, listener="a")
    client = proxies.client_of(cast("Any", ends))
    hops = b"203.0.113.7," + b",".join(b"10.0.1.%d" % number for number in range(40))
    section = Section([(b"host", b"a"), (b"x-forwarded-for", hops)], keep_alive=True)
    assert proxies.forwarded(client, Request(RequestLine("GET", b"/"), "1.1", section)).host == "10.0.1.8"


def test_each_row_has_a_test() -> None:
    text = PAGE.read_text()
    rows = []
    for title in ("HTTP", "What the connections of a worker share"):
        section = text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
        rows += re.findall(r"^\| ([^|]*) \| [^-]", section, re.MULTILINE)
    names = [re.sub(r"\W+", "_", row) for row in rows if row not in {"state", "table"}]
    assert len(names) == 21
    for name in names:
        assert callable(getattr(sys.modules[__name__], f"test_{name}"))
