"""The files of a tls listener: found, refused in words, and read again when they have changed."""

from __future__ import annotations

import datetime as dt
import errno
import os
import ssl
from typing import TYPE_CHECKING

import pytest
from certificates import authority_pem, pair, revoked_pem, write_secret
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from corepool import Address, Endpoint
from corepool.tls.layer import TlsLayer
from corepool_tls import Tls
from corepool_tls.serving import Served, ServerSession
from corepool_tls.state import State

if TYPE_CHECKING:
    from pathlib import Path

ENDPOINT = Endpoint.parse("tls://127.0.0.1:0")


def made(**options: object) -> Tls:
    return Tls(Tls.Options.model_validate(options))


def refresh(tls: Tls) -> bytes | None:
    return tls.refresh(ENDPOINT)


def served_by(tls: Tls) -> Served:
    """Return the certificates that a connection which begins now is served with."""
    (layer,) = tls.layers(Address("memory"))
    assert isinstance(layer, TlsLayer)
    assert isinstance(layer.session, ServerSession)
    return layer.session.served


def test_names_and_dates_are_those_of_the_certificate(tmp_path: Path) -> None:
    begin = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    end = dt.datetime(2026, 4, 1, tzinfo=dt.UTC)
    its = pair("example.org", "*.example.org", "192.0.2.1", not_before=begin, not_after=end)
    certificate, key = its.write(tmp_path)
    tls = made(cert=certificate, key=key)
    refresh(tls)

    (found,) = tls.certificates()
    assert found.source == str(certificate)
    assert found.names == ("example.org", "*.example.org", "192.0.2.1")
    assert (found.not_before, found.not_after) == (begin.timestamp(), end.timestamp())


def test_an_expired_certificate_is_read_as_any(tmp_path: Path) -> None:
    past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    certificate, key = pair("old.example", not_before=past, not_after=past + dt.timedelta(1)).write(tmp_path)
    tls = made(cert=certificate, key=key)
    refresh(tls)

    assert tls.certificates()[0].not_after == (past + dt.timedelta(1)).timestamp()


