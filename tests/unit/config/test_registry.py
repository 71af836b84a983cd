"""What a class has to say before it is taken."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

import pytest

from corepool.errors import PluginError
from corepool.plugins.registry import Registry
from corepool_tcp import Tcp

if TYPE_CHECKING:
    import socket


class Silent(Tcp):
    def wrap(self, sock: socket.socket) -> socket.socket:
        return sock


class Honest(Silent):
    wraps = True


class Boastful(Tcp):
    wraps = True


@pytest.mark.parametrize(
    ("transport", "words"),
    [
        (Silent, "overrides `wrap` but has wraps = False; say wraps = True if"),
        (Boastful, "has wraps = True but no `wrap` of its own"),
        (Honest, None),
        (Tcp, None),
    ],
)
def test_a_transport_says_whether_its_streams_keep_something(
    transport: type, words: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If not, its connections could neither move nor outlive a crash, without any message."""
    monkeypatch.setitem(sys.modules, "acme", sys.modules[transport.__module__])
    registry = Registry([EntryPoint("it", f"acme:{transport.__name__}", "corepool.transports")])
    if words is None:
        assert registry.load("transports", "it") is transport
    else:
        with pytest.raises(PluginError, match=words):
            registry.load("transports", "it")
