"""`limits` in one process, where the table can't be read: a worker is stopped with its lock."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import pytest

from corepool import Address, SetupError
from corepool.ipc import shared_area
from corepool.ipc.shared_tables import SharedBuckets, SharedSemaphores
from corepool.testing.conversation import Conversations
from corepool_echo import Echo
from corepool_extensions.limits import Limits, LimitsOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.testing.conversation import Conversation

PEER = Address("127.0.0.1", 50_000)


@pytest.fixture
def behind() -> Iterator[Conversations]:
    with Conversations() as conversations:
        yield conversations


def stopped(*_: object) -> NoReturn:
    raise TimeoutError("was it stopped?")


@pytest.mark.parametrize("table", [SharedSemaphores, SharedBuckets])
def test_clients_are_let_in_and_counted_again_later(
    behind: Conversations, table: type, caplog: pytest.LogCaptureFixture
) -> None:
    limits, echo = Limits(LimitsOptions(per_peer=1, rate=0.001, burst=4)), Echo()

    def connect() -> Conversation:
        return behind(echo, extensions=[limits], peer=PEER)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "acquire" if table is SharedSemaphores else "take", stopped)
        client = connect()
        client.send(b"hello")
        assert client.receive() == b"hello"
        assert "limits_not_known" in caplog.text
        client.end()

    kept = connect()
    kept.send(b"hello")
    assert kept.receive() == b"hello"
    assert connect().reason is not None


def test_a_refusal_by_rate_holds_nothing(behind: Conversations) -> None:
    limits, echo = Limits(LimitsOptions(per_peer=1, rate=0.001, burst=1)), Echo()
    behind(echo, extensions=[limits], peer=PEER).end()
    for _ in range(3):
        assert behind(echo, extensions=[limits], peer=PEER).reason is not None
    assert limits._holds == {}  # noqa: SLF001


def test_too_many_tables_are_a_mistake_that_says_what_to_do(behind: Conversations) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared_area, "MAX_TABLE_BYTES", 4096)
        with pytest.raises(SetupError, match=r"no room for .* \(`zone`\), or remember fewer addresses \(`max_peers`\)"):
            behind(Echo(), extensions=[Limits(LimitsOptions(per_peer=1))], peer=PEER)