def test_a_certificate_and_its_key_may_be_in_one_file(tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.touch(0o600)
    both.write_bytes(pair().key + pair().certificate)

    assert refresh(made(cert=both))
    assert refresh(made(certs=tmp_path))


def test_only_changed_files_are_read_again(tmp_path: Path) -> None:
    certificate, key = pair("a.example").write(tmp_path)
    tls = made(cert=certificate, key=key)
    assert refresh(tls)
    assert refresh(tls) is None

    pair("b.example").write(tmp_path)

    assert refresh(tls)
    assert tls.certificates()[0].names == ("b.example",)
    assert refresh(tls) is None


def test_a_broken_pair_changes_nothing_and_is_told_each_time(tmp_path: Path) -> None:
    certificate, key = pair("a.example").write(tmp_path)
    tls = made(cert=certificate, key=key)
    refresh(tls)
    before = served_by(tls)
    certificate.write_bytes(pair("b.example").certificate)

    for _ in range(2):
        with pytest.raises(ValueError, match=f"{key}: the key does not fit the certificate in {certificate}"):
            refresh(tls)

    assert tls.certificates()[0].names == ("a.example",)
    assert served_by(tls) is before
    pair("b.example").write(tmp_path)
    assert refresh(tls)


def test_certificates_that_stay_keep_their_contexts(tmp_path: Path) -> None:
    pair("a.example").write(tmp_path, "a")
    tls = made(certs=tmp_path)
    refresh(tls)
    before = served_by(tls)
    pair("b.example").write(tmp_path, "b")
    refresh(tls)

    assert [each is before.all[0] for each in served_by(tls).all] == [True, False]


def test_a_folder_has_a_default(tmp_path: Path) -> None:
    for name in "abc":
        pair(f"{name}.example").write(tmp_path, name)
    first, chosen = made(certs=tmp_path), made(certs=tmp_path, default="b")
    refresh(first)
    refresh(chosen)

    assert [each.names[0][0] for each in first.certificates()] == ["a", "b", "c"]
    assert [each.names[0][0] for each in chosen.certificates()] == ["b", "a", "c"]
    with pytest.raises(ValueError, match=r"no certificate 'd'; it has a, b, c"):
        refresh(made(certs=tmp_path, default="d"))


def test_a_pair_that_breaks_does_not_keep_others_from_being_renewed(tmp_path: Path) -> None:
    for name in "abc":
        pair(f"{name}.example").write(tmp_path, name)
    tls = made(certs=tmp_path, default="b")
    refresh(tls)
    (tmp_path / "b.crt").write_bytes(pair("bb.example").certificate)
    (tmp_path / "c.key").unlink()
    pair("aa.example").write(tmp_path, "a")
    write_secret(tmp_path / "d.key", pair("d.example").key)
    write_secret(tmp_path / "e.pem", b"")
    (tmp_path / "f.crt").symlink_to(tmp_path / "nowhere")

    assert refresh(tls)
    assert [each.names[0] for each in tls.certificates()] == ["b.example", "aa.example", "c.example"]
    told = "\n".join(sorted(tls.not_renewed))
    for words in ("b.key: the key does not fit", "c.crt: no private key", "d.key: there is no d.crt", "e.pem: no cert"):
        assert words in told
    assert "f.crt: No such file" in told
    assert refresh(tls) is None
    assert len(tls.not_renewed) == 5
    with pytest.raises(ValueError, match=r"d\.key: there is no d\.crt|b\.key: the key does not fit"):
        refresh(made(certs=tmp_path))

    for name in "bcd":
        pair(f"{name}{name}.example").write(tmp_path, name)
    (tmp_path / "e.pem").unlink()
    (tmp_path / "f.crt").unlink()
    assert refresh(tls)
    assert [each.names[0] for each in tls.certificates()] == ["bb.example", "aa.example", "cc.example", "dd.example"]
    assert tls.not_renewed == []


def test_a_state_that_is_too_long_is_refused_before_it_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = pair("a.example").write(tmp_path)
    tls = made(cert=certificate, key=key)
    refresh(tls)
    before = served_by(tls)
    pair("b.example").write(tmp_path)
    monkeypatch.setattr("corepool_tls.transport.MAX_STATE_BYTES", 10)

    for _ in range(2):
        with pytest.raises(ValueError, match="bytes of keys and certificates; at most 10 are allowed"):
            refresh(tls)
    assert served_by(tls) is before
    assert tls.certificates()[0].names == ("a.example",)


def test_a_forgotten_key_is_asked_for_and_nothing_said_of_the_mode(tmp_path: Path) -> None:
    certificate, _ = pair().write(tmp_path, "fullchain")
    certificate.chmod(0o644)
    with pytest.raises(ValueError, match=r"fullchain\.crt: no private key in PEM .*; key=PATH names its file"):
        refresh(made(cert=certificate))


def test_a_folder_of_certbot_is_told_from_one_of_pairs(tmp_path: Path) -> None:
    its = pair()
    for name, content in {"cert": its.leaf, "chain": its.leaf, "fullchain": its.certificate}.items():
        (tmp_path / f"{name}.pem").write_bytes(content)
        (tmp_path / f"{name}.pem").chmod(0o644)
    write_secret(tmp_path / "privkey.pem", its.key)
    advice = f"in the place of certs={tmp_path} write cert={tmp_path}/fullchain.pem&key={tmp_path}/privkey.pem"
    with pytest.raises(ValueError, match=r"cert\.pem: no private key") as raised:
        refresh(made(certs=tmp_path))
    assert advice in str(raised.value)


def test_the_certificate_of_an_authority_in_a_folder_of_pairs_is_named(tmp_path: Path) -> None:
    pair().write(tmp_path)
    (tmp_path / "ca.crt").write_text(authority_pem())
    with pytest.raises(ValueError, match=r"ca\.crt: no private key in PEM .*; a folder has NAME\.crt and NAME\.key"):
        refresh(made(certs=tmp_path))


def test_neither_key_nor_password_is_shown(tmp_path: Path) -> None:
    write_secret(tmp_path / "password", b"secret\n")
    both = tmp_path / "both.pem"
    its = pair().encrypted(b"secret")
    write_secret(both, its.key + its.certificate)
    tls = made(cert=both, password_file=tmp_path / "password")
    state = refresh(tls)
    assert state is not None

    shown = repr((served_by(tls).all[0], State.decode(state)))
    assert "both.pem" in shown
    assert "PRIVATE KEY" not in shown
    assert "secret" not in shown


def test_a_lack_of_descriptors_names_the_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    certificate, key = pair().write(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "memfd_create", refuse)
        with pytest.raises(ValueError, match=r"server\.crt: can't be handed to OpenSSL \(Too many open files\)"):
            refresh(made(cert=certificate, key=key))


def _world_readable(folder: Path) -> None:
    (folder / "server.key").chmod(0o644)


def _another_key(folder: Path) -> None:
    (folder / "server.key").write_bytes(pair("another.example").key)


def _without_key(folder: Path) -> None:
    (folder / "server.key").write_bytes(b"nothing\n")


def _without_certificate(folder: Path) -> None:
    (folder / "server.crt").write_bytes(b"nothing\n")


def _binary(folder: Path) -> None:
    (folder / "server.crt").write_bytes(ssl.PEM_cert_to_DER_cert(pair().leaf.decode()))


def _cut_off(folder: Path) -> None:
    whole = pair().leaf
    (folder / "server.crt").write_bytes(whole[:200] + whole[300:])


def _encrypted(folder: Path) -> None:
    (folder / "server.key").write_bytes(pair().encrypted(b"secret").key)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            _world_readable,
            r"server\.key: every user may use it \(mode 0644\), and it is a secret: chmod o= .*server\.key",
        ),
        (_another_key, r"server\.key: the key does not fit the certificate in .*server\.crt"),
        (_without_key, r"server\.key: no private key in PEM"),
        (_without_certificate, r"server\.crt: no certificate in PEM"),
        (_binary, r"server\.crt: not in PEM"),
        (_cut_off, r"server\.crt: OpenSSL can't use this certificate with this key"),
        (_encrypted, r"server\.key: the key is encrypted; password_file=PATH"),
    ],
)
def test_a_mistake_in_a_file_is_named(tmp_path: Path, spoil: object, words: str) -> None:
    certificate, key = pair().write(tmp_path)
    assert callable(spoil)
    spoil(tmp_path)

    with pytest.raises(ValueError, match=words):
        refresh(made(cert=certificate, key=key))


