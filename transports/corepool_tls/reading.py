"""The files of one listener, read into a state."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from corepool_tls.certificates import describe
from corepool_tls.files import Place, in_folder, read, read_key, read_secret, stamps
from corepool_tls.pem import has_key, leaf_of, lists_of
from corepool_tls.state import Material, State, Trust, refuse_claimed_twice

if TYPE_CHECKING:
    from pathlib import Path

    from corepool import ServerCertificate
    from corepool_tls.files import Stamp
    from corepool_tls.options import TlsOptions


class Found(NamedTuple):
    """The certificates of a listener, before they are read."""

    places: list[Place]
    """The default first."""
    mistakes: dict[str, str]
    """Those in pairs of a folder, by the name of the pair."""


def find(options: TlsOptions) -> Found:
    """Return where the certificates are.

    :raises OSError: the folder can't be read. :raises ValueError: it has no certificate, or not the default.
    """
    if options.certs is None:
        assert options.cert is not None
        return Found([Place(options.cert, options.key or options.cert)], {})
    places, mistakes = in_folder(options.certs)
    if options.default is not None:
        names = [place.name for place in places]
        if options.default not in (*names, *mistakes):
            shown = ", ".join(names[:_NAMES_SHOWN])
            raise ValueError(f"default: {options.certs} has no certificate {options.default!r}; it has {shown}")
        places.sort(key=lambda place: place.name != options.default)
    return Found(places, mistakes)


def stamps_of(options: TlsOptions, found: Found) -> tuple[Stamp, ...]:
    """Return the stamps of all files.

    :raises OSError: one is missing.
    """
    others = [each for each in (options.client_ca, options.crl, options.password_file) if each is not None]
    return tuple(stamps(dict.fromkeys([*(path for place in found.places for path in place), *others])))


def read_state(options: TlsOptions, found: Found, before: State | None) -> tuple[State, list[str]]:
    """Read all files.

    :param before: the state that is served. If a pair of a folder is broken now, that of before stays.
    :returns: the state, and the mistakes in pairs. Without `before` there are none.
    :raises OSError: a file can't be read. :raises ValueError: a file has mistakes.
    """
    password = None
    if options.password_file is not None:
        password = _text(read_secret(options.password_file), options.password_file).partition("\n")[0].rstrip("\r")
    known = {} if before is None else {material: it for it, material in before.certificates}
    pairs: dict[str, tuple[ServerCertificate, Material]] = {}
    mistakes = dict(found.mistakes)
    for place in found.places:
        try:
            material = _read_pair(place, password, options.certs)
            pairs[place.name] = (known.get(material) or describe(material), material)
        except (OSError, ValueError) as error:
            if before is None or options.certs is None:
                raise
            mistakes[place.name] = _spell(error)
    if mistakes and before is None:
        raise ValueError("; ".join(mistakes.values()))
    for it, material in () if before is None else before.certificates:
        if material.name in mistakes:
            pairs[material.name] = (it, material)
    names = sorted(pairs, key=lambda name: (name != options.default, name))
    if not names or options.default not in (None, names[0]):
        raise ValueError("; ".join(mistakes.values()))
    state = State(tuple(pairs[name] for name in names), _read_trust(options))
    refuse_claimed_twice(state)
    return state, list(mistakes.values())


def _read_pair(place: Place, password: str | None, folder: Path | None) -> Material:
    key = _text(read_key(place.key), place.key)
    is_one = place.certificate == place.key
    chain = key if is_one else _text(read(place.certificate), place.certificate)
    if leaf_of(chain) and not has_key(key):
        hint = (_hint_in(folder) if folder is not None else "; key=PATH names its file") if is_one else ""
        raise ValueError(f"{place.key}: no private key in PEM (-----BEGIN PRIVATE KEY-----){hint}")
    return Material(str(place.certificate), str(place.key), chain, key, password)


def _hint_in(folder: Path) -> str:
    chain, key = folder / "fullchain.pem", folder / "privkey.pem"
    if chain.exists() and key.exists():  # certbot's
        return f"; in the place of certs={folder} write cert={chain}&key={key}"
    return "; a folder has NAME.crt and NAME.key, or NAME.pem with both; any other file has to go elsewhere"


def _read_trust(options: TlsOptions) -> Trust:
    authorities = revoked = ""
    if options.client_ca is not None:
        authorities = _text(read(options.client_ca), options.client_ca)
        if not leaf_of(authorities):
            raise ValueError(f"client_ca: no certificates in PEM (-----BEGIN CERTIFICATE-----) in {options.client_ca}")
    if options.crl is not None:
        # Nothing but the lists: OpenSSL would trust the certificates that are in the same file, too.
        revoked = lists_of(_text(read(options.crl), options.crl))
        if not revoked:
            raise ValueError(f"crl: no list of revoked certificates in PEM (-----BEGIN X509 CRL-----) in {options.crl}")
    return Trust(authorities, revoked)


def _text(content: bytes, path: Path) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not in PEM (text that begins with -----BEGIN); DER has to be converted") from None


def _spell(error: OSError | ValueError) -> str:
    return f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.strerror else str(error)


_NAMES_SHOWN = 10
