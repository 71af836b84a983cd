"""The message of a handoff. Beside the others for its speed: each accept makes two, one in either process."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Self

from corepool.errors import GarbageError
from corepool.ipc.shapes import MAX_FDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corepool.ipc.shapes import SocketIndex


class NewConnections:  # noqa: PLW1641  # changes, and is no key
    """New connections of one bound socket: u8 number of connections, then a u32 crash slot for each if any has one."""

    # Not a dataclass: what `dataclass` makes of a class is not compiled.
    __slots__ = ("connections", "crash_slots", "socket")

    def __init__(self, socket: SocketIndex, connections: int, crash_slots: Sequence[int] = ()) -> None:
        """Make the message for descriptors that are sent with it.

        :param crash_slots: empty, or one for each connection; 0: none.
        """
        self.socket = socket
        self.connections = connections
        self.crash_slots = crash_slots

    def pack(self) -> bytes:
        """Write the number and the slots.

        :raises ValueError: there are too many for one message, or the slots are not as many.
        """
        count, slots = self.connections, self.crash_slots
        if not 1 <= count <= MAX_FDS or (slots and len(slots) != count):
            raise ValueError(f"{count} connections with {len(slots)} crash slots; one message has 1 to {MAX_FDS}")
        return bytes((count,)) + array("I", slots).tobytes() if slots else bytes((count,))

    @classmethod
    def unpack(cls, payload: bytes, socket: SocketIndex) -> Self:
        """Read the number and the slots.

        :raises GarbageError: the payload has another length, or the number is out of range.
        """
        size = len(payload)
        if size == 1 and 1 <= payload[0] <= MAX_FDS:
            return cls(socket, payload[0])
        if size > 1 and 1 <= payload[0] <= MAX_FDS and size == 1 + 4 * payload[0]:
            return cls(socket, payload[0], tuple(array("I", payload[1:])))
        raise GarbageError(f"a handoff with {size} bytes of payload")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NewConnections):
            return NotImplemented
        return (self.socket, self.connections, self.crash_slots) == (
            other.socket,
            other.connections,
            other.crash_slots,
        )

    def __repr__(self) -> str:
        return f"NewConnections({self.socket!r}, {self.connections!r}, {self.crash_slots!r})"
