"""Applications learn of TLS: in WSGI as mod_ssl names it, in ASGI by its extension. A transport has the facts here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from http_client import APPLICATIONS, http_toml, parse, request
from sources import metadata, source

from corepool import ClientCertificate
from corepool.testing.sockets import connect, receive_all
from corepool.testing.waiting import wait_until
from corepool_http.apps.tls import spell_name

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

PLAIN, ANONYMOUS, KNOWN = range(3)
FILES = {
    "told.py": source("plugins/told.py"),
    **metadata("told", "[corepool.transports]\ntold = told:Told\nanonymous = told:Anonymous\n"),
}
FORGED = ("HTTPS: on", "SSL-CLIENT-VERIFY: SUCCESS", "SSL_CLIENT_VERIFY: SUCCESS", "X-Forwarded-Proto: https")


@pytest.fixture
def start(pool: Pools) -> Any:
    def start(target: str, **options: object) -> PoolProcess:
        toml = http_toml(target=target, directory=str(APPLICATIONS), **options)
        bind = '"tcp://127.0.0.1:0", "anonymous://127.0.0.1:0", "told://127.0.0.1:0"'
        return pool(toml.replace('"tcp://127.0.0.1:0"', bind, 1), files=FILES)

    return start


def ask(running: PoolProcess, which: int, *headers: str) -> dict[str, Any]:
    """Return what the application of one of the three addresses tells."""
    with connect(running.urls()[which]) as client:
        client.sendall(request("/", *headers))
        [response] = parse(receive_all(client), ["GET"])
    return dict(json.loads(response.body))


@pytest.mark.parametrize("threads", [0, 2])
def test_wsgi_has_the_variables_of_mod_ssl(start: Any, threads: int) -> None:
    running = start("secured:wsgi", threads=threads)

    told = ask(running, KNOWN)

    assert told["wsgi.url_scheme"] == "https"
    assert told["HTTPS"] == "on"
    assert (told["SSL_PROTOCOL"], told["SSL_CIPHER"]) == ("TLSv1.3", "TLS_AES_128_GCM_SHA256")
    assert told["SSL_SESSION_RESUMED"] == "Initial"
    assert (told["SSL_CIPHER_USEKEYSIZE"], told["SSL_TLS_SNI"]) == ("128", "shop.example")
    assert (told["SSL_CLIENT_VERIFY"], told["SSL_CLIENT_M_SERIAL"]) == ("SUCCESS", "0A1B")
    name = r"emailAddress=ann@shop.example,CN=Ann,OU=North,OU=Sales,O=Fröhlich\, Ltd,C=DE"
    assert told["SSL_CLIENT_S_DN"].encode("latin-1").decode() == name
    assert told["SSL_CLIENT_I_DN"] == "CN=Our CA"
    assert told["SSL_CLIENT_I_DN_CN"] == "Our CA"
    assert (told["SSL_CLIENT_S_DN_CN"], told["SSL_CLIENT_S_DN_Email"]) == ("Ann", "ann@shop.example")
    assert told["SSL_CLIENT_S_DN_O"].encode("latin-1").decode() == "Fröhlich, Ltd"
    assert [told[f"SSL_CLIENT_S_DN_OU{place}"] for place in ("", "_0", "_1")] == ["Sales", "Sales", "North"]
    assert (told["SSL_CLIENT_V_START"], told["SSL_CLIENT_V_END"]) == (
        "Jun  1 12:00:00 2026 GMT",
        "Jan  1 00:00:00 2100 GMT",
    )
    assert int(told["SSL_CLIENT_V_REMAIN"]) > 365
    assert (told["SSL_CLIENT_SAN_DNS_0"], told["SSL_CLIENT_SAN_DNS_1"]) == ("ann.example", "b.example")
    assert told["SSL_CLIENT_SAN_Email_0"] == "ann@shop.example"
    assert told["SSL_CLIENT_CERT"].startswith("-----BEGIN CERTIFICATE-----\n")
    assert told["SSL_CLIENT_CERT_CHAIN_0"] != told["SSL_CLIENT_CERT"]


@pytest.mark.parametrize("threads", [0, 2])
def test_no_variable_is_another_clients_and_no_header_makes_one(start: Any, threads: int) -> None:
    running = start("secured:wsgi", threads=threads)
    for _ in range(3):  # requests with the same bytes share the environ that was made
        assert ask(running, KNOWN, *FORGED)["SSL_CLIENT_S_DN_CN"] == "Ann"

        anonymous = ask(running, ANONYMOUS, *FORGED)
        assert anonymous["SSL_CLIENT_VERIFY"] == "NONE"
        assert not any("_S_DN" in name for name in anonymous)

        plain = ask(running, PLAIN, *FORGED)
        assert plain.pop("REMOTE_ADDR") == "127.0.0.1"
        assert plain == {"wsgi.url_scheme": "http", "HTTP_SSL_CLIENT_VERIFY": "SUCCESS"}


@pytest.mark.parametrize("which", [PLAIN, ANONYMOUS, KNOWN])
@pytest.mark.parametrize("proto", ["http", "https"])
def test_the_word_of_a_trusted_proxy_counts_and_its_certificate_is_not_the_clients(
    start: Any, which: int, proto: str
) -> None:
    running = start("secured:wsgi", trusted_proxies=["127.0.0.1"])

    told = ask(running, which, "X-Forwarded-For: 203.0.113.7", f"X-Forwarded-Proto: {proto}")

    https = {"HTTPS": "on"} if proto == "https" else {}
    assert told == {"wsgi.url_scheme": proto, "REMOTE_ADDR": "203.0.113.7", **https}


def test_a_trusted_proxy_that_does_not_say_how_it_was_asked_leaves_the_scheme_of_its_connection(start: Any) -> None:
    running = start("secured:wsgi", trusted_proxies=["127.0.0.1"])

    assert ask(running, KNOWN, "X-Forwarded-For: 203.0.113.7") == {
        "wsgi.url_scheme": "https",
        "HTTPS": "on",
        "REMOTE_ADDR": "203.0.113.7",
    }


def test_asgi_has_the_tls_extension(start: Any) -> None:
    running = start("secured:asgi")
    for _ in range(2):
        told = ask(running, KNOWN)
        chain = told["tls"].pop("client_cert_chain")
        assert told == {
            "scheme": "https",
            "tls": {
                "server_cert": "-----BEGIN CERTIFICATE-----\nours\n",
                "client_cert_name": r"emailAddress=ann@shop.example,CN=Ann,OU=North,OU=Sales,O=Fröhlich\, Ltd,C=DE",
                "client_cert_error": None,
                "tls_version": 0x0304,
                "cipher_suite": 0x1301,
            },
        }
        assert [each.startswith("-----BEGIN CERTIFICATE-----\n") for each in chain] == [True, True]
        assert ask(running, ANONYMOUS)["tls"]["client_cert_chain"] == []
        assert ask(running, PLAIN) == {"scheme": "http", "tls": None}


def test_requests_of_one_connection_each_have_the_extension_as_it_was(start: Any) -> None:
    running = start("secured:asgi")
    with connect(running.urls()[KNOWN]) as client:
        client.sendall(request("/", close=False) + request("/"))
        first, second = parse(receive_all(client), ["GET", "GET"])
    assert json.loads(first.body) == json.loads(second.body)


def test_a_websocket_over_tls_is_wss(start: Any) -> None:
    running = start("secured:asgi")
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    for which, scheme in ((PLAIN, b'"ws"'), (KNOWN, b'"wss"')):
        with connect(running.urls()[which]) as client:
            handshake = request("/", "Upgrade: websocket", key, "Sec-WebSocket-Version: 13", close=False)
            client.sendall(handshake.replace(b"Host: a\r\n", b"Host: a\r\nConnection: Upgrade\r\n"))
            data = b""
            while b'"tls"' not in data:
                data += client.recv(65_536)
        assert scheme in data
        assert (b"tls_version" in data) == (which == KNOWN)


def test_the_access_log_has_the_scheme(start: Any) -> None:
    running = start("secured:wsgi", access_log="%(scheme)s %(m)s", access_log_file="access.log")
    for which in (PLAIN, KNOWN):
        ask(running, which)
    log = running.directory / "access.log"
    wait_until(lambda: sorted(log.read_text().splitlines()) == ["http GET", "https GET"])


@pytest.mark.parametrize(
    ("value", "spelled"),
    [("a b", "a b"), (" a ", r"\ a\ "), ("#1", r"\#1"), ("a\nb", r"a\0Ab"), ("a=b;c", r"a\=b\;c"), ("", "")],
)
def test_a_distinguished_name_is_escaped(value: str, spelled: str) -> None:
    assert spell_name((("commonName", value),)) == f"CN={spelled}"


def test_a_certificate_is_taken_apart() -> None:
    parsed = {
        "subject": ((("countryName", "DE"),), (("commonName", "Ann"), ("emailAddress", "a@b"))),
        "issuer": ((("commonName", "CA"),),),
        "serialNumber": "0A",
        "notBefore": "Jun  1 12:00:00 2026 GMT",
        "notAfter": "Jan  1 00:00:00 2100 GMT",
        "subjectAltName": (("DNS", "a"),),
    }
    made = ClientCertificate.of(parsed, b"der", [b"der", b"ca"])
    assert made.subject == (("countryName", "DE"), ("commonName", "Ann"), ("emailAddress", "a@b"))
    assert (made.issuer, made.serial, made.alternative_names) == ((("commonName", "CA"),), "0A", (("DNS", "a"),))
    assert (made.not_before, made.not_after, made.chain) == (1_780_315_200.0, 4_102_444_800.0, (b"ca",))
