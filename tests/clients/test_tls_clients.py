"""The programs that people use over TLS: curl, openssl, redis-cli, websockets; and sslyze, which judges us."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from certificates import client_context, pair, strict_pair
from http_client import APPLICATIONS, http_toml
from kv_client import kv_toml
from tls_pools import port_of, s_client, tls_url
from websockets.sync.client import connect as connect_websocket

if TYPE_CHECKING:
    from pathlib import Path

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools


def run(*command: object, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - the test's own command
        list(map(str, command)), input=text, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture
def files(pool: Pools, tmp_path: Path) -> PoolProcess:
    """Serve the files of a folder by https."""
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "big").write_bytes(bytes(range(256)) * 4000)
    return pool(http_toml(workers=2, bind=tls_url(tmp_path), root=str(tmp_path / "www")))


def curl(running: PoolProcess, folder: Path, path: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    url = f"https://localhost:{port_of(running)}/{path}"
    return run("curl", "-sS", "--cacert", folder / "ca.pem", *arguments, url)


@pytest.mark.parametrize("version", ["--tls-max 1.2", "--tlsv1.3"])
def test_curl_gets_a_file_and_agrees_on_a_protocol(files: PoolProcess, tmp_path: Path, version: str) -> None:
    got = tmp_path / "got"
    done = curl(files, tmp_path, "big", *version.split(), "-v", "-o", got)

    assert done.returncode == 0, done.stderr
    assert got.read_bytes() == (tmp_path / "www" / "big").read_bytes()
    assert "server accepted h2" in done.stderr


def test_curl_is_told_when_it_forgets_the_s(files: PoolProcess) -> None:
    done = run("curl", "-sS", "-i", f"http://localhost:{port_of(files)}/")

    assert done.stdout.startswith("HTTP/1.1 400 Bad Request"), done
    assert "https://" in done.stdout


def test_curl_shows_its_certificate_to_an_application(pool: Pools, tmp_path: Path) -> None:
    bind = tls_url(tmp_path, client_ca=tmp_path / "ca.pem")
    running = pool(http_toml(bind=bind, target="secured:wsgi", directory=str(APPLICATIONS)))
    certificate, key = pair("ann.example").write(tmp_path, "ann")

    told = json.loads(curl(running, tmp_path, "", "--cert", certificate, "--key", key).stdout)
    assert (told["wsgi.url_scheme"], told["SSL_CLIENT_VERIFY"]) == ("https", "SUCCESS")
    assert told["SSL_CLIENT_SAN_DNS_0"] == "ann.example"
    assert curl(running, tmp_path, "").returncode != 0


@pytest.mark.parametrize(
    ("version", "opens"), [("-tls1", False), ("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)]
)
def test_openssl_speaks_these_versions(files: PoolProcess, tmp_path: Path, version: str, opens: bool) -> None:  # noqa: FBT001
    done = s_client(files, tmp_path, version, "-cipher", "ALL:@SECLEVEL=0", text="GET / HTTP/1.0\r\n\r\n")

    assert (done.returncode == 0) == opens, done
    if opens:
        assert "Verify return code: 0 (ok)" in done.stdout
        assert "Compression: NONE" in done.stdout
        assert "Secure Renegotiation IS" in done.stdout


def test_openssl_can_not_renegotiate(files: PoolProcess, tmp_path: Path) -> None:
    done = s_client(files, tmp_path, "-tls1_2", text="R\n")

    assert "no renegotiation" in done.stderr, done


def test_sslyze_finds_nothing_against_mozillas_intermediate_profile(pool: Pools, tmp_path: Path) -> None:
    bind = tls_url(tmp_path)
    strict_pair().write(tmp_path)
    running = pool(http_toml(workers=2, bind=bind, root=str(tmp_path)))
    arguments = ["--certinfo_ca_file", tmp_path / "ca.pem", "--mozilla_config=intermediate"]
    done = run(sys.executable, "-m", "sslyze", *arguments, f"localhost:{port_of(running)}")

    assert "OK - Compliant" in done.stdout, done.stdout + done.stderr


def test_redis_cli(pool: Pools, tmp_path: Path) -> None:
    bind = tls_url(tmp_path)
    running = pool(kv_toml().replace("tcp://127.0.0.1:0", bind))
    tls = ("--tls", "--cacert", tmp_path / "ca.pem", "--sni", "localhost")
    command = ("redis-cli", "-p", port_of(running), *tls)

    assert run(*command, text="SET a 1\nINCR a\nGET nothing\n").stdout.splitlines()[:2] == ["OK", "2"]
    many = "".join(f"*3\r\n$3\r\nSET\r\n${len(str(n))}\r\n{n}\r\n$1\r\nx\r\n" for n in range(5000))
    assert "errors: 0, replies: 5000" in run(*command, "--pipe", text=many).stdout


def test_websockets(pool: Pools, tmp_path: Path) -> None:
    running = pool(http_toml(bind=tls_url(tmp_path), target="secured:asgi", directory=str(APPLICATIONS)))
    with connect_websocket(f"wss://localhost:{port_of(running)}/", ssl=client_context(), open_timeout=300) as client:
        told = json.loads(client.recv(300))

    assert (told["scheme"], told["tls"]["tls_version"]) == ("wss", 0x0304)
