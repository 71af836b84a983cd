"""The protocol by itself, and in a real pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from corepool import CloseReason
from corepool.testing.protocol import ProtocolContract
from pydantic import ValidationError

from example_plugin import ExamplePlugin

if TYPE_CHECKING:
    from corepool.testing.conversation import Conversations
    from corepool.testing.pools import Pools


class TestContract(ProtocolContract):
    """The contract: requests in pieces, many at once, clients that break off or never read."""

    serve_arguments = ("example-plugin",)
    request = b"hello\n"
    reply = b"HELLO\n"


def test_a_line_is_answered_when_it_is_complete(connection: Conversations) -> None:
    options = ExamplePlugin.Options(prefix="> ")
    client = connection(ExamplePlugin(options))

    client.send(b"one\ntw")
    assert client.receive() == b"> ONE\n"
    client.send(b"o\n")
    assert client.receive() == b"> TWO\n"


def test_a_line_without_an_end_is_cut_off(connection: Conversations) -> None:
    options = ExamplePlugin.Options(longest_line=10)
    client = connection(ExamplePlugin(options))

    client.send(b"x" * 11)

    assert client.reason is CloseReason.ABORTED


def test_a_line_of_letters_is_recognised_by_its_first_bytes() -> None:
    matches = ExamplePlugin(ExamplePlugin.Options()).matches

    answers = [matches(data) for data in (b"hel", b"hello\n", b"\x16\x03", b"GET / HTTP/1.1\n")]
    assert answers == [None, True, False, False]


def test_half_a_line_goes_to_another_worker_with_its_connection(connection: Conversations) -> None:
    options = ExamplePlugin.Options()
    client = connection(ExamplePlugin(options))
    client.send(b"he")

    moved = connection.move(client, ExamplePlugin(options))
    moved.send(b"llo\n")

    assert moved.receive() == b"HELLO\n"


def test_an_option_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValidationError, match="longest_line"):
        ExamplePlugin.Options(longest_line=0)


def test_its_options_are_read_from_the_configuration(pool: Pools) -> None:
    options = ("-w", "2", "-o", "prefix=> ")
    running = pool.serve("example-plugin", "-b", "tcp://127.0.0.1:0", *options)

    with running.connect() as client:
        client.sendall(b"hello\n")
        assert client.makefile("rb").readline() == b"> HELLO\n"
