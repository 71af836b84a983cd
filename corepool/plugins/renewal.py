"""The files of one transport, such as certificates: read again and again in the master, with the newest state.

One object a transport, shared by all descriptions of its socket: a state is known by its number, whatever reload or
roll is under way.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from corepool.guards import HOOK_ERRORS
from corepool.logs.tracebacks import spell_place
from corepool.spec.transport import MAX_STATE_BYTES

if TYPE_CHECKING:
    from corepool.spec.certificates import ServerCertificate
    from corepool.spec.transport import Endpoint, Transport

WARNING_DAYS = 14
"""Days before its end from which on a certificate is warned of: those of Let's Encrypt are renewed 30 days before."""

_DAY_S = 86_400


class Renewal:
    """The files of a transport as they were last read."""

    __slots__ = ("_endpoint", "_refused", "_transport", "certificates", "failure", "number", "state")

    def __init__(self, transport: Transport, endpoint: Endpoint) -> None:
        """Begin; the files were not read yet."""
        self._transport = transport
        self._endpoint = endpoint
        self.number = 0
        """The number of the newest state, with which workers are forked."""
        self.state = b""
        """The newest state, as running workers take it."""
        self.certificates: tuple[ServerCertificate, ...] = ()
        """Those that connections are served with."""
        self.failure = ""
        """The mistakes in the files, or in some of them; empty: there are none."""
        self._refused: Exception | None = None
        """Why the last state of the transport was refused: it serves with that one, and workers do not."""

    def look(self) -> bool:
        """Read the files again, and return whether there is a new state. `failure` may say that some are wrong.

        :raises OSError: a file can't be read. :raises ValueError: a file has mistakes.
        :raises BaseException: whatever a faulty transport raises. After any, the state before is the newest.
        """
        try:
            state = self._transport.refresh(self._endpoint)
            if state is not None:
                self._refused = _mistake_in(state)
            if self._refused is not None:  # then also as long as nothing has changed
                raise self._refused.with_traceback(None)
            certificates, failure = tuple(self._transport.certificates()), "; ".join(self._transport.not_renewed)
        except HOOK_ERRORS as error:
            self.failure = spell(error)
            raise
        self.certificates, self.failure = certificates, failure
        if state is None:
            return False
        self.state = state
        self.number += 1
        return True


def _mistake_in(state: object) -> Exception | None:
    """Return why a state is refused; None: it is not."""
    if not isinstance(state, bytes):
        return TypeError(f"refresh() has returned {type(state).__name__}, and not bytes or None")
    if len(state) > MAX_STATE_BYTES:
        return ValueError(f"{len(state)} bytes of keys and certificates; at most {MAX_STATE_BYTES} are allowed")
    return None


def spell(error: BaseException) -> str:
    """Return an exception of `refresh` in words."""
    if isinstance(error, OSError):
        reason = error.strerror or str(error)
        return f"{error.filename}: {reason}" if error.filename is not None else reason
    if isinstance(error, ValueError):
        return str(error)
    return f"{type(error).__name__}: {error}{spell_place(error)}"


def expiry(certificate: ServerCertificate, now: float) -> str | None:
    """Return a warning of a certificate's end; None: it is valid for some weeks.

    :param now: seconds since the epoch.
    """
    if now < certificate.not_before:
        day = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(certificate.not_before))
        return f"is not valid before {day}"
    days = int(abs(certificate.not_after - now) // _DAY_S)
    spelled = "less than a day" if days == 0 else "1 day" if days == 1 else f"{days} days"
    if now >= certificate.not_after:
        return f"has expired {spelled} ago"
    return f"expires in {spelled}" if days < WARNING_DAYS else None


def is_valid(certificate: ServerCertificate, now: float) -> bool:
    """Return whether clients take a certificate at a time in seconds since the epoch, as far as that matters."""
    return certificate.not_before <= now < certificate.not_after


def named(certificate: ServerCertificate) -> str:
    """Return a certificate's file and names, for people."""
    return f"{certificate.source} ({', '.join(certificate.names[:3]) or 'no names'})"
