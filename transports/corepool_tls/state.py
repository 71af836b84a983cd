"""The state of a transport: certificates with their keys, and what clients are verified with; and as bytes.

The master makes it of files, and workers take it as bytes: they may not read the files.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import PurePath

from corepool import ServerCertificate


@dataclass(frozen=True, slots=True)
class Material:
    """A certificate with its chain, and its key, as they were read. All but `source` is text of the files, in PEM."""

    source: str
    """The certificate's file."""
    key_source: str
    chain: str = field(repr=False)
    """The key is in it, too, where both are in one file."""
    key: str = field(repr=False)
    password: str | None = field(repr=False)
    """Of the key, if it is encrypted."""

    @property
    def name(self) -> str:
        """The name of the pair in a folder."""
        return PurePath(self.source).stem


@dataclass(frozen=True, slots=True)
class Trust:
    """What the certificates of clients are verified with, in PEM; empty: nothing."""

    authorities: str = ""
    revoked: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """Everything that connections are served with."""

    certificates: tuple[tuple[ServerCertificate, Material], ...]
    """The first is the default."""
    trust: Trust

    def encode(self) -> bytes:
        """Return it as bytes. They hold the keys."""
        pairs = [(asdict(description), asdict(material)) for description, material in self.certificates]
        return json.dumps({"certificates": pairs, "trust": asdict(self.trust)}).encode()

    @classmethod
    def decode(cls, data: bytes) -> State:
        """Return the state that `encode` has made bytes of."""
        found = json.loads(data)
        pairs = tuple(
            (ServerCertificate(**{**description, "names": tuple(description["names"])}), Material(**material))
            for description, material in found["certificates"]
        )
        return cls(pairs, Trust(**found["trust"]))


def refuse_claimed_twice(state: State) -> None:
    """Refuse certificates of which two have the same name.

    :raises ValueError: says which.
    """
    first: dict[str, str] = {}
    for description, _ in state.certificates:
        for name in map(str.lower, description.names):
            before = first.setdefault(name, description.source)
            if before != description.source:
                raise ValueError(f"{description.source}: its name {name} is also in {before}; one of them has to go")
