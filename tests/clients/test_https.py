"""HTTPS with real clients: curl, Chromium, httpx, websockets; and frameworks that are asked whether they are secure."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
from certificates import authority_pem, client_context, load, pair
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from https import HERE, Files, https_toml
from playwright.sync_api import Error, sync_playwright
from websockets.sync.client import connect as connect_websocket

from corepool.testing.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page, Playwright

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools


def url_of(running: PoolProcess, scheme: str = "https") -> str:
    return f"{scheme}://localhost:{running.urls()[0].rpartition(':')[2]}"


def ask(running: PoolProcess, path: str) -> str:
    """Return what a client that trusts our authority is answered."""
    with httpx.Client(base_url=url_of(running), verify=client_context(), timeout=DEADLINE_S) as client:
        return client.get(path).text


@pytest.mark.parametrize(
    "target",
    [
        "frameworks.with_flask:app",
        "frameworks.with_django:wsgi",
        "frameworks.with_django:asgi",
        "frameworks.with_starlette:app",
    ],
)
def test_a_framework_knows_that_a_request_is_secure(pool: Pools, tmp_path: Path, target: str) -> None:
    running = pool(https_toml(Files.of(tmp_path), target, workers=1))
    assert ask(running, "/secure") == f"True {url_of(running)}/secure"
    assert ask(running, "/stream") == "".join(f"{number}\n" for number in range(1000))


def test_a_websocket_over_tls(pool: Pools, tmp_path: Path) -> None:
    running = pool(https_toml(Files.of(tmp_path), "frameworks.with_starlette:app", workers=2))
    for _ in range(4):
        with connect_websocket(f"{url_of(running, 'wss')}/ws", ssl=client_context(), open_timeout=None) as socket:
            socket.send("hello")
            assert socket.recv() == "hello"


@pytest.mark.parametrize("flags", [["--tls-max", "1.2"], ["--tlsv1.3"]])
def test_curl_verifies_the_certificate(pool: Pools, tmp_path: Path, flags: list[str]) -> None:
    running = pool(https_toml(Files.of(tmp_path), workers=1))
    (tmp_path / "ca.pem").write_text(authority_pem())
    port = running.urls()[0].rpartition(":")[2]

    def curl(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["curl", "-sS", *flags, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603

    done = curl("--cacert", str(tmp_path / "ca.pem"), f"https://localhost:{port}/")
    assert done.returncode == 0, done.stderr
    assert '"HTTPS": "on"' in done.stdout
    assert f'"SSL_PROTOCOL": "TLSv{"1.2" if "1.2" in flags else "1.3"}"' in done.stdout
    assert curl(f"https://localhost:{port}/").returncode == 60, "it trusts the system's authorities alone"
    plain = curl(f"http://localhost:{port}/")
    assert "this port speaks HTTPS" in plain.stdout


def test_a_client_certificate_reaches_the_application(pool: Pools, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(authority_pem())
    files = Files.of(tmp_path)
    running = pool(https_toml(files, workers=1, more=f"&client_ca={tmp_path / 'ca.pem'}&client=optional"))
    context = client_context()
    load(context, pair("ann.example"))
    with httpx.Client(verify=context, timeout=DEADLINE_S) as client:
        known = client.get(url_of(running)).json()
    assert known["SSL_CLIENT_VERIFY"] == "SUCCESS"
    assert known["SSL_CLIENT_SAN_DNS_0"] == "ann.example"
    assert known["SSL_CLIENT_I_DN_O"] == "ours"
    assert known["SSL_CLIENT_CERT"] == pair("ann.example").leaf.decode()
    assert '"SSL_CLIENT_VERIFY": "NONE"' in ask(running, "/")


def test_chromium_shows_a_page_of_a_key_that_it_trusts(pool: Pools, tmp_path: Path) -> None:
    running = pool(https_toml(Files.of(tmp_path), "frameworks.with_starlette:app", workers=2))
    # Its store of authorities takes a program that few systems have; so it is told the key, by its hash.
    key = x509.load_pem_x509_certificate(pair(*HERE).leaf).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    trusted = base64.b64encode(hashlib.sha256(spki).digest()).decode()
    for flags in ([], [f"--ignore-certificate-errors-spki-list={trusted}"]):
        with sync_playwright() as playwright, browsing(playwright, tmp_path / f"home{len(flags)}", flags) as page:
            if not flags:
                with pytest.raises(Error, match="ERR_CERT_AUTHORITY_INVALID"):
                    page.goto(f"{url_of(running)}/secure", timeout=0)
                continue
            page.goto(f"{url_of(running)}/secure", timeout=0)
            assert page.inner_text("body") == f"True {url_of(running)}/secure"
            assert page.evaluate("window.isSecureContext")


@contextmanager
def browsing(playwright: Playwright, home: Path, flags: list[str]) -> Iterator[Page]:
    """Start a Chromium of Debian's with a folder of its own, without which it takes no such flag."""
    browser = playwright.chromium.launch_persistent_context(
        str(home), executable_path="/usr/bin/chromium", args=["--no-sandbox", *flags], timeout=0
    )
    with closing(browser):
        yield browser.new_page()
