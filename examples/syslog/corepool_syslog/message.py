"""What a message says: RFC 5424, and RFC 3164 as far as its senders agree on it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PRIORITY = re.compile(r"<(\d{1,3})>")
_HIGHEST_PRIORITY = 191  # facility 23, severity 7

_FIELD = r"(\S{1,255})"
_ELEMENT = r'\[[^\s=\]"]{1,32}(?: [^\s=\]"]{1,32}="(?:[^"\\\]]|\\.)*")*\]'
_RFC5424 = re.compile(rf"1 {_FIELD} {_FIELD} {_FIELD} {_FIELD} {_FIELD} (-|(?:{_ELEMENT})+)(?: (.*))?", re.DOTALL)

_DATE = r"([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)"
_RFC3164 = re.compile(rf"{_DATE} (\S+) ([^\s:\[]+)(?:\[([^\]]*)\])?:? ?(.*)", re.DOTALL)

_BOM = "\ufeff"  # with which RFC 5424 marks UTF-8


class MalformedError(ValueError):
    """It is no syslog message; `str()` says why."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message. What the sender has left out is ""."""

    facility: int
    severity: int
    time: str
    """As the sender has written it: RFC 3164 knows neither year nor zone."""
    host: str
    app: str
    process: str
    kind: str
    structured: str
    text: str


def parse(raw: bytes) -> Message:
    """Read a message in either form.

    :raises MalformedError: it is in neither.
    """
    line = raw.decode(errors="replace")
    priority = _PRIORITY.match(line)
    if priority is None or int(priority[1]) > _HIGHEST_PRIORITY:
        raise MalformedError("it does not begin with a priority from <0> to <191>")
    facility, severity = divmod(int(priority[1]), 8)
    rest = line[priority.end() :]
    if found := _RFC5424.fullmatch(rest):
        *header, text = found.groups(default="")
        time, host, app, process, kind, structured = ("" if field == "-" else field for field in header)
        return Message(facility, severity, time, host, app, process, kind, structured, text.removeprefix(_BOM))
    if found := _RFC3164.fullmatch(rest):
        time, host, app, process, text = found.groups(default="")
        return Message(facility, severity, time, host, app, process, "", "", text)
    raise MalformedError("what follows the priority is neither RFC 5424 nor RFC 3164")
