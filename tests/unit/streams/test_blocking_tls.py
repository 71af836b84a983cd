"""The wait of a thread for TLS."""

from __future__ import annotations

import pytest

from corepool.streams.blocking_tls import Handshake
from corepool.streams.inbox import Inbox


@pytest.mark.parametrize("error", [ValueError("wrong"), SystemExit(3), BaseException("any")], ids=repr)
def test_an_error_of_any_class_is_raised_in_the_thread_that_waits(error: BaseException) -> None:
    def start(_: bytes) -> None:
        raise error

    handshake = Handshake(start)
    handshake.begin(Inbox(1000), 0)

    assert not handshake.is_awaited
    with pytest.raises(type(error)) as raised:
        handshake.end(None)
    assert raised.value is error
