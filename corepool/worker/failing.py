"""What a worker that is of no use tells the master, before it leaves or while it boots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.errors import ChannelFullError, CorepoolError, PeerGoneError
from corepool.ipc.messages import Failed
from corepool.logs.tracebacks import spell_traceback

if TYPE_CHECKING:
    from corepool.ipc.channel import Channel


def report_failure(channel: Channel, error: BaseException) -> str:
    """Report to the master why this worker is of no use any more, and return the text."""
    report = str(error) if isinstance(error, CorepoolError) else spell_traceback(error)
    try:
        channel.send(Failed(report))
    except (ChannelFullError, PeerGoneError):
        pass  # its exit status says the rest
    return report
