"""Records as text for people, or as JSON for programs: events with their fields, other records with their message."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING

from corepool.guards import HOOK_ERRORS
from corepool.logs.event import RESERVED, EventMessage, as_text

if TYPE_CHECKING:
    from collections.abc import Mapping

_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(32), 127, *range(128, 160))} | {0x0A: "\n    ", 0x09: "\t"}
"""Control characters as text, and further lines of a record indented.

Bytes of clients get into messages and tracebacks: they must not look like a line of the log, nor control a terminal.
"""

_OF_LOGGING = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
"""Attributes of each record; any other is a key of the application's `extra=`, or of its filters."""

# Not `allow_nan`: NaN is no JSON, and ends the whole line for its reader. Made once: json.dumps takes 2 us to make it.
_encode = json.JSONEncoder(allow_nan=False, default=as_text).encode


class _Formatter(logging.Formatter):
    """Formats each part of a record so that no value in it, whatever its class does, takes the others with it."""

    def __init__(self) -> None:
        super().__init__()
        self._second: tuple[int | None, str] = (None, "")
        """The last second, and as text: strftime takes 2 us, and most records share theirs with the one before."""

    def _moment(self, record: logging.LogRecord) -> str:
        created = int(record.created)
        second, text = self._second
        if created != second:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(created))
            self._second = created, text  # in one, since threads log
        return f"{text}.{int(record.msecs):03d}Z"

    def _message(self, record: logging.LogRecord) -> str:
        try:
            return record.getMessage()
        except KeyboardInterrupt:  # the operator's, where no loop runs yet
            raise
        except HOOK_ERRORS:  # values that don't fit the text, or whose __str__ fails
            return f"{as_text(record.msg)} (its values can't be written)"

    def _traceback(self, record: logging.LogRecord) -> str | None:
        if record.exc_info and not record.exc_text:
            try:
                record.exc_text = self.formatException(record.exc_info)  # kept for other handlers, as by logging
            except KeyboardInterrupt:
                raise
            except HOOK_ERRORS as error:  # an `exc_info=` that has no exception in it
                return f"its traceback can't be written: {as_text(error)}"
        return record.exc_text


class TextFormatter(_Formatter):
    """For people: 2026-01-31T12:00:00.123Z INFO [pid] message. Further lines, such as a traceback's, are indented."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        text = f"{self._moment(record)} {record.levelname} [{record.process}] {self._message(record)}"
        for more in (self._traceback(record), record.stack_info):
            if more:
                text = f"{text}\n{more}"
        return text if text.isprintable() else text.translate(_ESCAPES)


class JsonFormatter(_Formatter):
    """For programs: one object, one line, whatever its values are."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        keys: dict[str, object] = {
            "time": self._moment(record),
            "level": record.levelname.lower(),
            "process": record.process,
            "logger": record.name,
        }
        message = record.msg
        traceback = None
        if isinstance(message, EventMessage):
            keys["event"] = message.event.name
            keys.update(message.fields)
            traceback = message.traceback
        else:
            keys["message"] = self._message(record)
        traceback = self._traceback(record) or traceback
        if traceback:
            keys["traceback"] = traceback
        if record.stack_info:
            keys["stack_info"] = record.stack_info
        if not _OF_LOGGING.issuperset(record.__dict__):
            _add_extra(keys, record.__dict__)
        try:
            return _encode(keys)
        except KeyboardInterrupt:  # the operator's, where no loop runs yet
            raise
        except HOOK_ERRORS:  # of a value: too deep, circular, of a class with methods of its own
            return "{" + ", ".join(f"{_encode(name)}: {_json(value)}" for name, value in keys.items()) + "}"


def _add_extra(keys: dict[str, object], attributes: Mapping[str, object]) -> None:
    """Add the keys of `extra=`; those that the record has itself, or may have, get underscores at their end."""
    for name, value in attributes.items():
        if name in _OF_LOGGING:
            continue
        key = as_text(name)
        while key in keys or key in RESERVED:
            key += "_"
        keys[key] = value


def _json(value: object) -> str:
    """Return a value as JSON; one that JSON doesn't have, as its text."""
    try:
        return _encode(value)
    except KeyboardInterrupt:  # the operator's, where no loop runs yet
        raise
    except HOOK_ERRORS:
        return _encode(as_text(value))
