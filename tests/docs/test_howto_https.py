"""The page on HTTPS: its own configurations, in a real nginx and a real HAProxy, with the certificate that it makes."""

from __future__ import annotations

import re
import shlex
import socket
import ssl
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import documents
import httpx
import pytest
from proxy_programs import PROXIES
from sources import source

from corepool.testing.sockets import reserved_port
from corepool.testing.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.testing.pools import Pools

BLOCKS = list(documents.blocks(documents.DOCS / "howto" / "https.md"))
PAGE = {block.file: block.text for block in BLOCKS if block.file}
(MAKE_CERTIFICATE,) = [block.text for block in BLOCKS if block.language == "sh" and "openssl" in block.text]
(SERVE,) = [block.text for block in BLOCKS if block.language == "sh" and "--certfile" in block.text]


class Front(NamedTuple):
    """A proxy that speaks TLS, in front of a pool."""

    https: int
    http: int
    authority: ssl.SSLContext


@pytest.fixture(params=["nginx", "haproxy"])
def front(request: pytest.FixtureRequest, pool: Pools) -> Iterator[Front]:
    """Return a proxy configured as the page says but for ports, folders and the name of the site."""
    with (
        tempfile.TemporaryDirectory(prefix="corepool-") as name,
        reserved_port() as https,
        reserved_port() as http,
        reserved_port() as inner,
    ):
        folder = Path(name)
        ports = {"443": f"127.0.0.1:{https}", "80": f"127.0.0.1:{http}"}

        def here(text: str) -> str:
            text = re.sub(r"\b(listen |bind :)(443|80)\b", lambda found: found[1].rstrip(":") + ports[found[2]], text)
            text = text.replace("127.0.0.1:8000", f"127.0.0.1:{inner}").replace("/etc/ssl/shop", name)
            return text.replace("shop.example", "localhost")

        subprocess.run(["/bin/sh", "-c", MAKE_CERTIFICATE], cwd=folder, check=True, capture_output=True)  # noqa: S603
        chain, key = (folder / "fullchain.pem").read_text(), (folder / "privkey.pem").read_text()
        (folder / "shop.pem").write_text(chain + key)
        for page_name in ("shop.conf", "haproxy.cfg"):
            (folder / page_name).write_text(here(PAGE[page_name]))
        pool(here(PAGE["corepool.toml"]), files={"shop.py": source("served/shop.py")})
        with PROXIES[request.param](folder, https):
            yield Front(https, http, ssl.create_default_context(cafile=folder / "fullchain.pem"))


def test_the_application_is_told_of_https(front: Front) -> None:
    lies = {"Forwarded": "for=6.6.6.6;proto=http", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example"}

    told = httpx.get(
        f"https://localhost:{front.https}/", headers=lies, verify=front.authority, timeout=DEADLINE_S
    ).json()

    assert (told["client"], told["scheme"]) == ("127.0.0.1", "https")
    assert told["headers"]["host"].partition(":")[0] == "localhost"


def test_http_is_redirected(front: Front) -> None:
    answer = httpx.get(f"http://127.0.0.1:{front.http}/cart?a=1", headers={"Host": "localhost"}, timeout=DEADLINE_S)

    assert (answer.status_code, answer.headers["location"]) == (301, "https://localhost/cart?a=1")


def test_browsers_get_http_2(front: Front) -> None:
    front.authority.set_alpn_protocols(["h2", "http/1.1"])

    with (
        socket.create_connection(("127.0.0.1", front.https), DEADLINE_S) as plain,
        front.authority.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        assert secure.selected_alpn_protocol() == "h2"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the certificate that the page makes."""
    subprocess.run(["/bin/sh", "-c", MAKE_CERTIFICATE], cwd=tmp_path, check=True, capture_output=True)  # noqa: S603
    return tmp_path


def test_the_command_serves_https_with_the_certificate_that_the_page_makes(pool: Pools, folder: Path) -> None:
    text = SERVE.replace("-b 8443", "-b 127.0.0.1:0")
    for name in ("fullchain.pem", "privkey.pem"):
        text = text.replace(name, str(folder / name))
    running = pool.serve(*shlex.split(text)[2:], files={"shop.py": source("served/shop.py")})

    authority = ssl.create_default_context(cafile=folder / "fullchain.pem")
    port = running.urls()[0].rpartition(":")[2]
    told = httpx.get(f"https://localhost:{port}/", verify=authority, timeout=DEADLINE_S).json()
    assert (told["client"], told["scheme"]) == ("127.0.0.1", "https")


def test_the_configuration_serves_https_and_sends_plain_http_there(pool: Pools, folder: Path) -> None:
    toml = re.sub(r"0.0.0.0:(443|80)", "127.0.0.1:0", PAGE["https.toml"]).replace('user = "www-data"', "")
    toml = toml.replace("/etc/letsencrypt/live/shop.example", str(folder)).replace("/var/www", str(folder))
    challenges = folder / "acme" / ".well-known" / "acme-challenge"
    challenges.mkdir(parents=True)
    (challenges / "token").write_text("answer")
    running = pool(toml, files={"shop.py": source("served/shop.py"), "redirect.py": PAGE["redirect.py"]})

    authority = ssl.create_default_context(cafile=folder / "fullchain.pem")
    secure, plain = (running.urls(name)[0].rpartition(":")[2] for name in ("shop", "plain"))
    with httpx.Client(verify=authority, timeout=DEADLINE_S) as client:
        assert client.get(f"https://localhost:{secure}/").json()["scheme"] == "https"
        assert client.get(f"http://localhost:{plain}/.well-known/acme-challenge/token").text == "answer"
        answer = client.get(f"http://localhost:{plain}/cart?a=1")
    assert (answer.status_code, answer.headers["location"]) == (301, "https://shop.example/cart?a=1")
