"""Log records with a name and fields: `worker_exited slot=0 pid=412`, or the same as one JSON object.

A catalogue is a module `events` of a room or of a plugin. Each event in it is a function without a body: its name is
the event's name, its parameters are the fields, its docstring is the meaning. The decorator `event` makes it a value
that is called where the event happens: `events.worker_ready(log, slot="0", pid=412)`. So mypy checks each call, and
docs/reference/events.md is made from the same lines.

A record carries the fields as they are (`EventMessage`); the handler that writes the record writes them. So an event
below the level costs its call alone.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Generic, ParamSpec, Protocol

from corepool.guards import HOOK_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

P = ParamSpec("P")

RESERVED = ("time", "level", "process", "logger", "event", "message", "traceback", "stack_info", "suppressed")
"""Keys of a JSON record that belong to the record itself: no field of an event has such a name."""

_BARE = re.compile(r"[^\s\"=\\\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff]+")
"""A value that needs no quotes in a text line."""

_UNESCAPED = re.compile(r"[\x7f-\xa0\u2028\u2029\ud800-\udfff]")
"""Characters that JSON leaves as they are, and a terminal or a reader of lines doesn't."""


class EventLog(Protocol):
    """The destination of an event: a `logging.Logger` or a `RateLimitedLog`."""

    def isEnabledFor(self, level: int, /) -> bool: ...  # noqa: N802  # the name of logging

    def log(self, level: int, msg: object, /, *, exc_info: ExcInfo | None, stacklevel: int) -> None: ...


class Event(Generic[P]):
    """A kind of log record. Made by `event`."""

    __slots__ = ("fields", "level", "meaning", "name")

    def __init__(self, name: str, level: int, fields: tuple[str, ...], meaning: str) -> None:
        """Define a kind of record.

        :param level: as of `logging`.
        :raises ValueError: a field has a name that each record has.
        """
        if reserved := set(fields) & set(RESERVED):
            raise ValueError(f"event {name}: {', '.join(sorted(reserved))}: each record has a key of that name")
        self.name = name
        self.level = level
        self.fields = fields
        self.meaning = meaning

    def __call__(self, log: EventLog, /, *_: P.args, **fields: P.kwargs) -> None:
        """Log a record. A field whose value is None is left out."""
        if log.isEnabledFor(self.level):
            log.log(self.level, EventMessage(self, fields), exc_info=None, stacklevel=2)

    def exception(self, log: EventLog, error: BaseException | None, /, *_: P.args, **fields: P.kwargs) -> None:
        """Log a record with the traceback of an exception; with None, which `sys.exception()` may be, without one."""
        if log.isEnabledFor(self.level):
            log.log(self.level, EventMessage(self, fields), exc_info=_exc_info(error), stacklevel=2)

    def report(self, log: EventLog, failure: str, /, *_: P.args, **fields: P.kwargs) -> None:
        """Log a record of a failure that is text already, such as the traceback of another process.

        One line is the field `reason`, which the event has to have; several are the traceback.
        """
        if log.isEnabledFor(self.level):
            reason, traceback = (None, failure) if "\n" in failure else (failure, None)
            log.log(
                self.level, EventMessage(self, {**fields, "reason": reason}, traceback), exc_info=None, stacklevel=2
            )


def event(level: int) -> Callable[[Callable[P, None]], Event[P]]:
    """Return a decorator that makes an event of a function: its name, its keyword-only parameters, its docstring.

    :param level: as of `logging`.
    """

    def define(function: Callable[P, None]) -> Event[P]:
        code = function.__code__  # inspect.signature takes 20 us for each
        fields = code.co_varnames[: code.co_kwonlyargcount]
        return Event(code.co_name, level, fields, " ".join((function.__doc__ or "").split()))

    return define


class EventMessage:
    """The message of a record: an event and its fields. As text, it is the line that handlers of others write, too."""

    __slots__ = ("_fields", "event", "traceback")

    def __init__(self, kind: Event[...], fields: Mapping[str, object], traceback: str | None = None) -> None:
        self.event = kind
        self.traceback = traceback
        self._fields = fields

    @property
    def fields(self) -> dict[str, object]:
        """The fields that have a value."""
        return {name: value for name, value in self._fields.items() if value is not None}

    def with_field(self, name: str, value: object) -> EventMessage:
        """Return the same message with one field more."""
        return EventMessage(self.event, {**self._fields, name: value}, self.traceback)

    def __str__(self) -> str:
        line = self.event.name
        for name, value in self._fields.items():
            if value is not None:
                line = f"{line} {name}={quoted(value)}"
        return line if self.traceback is None else f"{line}\n{self.traceback}"


def _exc_info(error: BaseException | None) -> ExcInfo | None:
    if error is None:
        return None
    # Not by the attribute: the exception's class may have redefined it.
    traceback: TracebackType | None = BaseException.__dict__["__traceback__"].__get__(error)
    return type(error), error, traceback


def quoted(value: object) -> str:
    """Write a value for a text line: as it is, or as a JSON string if it has white space, quotes, "=" or controls."""
    if value is True or value is False:
        return "true" if value else "false"
    text = " ".join(f"{name}={each}" for name, each in value.items()) if isinstance(value, dict) else as_text(value)
    if _BARE.fullmatch(text):
        return text
    return _UNESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def as_text(value: object) -> str:
    """Return a value as text, whatever its class does; that of an exception without words is its name."""
    try:
        text = str(value)
        if not text and isinstance(value, BaseException):  # TimeoutError()
            text = repr(value)
        return str.__str__(text)  # a plain str, where the class of the result has methods of its own
    except KeyboardInterrupt:  # the operator's, where no loop runs yet
        raise
    except HOOK_ERRORS:
        return f"<{type(value).__name__} that can't be written>"
