"""The hook chain: pluggy's semantics at the price of a plain call."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from corepool import CloseReason, hookimpl
from corepool.plugins.chain import Chain

if TYPE_CHECKING:
    from collections.abc import Callable


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


class Meets:
    """Notes by name what it is told of a connection, and may refuse it."""

    def __init__(self, name: str, refusal: Callable[[Any], object] | None = None) -> None:
        self.name = name
        self.refuse = refusal

    @hookimpl
    def on_accept(self, conn: Any) -> None:
        conn.calls.append(self.name)
        if self.refuse is not None:
            self.refuse(conn)

    @hookimpl
    def on_readable(self, conn: Any) -> None: ...

    @hookimpl
    def on_close(self, conn: Any, reason: Any) -> None:
        conn.calls.append(f"{self.name} {reason}")


class Watches:
    @hookimpl
    def on_close(self, conn: Any, reason: Any) -> None:
        conn.calls.append(f"watcher {reason}")


def close(conn: Any) -> None:
    conn.closed = True


def come_and_go(chain: Chain, reason: CloseReason, number: int = 1) -> list[str]:
    its = conn()
    its.id = number
    assert chain.on_accept is not None
    assert chain.on_close is not None
    chain.on_accept(its)
    chain.on_close(its, reason)
    return cast("list[str]", its.calls)


@pytest.mark.parametrize("reason", [CloseReason.CLOSED, CloseReason.ABORTED])
def test_who_never_met_a_refused_connection_is_not_told_of_its_end(reason: CloseReason) -> None:
    chain = Chain(Meets("protocol"), [Watches(), Meets("first"), Meets("second", close), Watches(), Meets("third")])

    assert come_and_go(chain, reason) == ["first", "second", "watcher refused", "first refused", "second refused"]


def test_a_protocol_that_closes_at_once_has_met_the_connection() -> None:
    chain = Chain(Meets("protocol", close), [Meets("first")])

    told = ["first", "protocol", "first closed", "protocol closed"]
    assert come_and_go(chain, CloseReason.CLOSED) == told
    assert come_and_go(Chain(Meets("protocol"), [Meets("first")]), CloseReason.EOF)[2:] == ["first eof", "protocol eof"]


def test_a_refusal_that_broke_keeps_its_reason_and_is_forgotten() -> None:
    def fail(conn: Any) -> None:
        if conn.id == 1:
            raise ValueError

    chain, its = Chain(Meets("protocol"), [Meets("first", fail)]), conn()
    its.id = 1
    assert chain.on_accept is not None
    assert chain.on_close is not None
    with pytest.raises(ValueError):  # noqa: PT011
        chain.on_accept(its)
    chain.on_close(its, CloseReason.ERROR)

    assert its.calls == ["first", "first error"]
    assert come_and_go(chain, CloseReason.EOF, 2)[2:] == ["first eof", "protocol eof"]


def test_wrappers_wrap() -> None:
    assert read(Chain(Protocol(), [Wraps()]), conn()) == ["before", "protocol", "after"]


def test_hooks_that_tell_reach_everyone_although_one_raises() -> None:
    chain, its = Chain(Protocol(), [First()]), conn()
    assert chain.on_close is not None
    with pytest.raises(ValueError):  # noqa: PT011  # for the caller, to be logged
        chain.on_close(its, cast("Any", "eof"))
    assert its.calls == ["first closed eof", "protocol closed"]
