"""A hook that is not as specified is reported at start, with the expected form."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import corepool
from corepool import hookimpl
from corepool.errors import PluginError
from corepool.plugins.chain import Chain
from corepool.plugins.signatures import expected, hook_names
from corepool.spec import hookspecs


class Protocol:
    @hookimpl
    def on_readable(self, conn: Any) -> None: ...


class Misspelt(Protocol):
    @hookimpl
    def on_acept(self, conn: Any) -> None: ...


class MisspeltByOption(Protocol):
    @hookimpl(specname="on_clsoe")
    def notify_drain(self, conn: Any) -> None: ...


class WrongArgument(Protocol):
    @hookimpl
    def on_close(self, conn: Any, raeson: Any) -> None: ...


class OneTooMany(Protocol):
    @hookimpl
    def on_drain(self, conn: Any, worker: Any) -> None: ...


class Coroutine(Protocol):
    @hookimpl
    async def on_accept(self, conn: Any) -> None: ...


class AsyncGenerator(Protocol):
    @hookimpl
    async def on_accept(self, conn: Any) -> Any:
        yield conn


class Generator(Protocol):
    @hookimpl
    def on_accept(self, conn: Any) -> Any:
        yield conn


class Default(Protocol):
    @hookimpl
    def on_close(self, conn: Any, reason: Any = None) -> None: ...


class Everything(Protocol):
    @hookimpl
    def on_close(self, *values: Any) -> None: ...


class ByName(Protocol):
    @hookimpl
    def on_close(self, conn: Any, **values: Any) -> None: ...


class KeywordOnly(Protocol):
    @hookimpl
    def on_close(self, conn: Any, *, reason: Any) -> None: ...


class Unmarked(Protocol):
    def on_accept(self, conn: Any) -> None: ...


class UnmarkedAgain(Protocol):
    def on_readable(self, conn: Any) -> None: ...


class OutsideStatic(Protocol):
    @hookimpl
    @staticmethod
    def on_drain(conn: Any) -> None: ...


class NotAWrapper(Protocol):
    @hookimpl(wrapper=True)
    def on_accept(self, conn: Any) -> None: ...


CLOSE = "expected def on_close(self, conn: Connection, reason: CloseReason) -> None"


ACCEPT = "expected def on_accept(self, conn: Connection) -> object | None"


WRONG = {
    Misspelt: ["Misspelt.on_acept: no such hook (did you mean 'on_accept'?)", "hooks: on_start, "],
    MisspeltByOption: ["MisspeltByOption.notify_drain: no such hook (did you mean 'on_close'?)"],
    WrongArgument: ["WrongArgument.on_close takes 'raeson' (did you mean 'reason'?)", "passes: conn, reason", CLOSE],
    OneTooMany: ["OneTooMany.on_drain takes 'worker', which this hook does not pass; it passes: conn"],
    Coroutine: ["Coroutine.on_accept is an async def", "plain functions", "StreamProtocol", ACCEPT],
    AsyncGenerator: ["AsyncGenerator.on_accept is an async def", ACCEPT],
    Generator: ["Generator.on_accept yields", "@hookimpl(wrapper=True)", ACCEPT],
    Default: ["Default.on_close has a default for 'reason'", CLOSE],
    Everything: ["Everything.on_close takes *values", CLOSE],
    ByName: ["ByName.on_close takes **values", CLOSE],
    KeywordOnly: ["KeywordOnly.on_close takes 'reason' by its name only", CLOSE],
    Unmarked: ["Unmarked.on_accept is never called: @hookimpl is missing", ACCEPT],
    UnmarkedAgain: ["UnmarkedAgain.on_readable is never called: @hookimpl is missing"],
    OutsideStatic: ["OutsideStatic.on_drain is never called: @hookimpl belongs between it and @staticmethod"],
    NotAWrapper: ["NotAWrapper", "on_accept"],
}


@pytest.mark.parametrize("plugin", WRONG)
@pytest.mark.parametrize("kind", ["protocol", "extension"])
def test_a_hook_that_is_not_as_specified_is_refused_with_the_expected_form(plugin: type, kind: str) -> None:
    with pytest.raises(PluginError) as refused:
        Chain(plugin()) if kind == "protocol" else Chain(Protocol(), [plugin()])

    said = str(refused.value)
    assert [words for words in WRONG[plugin] if words not in said] == []
    assert "\n" not in said


class Fewer(Protocol):
    """All that is allowed: fewer arguments, in another order, static, of a class, wrapping, with one of its own."""

    @hookimpl
    def on_close(self, reason: Any, conn: Any) -> None: ...

    @staticmethod
    @hookimpl
    def on_drain(conn: Any) -> None: ...

    @classmethod
    @hookimpl
    def on_worker_stop(cls) -> None: ...

    @hookimpl(wrapper=True)
    def on_accept(self) -> Any:
        return (yield)

    @hookimpl
    def on_timeout(self, conn: Any, log: Any = print) -> None: ...

    on_signal = None


def test_what_pluggy_allows_is_allowed() -> None:
    chain = Chain(Fewer(), [Fewer()])

    assert chain.on_drain is not None
    assert chain.on_signal is None


def test_a_protocol_without_its_hook_is_refused() -> None:
    class Speechless:
        @hookimpl
        def on_accept(self, conn: Any) -> None: ...

    with pytest.raises(PluginError, match=r"Speechless has no on_readable hook; expected def on_readable\(self, conn"):
        Chain(Speechless())
    with pytest.raises(PluginError, match="has no on_readable hook"):
        Chain(Speechless(), [Protocol()])


def test_an_extension_without_any_hook_is_refused() -> None:
    class Idle: ...

    with pytest.raises(PluginError, match="Idle has no hook at all; hooks: on_start, "):
        Chain(Protocol(), [Idle()])


@pytest.mark.parametrize("hook", hook_names())
def test_every_specification_is_annotated_and_described(hook: str) -> None:
    signature = inspect.signature(getattr(hookspecs, hook))

    assert "<" not in expected(hook)
    assert inspect.Parameter.empty not in {each.annotation for each in signature.parameters.values()}
    assert signature.return_annotation is not inspect.Signature.empty
    assert "Runs in: " in (getattr(hookspecs, hook).__doc__ or "")


def test_every_public_name_is_there() -> None:
    assert [name for name in corepool.__all__ if not hasattr(corepool, name)] == []
