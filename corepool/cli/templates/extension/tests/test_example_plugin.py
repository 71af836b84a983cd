"""The extension by itself, and in a real pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from corepool import CloseReason, Connection, hookimpl
from corepool.testing.extension import ExtensionContract
from pydantic import ValidationError

from example_plugin import ExamplePlugin

if TYPE_CHECKING:
    from corepool.testing.conversation import Conversations


class TestContract(ExtensionContract):
    """The rules for every extension: bytes unchanged, the session untouched, no harm done by clients that break off."""

    name = "example-plugin"


class Echo:
    """Something to stand in front of."""

    @hookimpl
    def on_readable(self, conn: Connection) -> None:
        conn.send(conn.recv())


def test_one_too_many_is_refused_until_another_has_gone(connection: Conversations) -> None:
    protocol = Echo()
    extension = ExamplePlugin(ExamplePlugin.Options(most=1))

    first = connection(protocol, extensions=[extension])
    assert connection(protocol, extensions=[extension]).reason is CloseReason.ABORTED
    first.send(b"hello")
    assert first.receive() == b"hello"
    first.end()

    assert connection(protocol, extensions=[extension]).reason is None


def test_an_option_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValidationError, match="most"):
        ExamplePlugin.Options(most=0)
