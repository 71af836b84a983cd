"""Exceptions of plugins, which cost one connection in a worker: kept here, to be raised in the test as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, ParamSpec, TypeVar

from corepool.guards import HOOK_ERRORS
from corepool.plugins.freezing import Freezer

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from corepool.ipc.frozen import State
    from corepool.plugins.chain import Chain
    from corepool.spec.connection import Connection

P = ParamSpec("P")
T = TypeVar("T")


class Failures:
    """The exceptions that a test has not seen yet, in their order."""

    def __init__(self) -> None:
        self._errors: list[BaseException] = []

    def add(self, error: BaseException) -> None:
        """Keep an exception."""
        self._errors.append(error)

    def raise_first(self) -> None:
        """Have the test fail, if a plugin has failed.

        :raises BaseException: of a hook, a coroutine, or that `Worker.fail` was called with.
        """
        if self._errors:
            raise self._errors.pop(0)

    def contain(self, call: Callable[[], object]) -> None:
        """Call, and keep the exception."""
        try:
            call()
        except HOOK_ERRORS as error:  # raised in the test
            self.add(error)

    def listen(self, chain: Chain) -> None:
        """Keep the exceptions of hooks of connections; they are raised as ever."""
        for name in ("on_accept", "on_readable", "on_writable", "on_timeout", "on_close", "on_drain", "on_lost"):
            hook = getattr(chain, name)
            if hook is not None:
                setattr(chain, name, self._heard(hook))
        chain.freezer = _HeardFreezer(chain.freezer, self)

    def on_loop_exception(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """Keep the exception of a task or a callback; an exception handler of asyncio."""
        error = context.get("exception")
        if isinstance(error, BaseException):
            self.add(error)
        else:
            loop.default_exception_handler(context)

    def _heard(self, hook: Callable[P, T]) -> Callable[P, T]:
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                return hook(*args, **kwargs)
            except HOOK_ERRORS as error:
                self.add(error)
                raise

        return call


class _HeardFreezer(Freezer):
    """A freezer whose exceptions are kept."""

    def __init__(self, freezer: Freezer, failures: Failures) -> None:
        self.__dict__.update(freezer.__dict__)
        self._failures = failures

    def freeze(self, conn: Connection) -> tuple[State, ...] | None:
        try:
            return super().freeze(conn)
        except HOOK_ERRORS as error:
            self._failures.add(error)
            raise

    def thaw(self, conn: Connection, states: Sequence[State]) -> None:
        try:
            super().thaw(conn, states)
        except HOOK_ERRORS as error:
            self._failures.add(error)
            raise
