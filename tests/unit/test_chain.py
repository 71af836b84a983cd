"""The hook chain: pluggy's semantics at the price of a plain call."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from corepool import hookimpl
from corepool.chain import Chain
from corepool.errors import PluginError


def conn() -> Any:
    return cast("Any", SimpleNamespace(closed=False, calls=[]))


class Protocol:
    @hookimpl
    def on_readable(self, conn: Any) -> None:
        conn.calls.append("protocol")

    @hookimpl
    def on_close(self, conn: Any) -> None:  # fewer arguments than specified
        conn.calls.append("protocol closed")


class First:
    @hookimpl
    def on_readable(self, conn: Any) -> None:
        conn.calls.append("first")

    @hookimpl
    def on_close(self, conn: Any, reason: Any) -> None:
        conn.calls.append(f"first closed {reason}")
        raise ValueError


class Handles:
    @hookimpl
    def on_readable(self, conn: Any) -> str:
        conn.calls.append("handles")
        return "handled"


class Closes:
    @hookimpl
    def on_readable(self, conn: Any) -> None:
        conn.closed = True


class Wraps:
    @hookimpl(wrapper=True)
    def on_readable(self, conn: Any) -> Any:
        conn.calls.append("before")
        result = yield
        conn.calls.append("after")
        return result


def read(chain: Chain, its: Any) -> list[str]:
    assert chain.on_readable is not None
    chain.on_readable(its)
    return cast("list[str]", its.calls)


def test_a_single_implementation_is_called_directly() -> None:
    protocol = Protocol()
    assert Chain(protocol).on_readable == protocol.on_readable
    assert Chain(protocol).on_accept is None


def test_extensions_come_in_order_and_then_the_protocol() -> None:
    assert read(Chain(Protocol(), [First(), Handles()]), conn()) == ["first", "handles"]
    assert read(Chain(Protocol(), [First()]), conn()) == ["first", "protocol"]


def test_a_connection_that_an_extension_closed_goes_no_further() -> None:
    assert read(Chain(Protocol(), [Closes(), First()]), conn()) == []


def test_wrappers_wrap() -> None:
    assert read(Chain(Protocol(), [Wraps()]), conn()) == ["before", "protocol", "after"]


def test_hooks_that_tell_reach_everyone_although_one_raises() -> None:
    chain, its = Chain(Protocol(), [First()]), conn()
    assert chain.on_close is not None
    with pytest.raises(ValueError):  # noqa: PT011  # for whoever called, to be logged
        chain.on_close(its, cast("Any", "eof"))
    assert its.calls == ["first closed eof", "protocol closed"]


def test_a_misspelt_hook_is_refused_with_a_suggestion() -> None:
    class Misspelt:
        @hookimpl
        def on_readible(self, conn: Any) -> None: ...

    with pytest.raises(PluginError, match="did you mean 'on_readable'"):
        Chain(Misspelt())


def test_a_wrong_argument_is_refused_with_the_expected_signature() -> None:
    class Wrong:
        @hookimpl
        def on_readable(self, connection: Any) -> None: ...

    with pytest.raises(PluginError, match=r"expected def on_readable\(conn"):
        Chain(Wrong())


def test_a_protocol_that_forgot_the_marker_is_refused() -> None:
    class Forgot:
        def on_readable(self, conn: Any) -> None: ...

    with pytest.raises(PluginError, match="is @hookimpl missing"):
        Chain(Forgot())
