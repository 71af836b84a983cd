"""Sessions of a tls listener: no client that is verified is resumed, and the server keeps none of any."""

from __future__ import annotations

import datetime as dt
import ssl
from typing import TYPE_CHECKING

import pytest
from certificates import authority_pem, client_context, load, pair, revoked_pem, unreadable_pair
from handshakes import ENDPOINT, Client, layer_of, made

from corepool import PeerError
from corepool_tls import openssl

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from corepool_tls import Tls

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pair().write(tmp_path, "a")
    (tmp_path / "authority").write_text(authority_pem())
    (tmp_path / "revoked").write_bytes(revoked_pem())
    return tmp_path


def verifying(folder: Path) -> Tls:
    return made(cert=folder / "a.crt", key=folder / "a.key", client_ca=folder / "authority", crl=folder / "revoked")


def of(version: ssl.TLSVersion, *, takes_tickets: bool = True) -> Client:
    context = client_context()
    load(context, pair("ann.example"))
    context.maximum_version = version
    if not takes_tickets:
        context.options |= ssl.OP_NO_TICKET
    return Client(context=context)


def revoke(folder: Path) -> None:
    (folder / "revoked").write_bytes(revoked_pem(pair("ann.example")))


def change_the_authority(folder: Path) -> None:
    (folder / "authority").write_text(authority_pem("another"))
    (folder / "revoked").write_bytes(revoked_pem())


@pytest.mark.parametrize("takes_tickets", [True, False], ids=["tickets", "ids"])
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("change", [revoke, change_the_authority])
def test_a_session_does_not_outlive_the_trust_in_its_client(
    folder: Path, change: Callable[[Path], None], version: ssl.TLSVersion, *, takes_tickets: bool
) -> None:
    tls, client = verifying(folder), of(version, takes_tickets=takes_tickets)
    client.shake_hands(layer_of(tls))
    change(folder)
    tls.refresh(ENDPOINT)

    with pytest.raises(PeerError):
        client.shake_hands(layer_of(tls))


@pytest.mark.parametrize("can_be_told", [True, False], ids=["no cache", "a cache that can't be turned off"])
@pytest.mark.parametrize("takes_tickets", [True, False], ids=["tickets", "ids"])
@pytest.mark.parametrize("version", VERSIONS)
def test_each_connection_of_a_client_is_verified(
    folder: Path, monkeypatch: pytest.MonkeyPatch, version: ssl.TLSVersion, *, takes_tickets: bool, can_be_told: bool
) -> None:
    """So a certificate that has expired since the last one is refused."""
    if not can_be_told:
        monkeypatch.setattr(openssl, "control", lambda *_, **__: None)
    tls, client = verifying(folder), of(version, takes_tickets=takes_tickets)

    assert client.shake_hands(layer_of(tls))["tls_resumed"] is False
    assert client.shake_hands(layer_of(tls))["tls_resumed"] is False


def test_an_expired_certificate_is_refused(folder: Path) -> None:
    context = client_context()
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(1)
    load(context, pair("bob.example", not_before=yesterday - dt.timedelta(1), not_after=yesterday))

    with pytest.raises(PeerError, match="expired"):
        Client(context=context).shake_hands(layer_of(verifying(folder)))


@pytest.mark.parametrize("verifies", [True, False])
def test_sessions_of_clients(folder: Path, *, verifies: bool) -> None:
    tls = verifying(folder) if verifies else made(cert=folder / "a.crt", key=folder / "a.key")
    for _ in range(3):
        layer = layer_of(tls)
        first = layer.session.context
        of(ssl.TLSVersion.TLSv1_2, takes_tickets=False).shake_hands(layer)
        assert first.session_stats()["number"] == layer.session.context.session_stats()["number"] == 0


def test_certificates_of_a_client(folder: Path) -> None:
    context = client_context()
    certificate = pair("ann.example")
    filling = b"".join(pair(f"{number}.example").leaf for number in range(150))
    chain = folder / "chain"
    chain.write_bytes(certificate.key + certificate.leaf + filling)
    context.load_cert_chain(chain)

    with pytest.raises(PeerError, match="excessive message size"):
        Client(context=context).shake_hands(layer_of(verifying(folder)))


def test_a_certificate_that_python_can_not_read_is_refused(folder: Path) -> None:
    context = client_context()
    load(context, unreadable_pair())

    with pytest.raises(PeerError, match="utf-8") as raised:
        Client(context=context).shake_hands(layer_of(verifying(folder)))
    assert raised.value.reason == "bad_client_certificate"
