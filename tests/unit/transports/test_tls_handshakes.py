"""Handshakes with a tls listener, in memory: the choice of a certificate, certificates of clients, resumption, ALPN."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
from certificates import authority_pem, client_context, load, pair, revoked_pem
from handshakes import ENDPOINT, Client, layer_of, made

from corepool import ClientCertificate, PeerError
from corepool_tls import Tls

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pair("localhost", "a.example").write(tmp_path, "a")
    pair("*.b.example", "b.example").write(tmp_path, "b")
    pair("www.b.example").write(tmp_path, "c")
    return tmp_path


@pytest.mark.parametrize(
    ("asked", "presented"),
    [
        ("a.example", "a"),
        ("A.Example", "a"),
        ("b.example", "b"),
        ("x.b.example", "b"),
        ("www.b.example", "c"),
        ("localhost", "a"),
    ],
)
def test_the_certificate_is_chosen_by_the_name_that_is_asked_for(folder: Path, asked: str, presented: str) -> None:
    facts = Client(asked).shake_hands(layer_of(made(certs=folder)))

    assert str(facts["sni"]).lower() == asked.lower()
    assert str(facts["server_certificate"]) in (folder / f"{presented}.crt").read_text()


@pytest.mark.parametrize("name", [b"a\r\nb", b"a\x1b[2J", b"a b", b"*.a"])
def test_a_name_that_no_host_has_is_as_none(folder: Path, name: bytes) -> None:
    server = layer_of(made(certs=folder))
    client = Client("q" * len(name))
    client.context.check_hostname = False
    client.context.verify_mode = ssl.CERT_NONE
    hello = client.hello().replace(b"q" * len(name), name)
    server.received(hello)

    assert server.output()
    assert "sni" not in server.facts


def test_a_name_that_is_not_in_ascii_is_counted_as_unknown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.unraisablehook", lambda _: None)  # Python tells it of the name, before our callback
    client = Client("qqqq")
    hello = client.hello().replace(b"qqqq", b"\xff\xfe\xe9c")

    with pytest.raises(PeerError, match="ASCII") as raised:
        layer_of(made(certs=folder)).received(hello)
    assert raised.value.reason == "unknown_name"


@pytest.mark.parametrize("asked", ["none.example", "x.y.b.example", None])
def test_other_names_get_the_default_or_are_refused(folder: Path, asked: str | None) -> None:
    context = client_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    client = Client(None, context)
    client.name = asked

    facts = client.shake_hands(layer_of(made(certs=folder, default="b")))
    assert str(facts["server_certificate"]) in (folder / "b.crt").read_text()
    assert facts.get("sni") == asked

    refusing = layer_of(made(certs=folder, strict_sni=True))
    with pytest.raises(PeerError, match=asked or "none") as raised:
        client.shake_hands(refusing)
    assert raised.value.reason == "unknown_name"
    assert refusing.output().startswith(b"\x15")  # an alert


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed_with_new_certificates_and_in_new_workers(folder: Path, version: ssl.TLSVersion) -> None:
    tls = made(certs=folder)
    client = Client("a.example")
    client.context.maximum_version = version
    assert client.shake_hands(layer_of(tls))["tls_resumed"] is False
    assert client.shake_hands(layer_of(tls))["tls_resumed"] is True

    pair("a.example", "localhost").write(folder, "a")
    state = tls.refresh(ENDPOINT)
    assert client.shake_hands(layer_of(tls))["tls_resumed"] is True
    assert state is not None
    tls.refreshed(state)
    assert client.shake_hands(layer_of(tls))["tls_resumed"] is True


def test_connections_from_a_refresh_on_have_the_new_certificate(folder: Path) -> None:
    tls = made(certs=folder)
    before = layer_of(tls)
    pair("a.example", "localhost").write(folder, "a")
    tls.refresh(ENDPOINT)

    new = (folder / "a.crt").read_text()
    assert str(Client("a.example").shake_hands(before)["server_certificate"]) not in new
    assert str(Client("a.example").shake_hands(layer_of(tls))["server_certificate"]) in new


@pytest.mark.parametrize(("offered", "chosen"), [(["h2", "http/1.1"], "http/1.1"), (["h2"], None), ([], None)])
def test_a_protocol_is_agreed_on(folder: Path, offered: list[str], chosen: str | None) -> None:
    tls = Tls(Tls.Options.model_validate({"certs": folder}))
    tls.offer(["http/1.1"])
    tls.refresh(ENDPOINT)
    client = Client()
    client.context.set_alpn_protocols(offered)
    facts = client.shake_hands(layer_of(tls))

    assert (client.chosen, facts.get("alpn")) == (chosen, chosen)


def test_the_url_decides_over_the_protocol_what_is_agreed_on(folder: Path) -> None:
    tls = Tls(Tls.Options.model_validate({"certs": folder, "alpn": "kv, echo"}))
    tls.offer(["http/1.1"])
    tls.refresh(ENDPOINT)
    client = Client()
    client.context.set_alpn_protocols(["http/1.1", "echo"])
    client.shake_hands(layer_of(tls))

    assert client.chosen == "echo"


def test_another_offer_at_a_reload_counts(folder: Path) -> None:
    tls = made(certs=folder)
    tls.offer(["http/1.1"])
    assert tls.refresh(ENDPOINT) is not None
    client = Client()
    client.context.set_alpn_protocols(["http/1.1"])
    client.shake_hands(layer_of(tls))

    assert client.chosen == "http/1.1"


@pytest.fixture
def trusted(tmp_path: Path) -> Path:
    path = tmp_path / "authority"
    path.write_text(authority_pem())
    return path


def with_certificate(issued_by: str | None) -> Client:
    client = Client()
    if issued_by:
        load(client.context, pair("ann.example", issued_by=issued_by))
    return client


@pytest.mark.parametrize(
    ("client", "issued_by", "reason"),
    [
        ("required", "ours", None),
        ("required", None, "no_client_certificate"),
        ("required", "another", "unknown_ca"),
        ("optional", "ours", None),
        ("optional", None, None),
        ("optional", "another", "unknown_ca"),
        (None, None, "no_client_certificate"),
    ],
)
def test_clients_are_verified(
    folder: Path, trusted: Path, client: str | None, issued_by: str | None, reason: str | None
) -> None:
    server = layer_of(made(certs=folder, client_ca=trusted, client=client))

    if reason is None:
        certificate = with_certificate(issued_by).shake_hands(server).get("client_certificate")
        assert isinstance(certificate, ClientCertificate) == bool(issued_by)
    else:
        with pytest.raises(PeerError) as raised:
            with_certificate(issued_by).shake_hands(server)
        assert raised.value.reason == reason


def test_a_revoked_certificate_is_refused(folder: Path, trusted: Path, tmp_path: Path) -> None:
    revoked = tmp_path / "revoked"
    revoked.write_bytes(revoked_pem())
    tls = made(certs=folder, client_ca=trusted, crl=revoked)
    assert "client_certificate" in with_certificate("ours").shake_hands(layer_of(tls))

    revoked.write_bytes(revoked_pem(pair("ann.example", issued_by="ours")))
    tls.refresh(ENDPOINT)
    with pytest.raises(PeerError, match="revoked") as raised:
        with_certificate("ours").shake_hands(layer_of(tls))

    assert raised.value.reason == "bad_client_certificate"


@pytest.mark.parametrize("minimum", ["1.2", "1.3"])
def test_old_versions_are_refused(folder: Path, minimum: str) -> None:
    client = Client()
    client.context.maximum_version = ssl.TLSVersion.TLSv1_2
    server = layer_of(made(certs=folder, minimum=minimum))

    if minimum == "1.2":
        assert client.shake_hands(server)["tls"] == "TLSv1.2"
    else:
        with pytest.raises(PeerError) as raised:
            client.shake_hands(server)
        assert raised.value.reason == "version"


def test_ciphers_can_be_changed(folder: Path) -> None:
    client = Client()
    client.context.maximum_version = ssl.TLSVersion.TLSv1_2
    only = "ECDHE-ECDSA-AES256-GCM-SHA384"

    assert client.shake_hands(layer_of(made(certs=folder, ciphers=only)))["cipher"] == only
