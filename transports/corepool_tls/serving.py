"""The contexts that new connections are served with, and the choice between them by the client's SNI."""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING, NamedTuple

from corepool.tls.sessions import Session
from corepool_tls.contexts import keep_no_sessions, load_chain, load_trust, make_context, verifies_clients
from corepool_tls.pem import leaf_of

if TYPE_CHECKING:
    from corepool_tls.contexts import Profile
    from corepool_tls.state import Material, State, Trust


_HOST_NAME = re.compile(r"[A-Za-z0-9._-]{1,255}")


class Presented(NamedTuple):
    """A certificate that may be presented."""

    context: ssl.SSLContext
    pem: str
    """Without its chain."""
    made_of: tuple[Material, Trust, Profile]


class Served:
    """All certificates of a bound socket. It never changes: another set is another object."""

    def __init__(self, state: State, profile: Profile, *, is_strict: bool, before: Served | None = None) -> None:
        """Make the contexts.

        :param is_strict: clients that ask for another name, or for none, are refused.
        :param before: the set before, whose contexts are taken over where their files have not changed.
        :raises ValueError: a certificate can't be used.
        """
        known = {} if before is None else {each.made_of: each for each in before.all}
        self._is_strict = is_strict
        self.profile = profile
        self.all: list[Presented] = []
        """The first is the default."""
        self._by_name: dict[str, Presented] = {}
        self._by_parent: dict[str, Presented] = {}
        for description, material in state.certificates:
            its = (material, state.trust, profile)
            presented = known.get(its) or _present(its)
            self.all.append(presented)
            for name in map(str.lower, description.names):
                if name.startswith("*."):
                    self._by_parent[name[2:]] = presented
                else:
                    self._by_name[name] = presented

    def choose(self, name: str | None) -> Presented | None:
        """Return the certificate for a name that a client has asked for; None: it is refused.

        A wildcard stands for one label (RFC 6125, 6.4.3), and gives way to the name itself.
        """
        if name is not None:
            name = name.lower().rstrip(".")
            found = self._by_name.get(name) or self._by_parent.get(name.partition(".")[2])
            if found is not None:
                return found
        return None if self._is_strict else self.all[0]


class ServerSession(Session):
    """The session of a connection that begins: it has no certificate yet."""

    served: Served


def _present(its: tuple[Material, Trust, Profile]) -> Presented:
    material, trust, profile = its
    context = make_context(profile)
    load_chain(context, material)
    load_trust(context, trust)
    return Presented(context, leaf_of(material.chain), its)


class FirstContext:
    """The context that connections begin with, whose keys and cache decide which sessions are resumed."""

    def __init__(self, profile: Profile) -> None:
        """Make the one for all connections."""
        self._profile = profile
        self._context, keeps_none = _first_of(profile)
        self._is_shared = keeps_none or not verifies_clients(profile)

    def take(self) -> ssl.SSLContext:
        """Return the context for a new connection: the one, unless sessions in its cache would be resumed unverified.

        Where OpenSSL's cache can't be turned off, each connection that verifies its client has a context of its own,
        which takes half a millisecond.
        """
        return self._context if self._is_shared else _first_of(self._profile)[0]


def _first_of(profile: Profile) -> tuple[ssl.SSLContext, bool]:
    context = make_context(profile)
    context.sslobject_class = ServerSession
    context.sni_callback = _on_name
    return context, keep_no_sessions(context)


def _on_name(session: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
    """Choose the certificate. OpenSSL calls it in each handshake, also for a client that has named no server."""
    assert isinstance(session, ServerSession)
    if name is not None and not _HOST_NAME.fullmatch(name):  # any other bytes, such as those that end lines of a log
        name = None
    session.sni = name
    found = session.served.choose(name)
    if found is None:
        session.is_name_refused = True
        return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    session.certificate = found.pem
    session.context = found.context
    return None
