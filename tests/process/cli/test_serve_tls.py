"""`corepool serve --certfile`: TLS for every protocol, and mistakes in words."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from certificates import authority_pem, client_context, write_secret
from https import Client, Files, named

from corepool.plugins.listener import over_tls
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Corepool

    from corepool.testing.pools import Pools

APPLICATION = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    return [environ["wsgi.url_scheme"].encode()]
"""


@pytest.mark.parametrize("bind", ["127.0.0.1:0", "tcp://127.0.0.1:0"])
def test_http_is_served_over_tls(pool: Pools, tmp_path: Path, bind: str) -> None:
    files = Files.of(tmp_path)
    flags = ("--certfile", str(files.cert), "--keyfile", str(files.key))
    running = pool.serve("http", "application:app", "-b", bind, *flags, files={"application.py": APPLICATION})

    assert running.urls()[0].startswith("tls://127.0.0.1:")
    with Client(running) as client:
        assert client.get().body == b"https"
    port = running.urls()[0].rpartition(":")[2]
    wait_until(lambda: f"try: curl --insecure https://127.0.0.1:{port}/" in running.stdout)
    tried = subprocess.run(  # noqa: S603
        ["curl", "-sS", "--insecure", f"https://127.0.0.1:{port}/"],  # noqa: S607
        capture_output=True,
        check=True,
    )
    assert tried.stdout == b"https"


def test_one_file_may_have_both_and_a_name_with_any_letters(pool: Pools, tmp_path: Path) -> None:
    both = tmp_path / "a&b c?.pem"
    write_secret(both, named().certificate + named().key)
    running = pool.serve("echo", "-b", "127.0.0.1:0", "--certfile", str(both))
    with Client(running) as client:
        client.socket.sendall(b"hello")
        assert client.socket.recv(5) == b"hello"


def test_kv_is_served_over_tls_to_redis_cli(pool: Pools, tmp_path: Path) -> None:
    files = Files.of(tmp_path)
    (tmp_path / "ca.pem").write_text(authority_pem())
    running = pool.serve("kv", "-b", "127.0.0.1:0", "--certfile", str(files.cert), "--keyfile", str(files.key))
    port = running.urls()[0].rpartition(":")[2]
    command = ["redis-cli", "--tls", "--cacert", str(tmp_path / "ca.pem"), "-h", "localhost", "-p", port]
    for words, answer in ((["set", "a", "1"], "OK\n"), (["incr", "a"], "2\n")):
        done = subprocess.run([*command, *words], capture_output=True, text=True, check=True)  # noqa: S603
        assert done.stdout == answer, done.stderr


def test_admin_is_served_over_tls(pool: Pools, tmp_path: Path) -> None:
    files = Files.of(tmp_path)
    running = pool.serve("admin", "-b", "127.0.0.1:0", "--certfile", str(files.cert), "--keyfile", str(files.key))
    with Client(running, context=client_context()) as client:
        text = client.get("/metrics").body.decode()
    assert 'corepool_certificate_not_after_timestamp_seconds{listener="admin",name="localhost",source=' in text
    assert "corepool_renewal_failed 0.0" in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--keyfile", "k.pem"], "--keyfile: has no meaning without --certfile"),
        (["--certfile", "c.pem", "-b", "unix:/tmp/x.sock"], "--certfile is for addresses such as 8443 and HOST:PORT"),
        (["--certfile", "c.pem", "-b", "tls://:1?cert=a.pem"], "tls://HOST:PORT?cert=PEM&key=PEM"),
        (["--certfile", "c.pem", "-b", "127.0.0.1:0"], "--bind: tls://127.0.0.1:0?cert=c.pem: c.pem: No such file"),
        (["--ssl-certfile", "c.pem"], "--ssl-certfile is a flag of uvicorn; here: --certfile"),
        (
            ["--ca-certs", "c.pem"],
            "--ca-certs is a flag of gunicorn; here: -b 'tls://HOST:PORT?cert=PEM&key=PEM&client_ca",
        ),
    ],
)
def test_mistakes_are_told_in_words(corepool: Corepool, arguments: list[str], says: str) -> None:
    done = corepool("serve", "echo", *arguments)
    assert done.returncode == 2
    assert says in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("example", "with_tls"),
    [
        ("curl http://{host}:{port}/x", "curl --insecure https://{host}:{port}/x"),
        ("nc {host} {port}", "openssl s_client -quiet -connect {host}:{port}"),
        ("printf 'a\\n' | nc -N {host} {port}", "printf 'a\\n' | openssl s_client -quiet -connect {host}:{port}"),
        ("", ""),
    ],
)
def test_an_example_is_one_for_tls(example: str, with_tls: str) -> None:
    assert over_tls(example) == with_tls