def test_a_key_of_another_kind_is_named(tmp_path: Path) -> None:
    certificate, key = pair().write(tmp_path)
    other = ed25519.Ed25519PrivateKey.generate()
    key.write_bytes(
        other.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )

    with pytest.raises(ValueError, match="the key is of another kind than the certificate"):
        refresh(made(cert=certificate, key=key))


@pytest.mark.parametrize("missing", ["server.crt", "server.key"])
def test_a_file_that_is_missing_is_named(tmp_path: Path, missing: str) -> None:
    certificate, key = pair().write(tmp_path)
    (tmp_path / missing).unlink()

    with pytest.raises(FileNotFoundError) as raised:
        refresh(made(cert=certificate, key=key))

    assert raised.value.filename == str(tmp_path / missing)


def test_a_pipe_in_the_place_of_a_file_does_not_hold_up_the_master(tmp_path: Path) -> None:
    certificate, key = pair().write(tmp_path)
    certificate.unlink()
    os.mkfifo(certificate)

    with pytest.raises(OSError, match="no regular file"):
        refresh(made(cert=certificate, key=key))


def test_an_encrypted_key_takes_a_password_of_a_file(tmp_path: Path) -> None:
    certificate, key = pair().encrypted(b"secret").write(tmp_path)
    password = tmp_path / "password"
    password.touch(0o600)
    password.write_text("secret\n")
    tls = made(cert=certificate, key=key, password_file=password)
    state = refresh(tls)

    assert state is not None
    tls.refreshed(state)
    password.write_text("another\n")
    with pytest.raises(ValueError, match=r"server\.key: the key can't be read; the password may be wrong"):
        refresh(tls)
    password.chmod(0o644)
    with pytest.raises(ValueError, match="password: every user may use it"):
        refresh(tls)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({}, "no certificate; expected NAME.crt and NAME.key"),
        ({"a.key": b""}, "there is no a.crt beside it"),
        ({"a.crt": b"", "a.pem": b""}, "there is a a.pem, too"),
        ({"a.crt": b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"}, "no private key in PEM"),
    ],
)
def test_a_folder_that_does_not_do_is_refused(tmp_path: Path, names: dict[str, bytes], words: str) -> None:
    for name, content in {".hidden": b"", "README": b"", **names}.items():
        (tmp_path / name).touch(0o600)
        (tmp_path / name).write_bytes(content)

    with pytest.raises(ValueError, match=words):
        refresh(made(certs=tmp_path))


