"""The extension `access`: allows and denies clients by address.

Deny wins over allow, whatever the order; where anything is allowed by name, everything else is refused. (In
nginx the order of the lines decides; a table of options has two lists, and no order between them.)

A peer whose address is not known is refused. It can be an attacker's: one that sends and resets at once is
gone from getpeername(2) before the worker asks, and what it has sent could still be read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from corepool import Options, hookimpl
from corepool.spec.networks import Networks, Rule, peer_of
from corepool_extensions.refusals import Refusals

if TYPE_CHECKING:
    from corepool import Connection, Worker


class AccessOptions(Options):
    """[listener.extension_options.access]."""

    allow: Annotated[tuple[Rule, ...], Field(min_length=1)] | None = None
    """Networks whose clients may connect, and "unix"; all others are refused. Unset: no client is."""

    deny: tuple[Rule, ...] = ()
    """Networks whose clients are refused, even those of `allow`."""

    @model_validator(mode="after")
    def _some_rule(self) -> Self:
        if self.allow is None and not self.deny:
            raise ValueError("either `allow` or `deny` is needed")
        return self


class Access:
    """Refuse connections by the address they come from."""

    Options = AccessOptions

    def __init__(self, options: AccessOptions) -> None:
        self._allow = None if options.allow is None else Networks(options.allow)
        self._deny = Networks(options.deny)
        self._refusals: Refusals

    @hookimpl
    def on_worker_start(self, worker: Worker) -> None:
        self._refusals = Refusals("access", worker.loop)

    @hookimpl
    def on_worker_stop(self) -> None:
        self._refusals.close()

    @hookimpl
    def on_accept(self, conn: Connection) -> None:
        address = conn.peer
        peer = peer_of(address)
        if peer is None:
            reason = "unknown"
        elif peer in self._deny:
            reason = "deny"
        elif self._allow is not None and peer not in self._allow:
            reason = "not_allowed"
        else:
            return
        self._refusals.refuse(conn, address, reason)
