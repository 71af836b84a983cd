"""Two more ways to write a protocol, over the same hooks: a coroutine for each connection, or a thread for each.

Code that a plain protocol spreads over callbacks and states is written here as one line after the other. That costs a
Task, or a thread, for each connection; and these connections can't move to another worker: they drain.

Those in threads are imported when they are used: pydantic comes with their options, and http needs only their threads.
"""

from typing import TYPE_CHECKING

from corepool.streams.asynchronous import StreamProtocol
from corepool.streams.blocking_files import ReadFile, WriteFile
from corepool.streams.blocking_stream import BlockingStream
from corepool.streams.deadline import Deadline
from corepool.streams.errors import DeadlineError, TooLongError
from corepool.streams.stream import Stream
from corepool.streams.threads import Mailbox, Threads

if TYPE_CHECKING:
    from corepool.streams.blocking import BlockingOptions, BlockingProtocol

__all__ = [
    "BlockingOptions",
    "BlockingProtocol",
    "BlockingStream",
    "Deadline",
    "DeadlineError",
    "Mailbox",
    "ReadFile",
    "Stream",
    "StreamProtocol",
    "Threads",
    "TooLongError",
    "WriteFile",
]


def __getattr__(name: str) -> object:
    """Import a name of the protocols in threads (PEP 562)."""
    if name not in ("BlockingOptions", "BlockingProtocol"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from corepool.streams import blocking  # noqa: PLC0415 - see above

    found: object = getattr(blocking, name)
    return found
