"""The extension in memory, where bytes count and time stands still; and in a real pool, where it passes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

import pytest
from pydantic import ValidationError

from corepool import Address, Connection, hookimpl
from corepool.testing.extension import ExtensionContract
from corepool.testing.sockets import receive_exactly
from corepool_pace import Pace, PaceOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corepool.testing.conversation import Conversations
    from corepool.testing.pools import Pools

TOML = """
[pool]
workers = 1
[[listener]]
name = "echo"
bind = ["tcp://127.0.0.1:0"]
protocol = "echo"
extensions = ["pace"]
extension_options = { pace = { rate = 100_000, burst = 0 } }
"""
ELSEWHERE = Address("198.51.100.7", 50_000)


class TestContract(ExtensionContract):
    """The rules for every extension: bytes unchanged, the session untouched, no harm done by clients that break off."""

    name = "pace"
    options: ClassVar[Mapping[str, object]] = {"rate": 1_000_000}


class Echo:
    """Something to stand in front of."""

    @hookimpl
    def on_readable(self, conn: Connection) -> None:
        conn.send(conn.recv())


class Once:
    """A protocol that closes when it has read something: no event comes after that."""

    @hookimpl
    def on_readable(self, conn: Connection) -> None:
        conn.recv()
        conn.close()


def test_who_stays_within_the_burst_notices_nothing(connection: Conversations) -> None:
    client = connection(Echo(), extensions=[Pace(PaceOptions(rate=1, burst=10))])

    for _ in range(2):
        client.send(b"hello")
        assert client.receive() == b"hello"


def test_a_client_that_has_sent_too_much_is_read_later(connection: Conversations) -> None:
    client = connection(Echo(), extensions=[Pace(PaceOptions(rate=1, burst=10))])
    client.send(b"much more than ten bytes")
    client.receive()

    client.send(b"and more")

    assert client.receive() == b""
    assert client.conn.paused
    assert client.reason is None


def test_connections_of_one_client_share_its_bucket_and_others_have_theirs(connection: Conversations) -> None:
    protocol, extensions = Echo(), [Pace(PaceOptions(rate=1, burst=10))]
    first, second = (connection(protocol, extensions=extensions) for _ in range(2))
    other = connection(protocol, extensions=extensions, peer=ELSEWHERE)
    first.send(b"much more than ten bytes")
    first.end()

    for client in (second, other):
        client.send(b"hello")

    assert second.receive() == b""
    assert other.receive() == b"hello"


def test_connections_to_a_unix_socket_are_clients_of_their_own(connection: Conversations) -> None:
    protocol, extensions = Echo(), [Pace(PaceOptions(rate=1, burst=10))]
    first, second = (connection(protocol, extensions=extensions, peer=Address("unix")) for _ in range(2))
    first.send(b"much more than ten bytes")

    for client in (first, second):
        client.receive()
        client.send(b"hello")

    assert first.receive() == b""
    assert second.receive() == b"hello"


@pytest.mark.parametrize("protocol", [Echo(), Once()])
def test_hanging_up_pays_no_debt(connection: Conversations, protocol: object) -> None:
    extensions = [Pace(PaceOptions(rate=1, burst=10))]
    debtor = connection(protocol, extensions=extensions)
    debtor.send(b"much more than ten bytes")
    debtor.reset()

    back = connection(protocol, extensions=extensions)
    back.send(b"hello")

    assert back.receive() == b""
    assert back.conn.paused


def test_a_worker_that_leaves_reads_the_input_sent_to_it(connection: Conversations) -> None:
    client = connection(Echo(), extensions=[Pace(PaceOptions(rate=1, burst=0))])
    client.send(b"hello")
    client.receive()
    client.send(b"goodbye")

    client.drain()

    assert client.receive() == b"goodbye"


@pytest.mark.parametrize("wrong", [{}, {"rate": 0}, {"rate": 1, "burst": -1}, {"rate": 1, "max_clients": 0}])
def test_an_option_that_makes_no_sense_is_refused(wrong: Mapping[str, int]) -> None:
    with pytest.raises(ValidationError):
        PaceOptions.model_validate(wrong)


def test_in_a_pool_bytes_take_the_time_that_they_may_and_all_of_them_arrive(pool: Pools) -> None:
    client = pool(TOML).connect()
    began = time.monotonic()

    for _ in range(5):
        client.sendall(b"x" * 10_000)
        assert receive_exactly(client, 10_000) == b"x" * 10_000

    assert time.monotonic() - began >= 0.4  # four times 10,000 bytes had to be made up for, at 100,000 a second
