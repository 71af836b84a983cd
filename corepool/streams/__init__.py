"""Two more ways to write a protocol, over the same hooks: a coroutine for each connection, or a thread for each.

What stands in the callbacks of a plain protocol as states stands here as lines that follow each other. That costs: a
Task, or a thread, for each connection, and neither can move to another worker; they drain.
"""

from corepool.streams.asynchronous import Deadline, Stream, StreamProtocol
from corepool.streams.blocking import BlockingOptions, BlockingProtocol
from corepool.streams.blocking_stream import BlockingStream, ReadFile, WriteFile
from corepool.streams.errors import DeadlineError, TooLongError
from corepool.streams.threads import Mailbox, Threads

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