def test_a_name_that_two_certificates_claim_is_refused(tmp_path: Path) -> None:
    pair("a.example", "Both.example").write(tmp_path, "a")
    pair("both.example").write(tmp_path, "b")

    with pytest.raises(ValueError, match=r"b\.crt: its name both\.example is also in .*a\.crt"):
        refresh(made(certs=tmp_path))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "expected cert=PEM&key=PEM, or certs=FOLDER"),
        ({"cert": "a", "certs": "b"}, "either cert=PEM or certs=FOLDER, not both"),
        ({"certs": "b", "key": "a"}, "key has no meaning without cert"),
        ({"cert": "a", "default": "a"}, "default has no meaning without certs"),
        ({"cert": "a", "client": "required"}, "client has no meaning without client_ca"),
        ({"cert": "a", "crl": "b"}, "crl has no meaning without client_ca"),
        ({"cert": "a", "minimum": "1.3", "ciphers": "HIGH"}, "ciphers has no meaning with minimum=1.3"),
        ({"cert": "a", "ciphers": "NONSENSE"}, "OpenSSL knows none of 'NONSENSE'"),
        ({"cert": "a", "alpn": "h2,,x"}, "expected names with commas"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        made(**options).check(ENDPOINT)


@pytest.mark.parametrize(("name", "words"), [("client_ca", "client_ca: no certificates"), ("crl", "crl: no list")])
@pytest.mark.parametrize("content", ["", "nothing", pair().key.decode()])
def test_files_of_authorities_have_to_be_in_pem(tmp_path: Path, name: str, words: str, content: str) -> None:
    certificate, key = pair().write(tmp_path)
    authority, broken = tmp_path / "ca.pem", tmp_path / "broken.pem"
    authority.write_text(authority_pem())
    broken.write_text(content)

    with pytest.raises(ValueError, match=words):
        refresh(made(**{"cert": certificate, "key": key, "client_ca": authority, name: broken}))


def test_a_list_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    certificate, key = pair().write(tmp_path)
    authority, lists = tmp_path / "ca.pem", tmp_path / "crl.pem"
    authority.write_text(authority_pem())
    lists.write_bytes(revoked_pem() + revoked_pem()[:-30])

    with pytest.raises(ValueError, match="crl: no list"):
        refresh(made(cert=certificate, key=key, client_ca=authority, crl=lists))


def test_a_certificate_in_the_file_of_lists_is_no_authority(tmp_path: Path) -> None:
    certificate, key = pair().write(tmp_path)
    authority, lists = tmp_path / "ca.pem", tmp_path / "crl.pem"
    authority.write_text(authority_pem())
    lists.write_bytes(authority_pem("another").encode() + revoked_pem())
    tls = made(cert=certificate, key=key, client_ca=authority, crl=lists)
    refresh(tls)

    assert served_by(tls).all[0].context.cert_store_stats() == {"x509": 1, "crl": 1, "x509_ca": 1}
