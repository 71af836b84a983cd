"""A connection as a dispatch strategy sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.master.borrowing import peer_of
from corepool.spec.dispatcher import Incoming

if TYPE_CHECKING:
    from corepool.spec.transport import Transport
    from corepool.spec.types import Address


class Arrived(Incoming):
    """An incoming connection whose address is made only if a strategy asks: it takes 2 us."""

    __slots__ = ("_fd", "_sockaddr", "_transport")

    def __init__(self, listener: str, transport: Transport, sockaddr: object, fd: int) -> None:
        """Prepare.

        :param sockaddr: the peer's address as accept(2) returned it; None: it is to be asked of `fd`.
        """
        self.listener = listener
        self._transport = transport
        self._sockaddr = sockaddr
        self._fd = fd

    @property
    def peer(self) -> Address:  # type: ignore[override]
        """The peer's address."""
        return self._transport.address(peer_of(self._fd) if self._sockaddr is None else self._sockaddr)
