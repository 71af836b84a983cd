"""A listener whose store is a Redis server over TLS: the peers that are trusted, the others, and the words for them."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from certificates import authority_pem, pair
from kv_client import Client
from running_redis import running_redis, serve_every_slot

from corepool.testing.pool import PoolProcess
from corepool.testing.sockets import reserved_port
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

LISTENER = """
[[listener]]
name = "{name}"
bind = ["tcp://127.0.0.1:0"]
protocol = "kv"
options = {{ store = "{store}" }}
"""

SERVES = ("trusted", "by a socket's name", "with a certificate", "a cluster")
REFUSED = {
    "the system's authorities": "its certificate is refused: self-signed certificate in certificate chain",
    "another authority": "its certificate is refused: self-signed certificate in certificate chain",
    "another name": "its certificate is refused: Hostname mismatch, certificate is not valid for 'localhost'",
    "without a certificate": "certificate required",
    "a stranger's certificate": "unknown ca",
    "a server without TLS": "over TLS within 5 s",
    "without TLS": "the connection to localhost",
}


def tls_options(folder: Path, port: int, names: tuple[str, ...] = ()) -> list[str]:
    """Write a certificate, and return the options of a redis-server that serves with it."""
    certificate, key = pair(*names).write(folder)
    (folder / "ca.crt").write_text(authority_pem())
    words = {"tls-port": port, "tls-cert-file": certificate, "tls-key-file": key, "tls-ca-cert-file": folder / "ca.crt"}
    return [word for name, value in words.items() for word in (f"--{name}", str(value))]


@pytest.fixture(scope="module")
def running() -> Iterator[PoolProcess]:
    """A pool with a listener for each case, and the servers behind them."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="corepool-")))

        def server(name: str, *options: str, names: tuple[str, ...] = ()) -> int:
            (folder / name).mkdir()
            port = stack.enter_context(reserved_port())
            stack.enter_context(running_redis(folder / name, *tls_options(folder / name, port, names), *options))
            return port

        open_to_all = server("open", "--tls-auth-clients", "no")
        of_another_name = server("named", "--tls-auth-clients", "no", names=("redis.example",))
        closed = server("closed", "--tls-auth-clients", "yes")
        cluster = server("cluster", "--tls-auth-clients", "no", "--tls-cluster", "yes", "--cluster-enabled", "yes")
        plain = stack.enter_context(reserved_port())
        (folder / "plain").mkdir()
        stack.enter_context(running_redis(folder / "plain", "--port", str(plain)))
        ours, other = folder / "open" / "ca.crt", folder / "other.crt"
        other.write_text(authority_pem("theirs"))

        def url(port: int, scheme: str = "rediss", host: str = "localhost", **files: object) -> str:
            return f"{scheme}://{host}:{port}" + (f"?{urlencode(files, safe='/')}" if files else "")

        mine = dict(zip(("cert", "key"), pair("ann").write(folder, "ann"), strict=True))
        strangers = dict(zip(("cert", "key"), pair("eve", issued_by="theirs").write(folder, "eve"), strict=True))
        stores = {
            "trusted": url(open_to_all, ca=ours),
            "by a socket's name": url(open_to_all, host="127.0.0.1", ca=ours),
            "with a certificate": url(closed, ca=ours, **mine),
            "a cluster": url(cluster, "cluster", tls="true", ca=ours),
            "the system's authorities": url(open_to_all),
            "another authority": url(open_to_all, ca=other),
            "another name": url(of_another_name, ca=ours),
            "without a certificate": url(closed, ca=ours),
            "a stranger's certificate": url(closed, ca=ours, **strangers),
            "a server without TLS": url(plain, ca=ours),
            "without TLS": url(open_to_all, "redis"),
        }
        assert set(stores) == {*SERVES, *REFUSED}
        toml = "[pool]\nworkers = 1\n" + "".join(
            LISTENER.format(name=name.translate(str.maketrans(" '", "--")), store=store)
            for name, store in stores.items()
        )
        serve_every_slot(folder / "cluster" / "r.sock")
        pool = stack.enter_context(PoolProcess.run(toml))
        yield pool
        assert "Traceback" not in pool.stderr, pool.stderr


def ask(running: PoolProcess, name: str, *words: object) -> object:
    with running.connect(name.translate(str.maketrans(" '", "--"))) as sock:
        return Client(sock)(*words)


@pytest.mark.parametrize("name", SERVES)
def test_requests_are_forwarded_over_tls(running: PoolProcess, name: str) -> None:
    value = b"x" * 1_000_000  # of many records
    with running.connect(name.translate(str.maketrans(" '", "--"))) as sock:
        client = Client(sock)
        assert client("SET", name, value) == b"OK"
        client.send_all([("GET", name), ("MULTI",), ("STRLEN", name), ("EXEC",), ("BLPOP", "none", "0.01")])
        assert [client.receive() for _ in range(5)] == [value, b"OK", b"QUEUED", [1_000_000], None]


@pytest.mark.parametrize("name", REFUSED)
def test_a_peer_that_is_not_trusted_is_told_in_words(running: PoolProcess, name: str) -> None:
    def told() -> bool:
        # Before the first attempt is over, a reply may say that it has not been made.
        reply = str(ask(running, name, "GET", "a"))
        return reply.startswith("ERR the store has failed: ") and told_reason(reply)

    def told_reason(text: str) -> bool:
        # What TLS has refused is closed or reset, as it comes.
        return REFUSED[name] in text or (name == "without TLS" and "has closed the connection" in text)

    wait_until(told, what=f"{REFUSED[name]!r}; the reply was {ask(running, name, 'GET', 'a')!r}")
    wait_until(lambda: told_reason(running.stderr), what="a line in the log")
