"""The contract of a layer, such as TLS: it turns bytes on the wire into the bytes of a protocol, and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class PeerError(ValueError):
    """The peer has broken the rules of a layer, for a reason that is counted."""

    def __init__(self, reason: str, text: str) -> None:
        """Make it.

        :param reason: one of the reasons in `corepool.spec.counters`; any other is counted as "other".
        :param text: for the log.
        """
        super().__init__(text)
        self.reason = reason


class Layer(ABC):
    """A layer of one connection. It does no I/O: corepool reads and writes, and the layer turns bytes into bytes.

    Runs in: worker, in its loop's thread. No method may block. A ValueError from any of them means that the peer has
    broken the rules: its text is logged, and the connection ends with the reason "layer", once the layer's own last
    `output` (an alert) was sent. Any other exception is logged as a mistake of the layer.
    """

    input_bytes: int = 4096
    """Bytes of input that `received` is called with at most. A layer whose output is no longer than its input, as that
    of encryption, may set 65,536 and is called less often. The others keep it small: no more of their output is asked
    for while 64 KiB of plaintext are unread, but all that one call returns is kept.
    """

    opening_timeout: float = 10.0
    """Seconds after which a connection whose layer has not opened is closed."""

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether plaintext may pass: the handshake is over. `on_accept` is called when every layer is open."""

    @abstractmethod
    def received(self, data: bytes) -> bytes:
        """Take bytes from the wire, at most `input_bytes`, and return the bytes for the protocol that they complete.

        :param data: b"" when the peer has ended its side. Called with that once.
        """

    @abstractmethod
    def sent(self, data: bytes) -> bytes:
        """Take bytes of the protocol, at most 256 KiB, and return bytes for the wire. Called once it is open."""

    def output(self) -> bytes:
        """Return the layer's own bytes for the wire, such as a handshake, once.

        Asked at the beginning, and after each call of another method.
        """
        return b""

    def finish(self) -> None:  # noqa: B027  # few have last words
        """Prepare the layer's last output: the protocol sends nothing more. Called once at most."""

    @property
    def has_ended(self) -> bool:
        """Whether the peer has ended its side within the layer, as TLS's close_notify does."""
        return False

    @property
    def facts(self) -> Mapping[str, object]:
        """Facts about the connection for `conn.facts`, such as the version of TLS.

        Asked when it is open, and again when nothing more comes from the peer.
        """
        return {}
