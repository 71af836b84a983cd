"""The page on the PROXY protocol: its own configurations, in a real HAProxy and a real nginx, before a real pool."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import documents
import pytest
from extension_client import plugin_files
from kv_client import Client
from proxy_headers import AWS, TCP4, checked, ips, tlv
from proxy_programs import haproxy, nginx_stream, why_no_stream

from corepool.testing.sockets import connect, receive_exactly, reserved_port
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pools import Pools

BLOCKS = list(documents.blocks(documents.DOCS / "howto" / "proxy-protocol.md"))
PAGE = {block.file: block.text for block in BLOCKS if block.file}
(ENDPOINTS,) = [block.text for block in BLOCKS if block.language == "python"]


@pytest.mark.parametrize("way", ["tcp", "unix"])
@pytest.mark.parametrize("program", ["haproxy", "nginx"])
def test_the_pool_knows_the_client(pool: Pools, program: str, way: str) -> None:
    reason = why_no_stream() if program == "nginx" else None
    if reason is not None:
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="corepool-") as name, reserved_port() as inner, reserved_port() as outer:
        folder = Path(name)

        def here(text: str) -> str:
            if way == "unix":
                text = text.replace("server cache 127.0.0.1:6379", "server cache unix@/run/cache/kv.sock")
                text = text.replace("proxy_pass 127.0.0.1:6379;", "proxy_pass unix:/run/cache/kv.sock;")
            text = text.replace("/run/cache", name).replace("127.0.0.1:6379", f"127.0.0.1:{inner}")
            return re.sub("(bind |listen ):?6380", rf"\g<1>127.0.0.1:{outer}", text)

        for file in ("haproxy.cfg", "stream.conf"):
            (folder / file).write_text(here(PAGE[file]))
        running = pool(here(PAGE["corepool.toml"]))
        run = haproxy if program == "haproxy" else nginx_stream
        with run(folder, outer), connect(f"tcp://127.0.0.1:{outer}") as sock:
            info = Client(sock)("CLIENT", "INFO").decode()
            host, port = sock.getsockname()
            assert f" addr={host}:{port} laddr=127.0.0.1:{outer} " in info
            if program == "haproxy":
                wait_until(lambda: running.status()["totals"]["closed"] >= 2)  # its health checks
    assert running.status()["totals"]["proxy_failures"] == 0  # type: ignore[typeddict-item]


def test_the_protocol_of_the_page_finds_the_endpoint_of_aws(pool: Pools) -> None:
    toml = """
    [pool]
    workers = 1
    [[listener]]
    bind = "127.0.0.1:0"
    protocol = "endpoints"
    accept_proxy = "127.0.0.1"
    """
    running = pool(toml, files=plugin_files("endpoints", "Endpoints", ENDPOINTS))
    with running.connect() as client:
        client.sendall(checked(TCP4, ips(("203.0.113.7", 1), ("198.51.100.1", 2)) + tlv(AWS, b"\1vpce-1")) + b"hello")
        expected = b"'203.0.113.7' b'\\x01vpce-1'\n"
        assert receive_exactly(client, len(expected)) == expected
