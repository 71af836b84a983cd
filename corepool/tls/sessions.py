"""The session of OpenSSL, with the facts that only the SNI callback of its context learns."""

from __future__ import annotations

import ssl


class Session(ssl.SSLObject):
    """For `SSLContext.sslobject_class` of contexts of ours."""

    sni: str | None = None
    """The name that the client has asked for."""
    certificate: str = ""
    """The certificate that is presented, in PEM, without its chain."""
    is_name_refused: bool = False
    """The handshake fails because no certificate has that name."""


def refused_name_of(session: ssl.SSLObject) -> str:
    """Return the name for which the handshake was refused; "" if it was not."""
    return session.sni or "(none)" if isinstance(session, Session) and session.is_name_refused else ""
