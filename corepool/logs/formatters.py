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


class TextFormatter(logging.Formatter):
    """For people: 2026-01-31T12:00:00.123Z INFO [pid] message. Further lines, such as a traceback's, are indented."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03dZ %(levelname)s [%(process)d] %(message)s", "%Y-%m-%dT%H:%M:%S")

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        return super().format(record).translate(_ESCAPES)


class JsonFormatter(logging.Formatter):
    """For programs: one object, one line, whatever its values are."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        keys: dict[str, object] = {
            "time": f"{moment}.{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "process": record.process,
            "logger": record.name,
        }
        message = record.msg
        traceback = None
        if isinstance(message, EventMessage):
            keys["event"] = message.event.name
            keys |= message.fields
            traceback = message.traceback
        else:
            keys["message"] = record.getMessage()
        if record.exc_info:
            traceback = self.formatException(record.exc_info)
        if traceback is not None:
            keys["traceback"] = traceback
        _add_extra(keys, record.__dict__)
        return "{" + ", ".join(f"{_json(name)}: {_json(value)}" for name, value in keys.items()) + "}"


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
        # Not `allow_nan`: NaN is no JSON, and ends the whole line for its reader.
        return json.dumps(value, allow_nan=False, default=as_text)
    except KeyboardInterrupt:  # the operator's, where no loop runs yet
        raise
    except HOOK_ERRORS:  # too deep, circular, of a class with methods of its own
        return json.dumps(as_text(value))
