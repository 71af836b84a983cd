"""Format strings of access logs, taken apart: which atoms there are, those of gunicorn and of uvicorn among them."""

from __future__ import annotations

import re
from typing import NamedTuple

_ATOM = re.compile(r"%\(([^()]*)\)s|%%|%")

OF_GUNICORN = ("h", "l", "u", "t", "r", "m", "U", "q", "H", "s", "B", "b", "f", "a", "T", "M", "D", "L", "p")
OF_UVICORN = (
    "client_addr",
    "request_line",
    "full_path",
    "method",
    "http_version",
    "status_code",
    "levelprefix",
    "levelname",
    "asctime",
    "process",
)
OUR_OWN = ("time", "worker", "listener", "scheme", "request_id")
NAMES = (*OF_GUNICORN, *OF_UVICORN, *OUR_OWN)


_IN_JSON = re.compile(r"([A-Za-z_][\w.-]*)=(%\([^()]*\)s)", re.ASCII)

JSON = "json"

OF_JSON = (
    "time",
    "client",
    "method",
    "target",
    "version",
    "status",
    "bytes",
    "duration_ms",
    "host",
    "referer",
    "agent",
    "scheme",
    "request_id",
    "listener",
    "worker",
    "pid",
)
"""The fields that each line of JSON has."""


class Named(NamedTuple):
    """An atom. `of`: "i", "o" or "e", of a header of the request or response, in small letters, or of an environ."""

    name: str
    of: str = ""


def asks_for_notes(text: str) -> bool:
    """Return whether a format needs what only the response knows, or the application's environ."""
    parts = split_json(text).values() if is_json(text) else () if text in _READY_MADE else split(text)
    return any(isinstance(part, Named) and part.of in ("o", "e") for part in parts)


def is_json(text: str) -> bool:
    """Return whether lines are JSON."""
    return text.split(" ", maxsplit=1)[0] == JSON


def split_json(text: str) -> dict[str, Named]:
    """Return the atoms of the fields that lines of JSON have besides the usual ones.

    :raises ValueError: it is no `json name=%(atom)s name=%(atom)s`.
    """
    fields: dict[str, Named] = {}
    for word in text.split()[1:]:
        found = _IN_JSON.fullmatch(word)
        if found is None:
            raise ValueError(f"{word!r}: behind json there are fields such as cache=%({{x-cache}}o)s")
        if found[1] in OF_JSON or found[1] in fields:
            raise ValueError(f"{word!r}: a line has a field {found[1]!r} already")
        [named] = [part for part in split(found[2]) if isinstance(part, Named)]
        fields[found[1]] = named
    return fields


_READY_MADE = ("off", "common", "combined")


def judge(text: str) -> None:
    """Accept the name of a format, or a format.

    :raises ValueError: it is neither.
    """
    if is_json(text):
        split_json(text)
    elif text not in _READY_MADE:
        split(text)


def split(text: str) -> list[str | Named]:
    """Take a format apart into texts and atoms.

    :raises ValueError: it has an atom that does not exist, a single %, or no atom at all.
    """
    parts: list[str | Named] = []
    end = 0
    for found in _ATOM.finditer(text):
        parts.append(text[end : found.start()])
        end = found.end()
        if found[1] is not None:
            parts.append(_named(found[1]))
        elif found[0] == "%%":
            parts.append("%")
        else:
            raise ValueError(f"{text[found.start() :][:12]!r}: write %% for a percent sign, and %(h)s for an atom")
    parts.append(text[end:])
    if not any(isinstance(part, Named) for part in parts):
        raise ValueError("a format has atoms such as %(h)s in it")
    if "\n" in text:
        raise ValueError("a format is one line")
    return parts


def _named(name: str) -> Named:
    if name in NAMES:
        return Named(name)
    if name.startswith("{") and name.endswith(("}i", "}o")):
        return Named(name[1:-2].lower(), name[-1])
    if name.startswith("{") and name.endswith("}e"):
        return Named(name[1:-2], "e")
    more = "{header}i of the request, {header}o of the response and {variable}e of the environ"
    raise ValueError(f"%({name})s: there is no such atom; there are {', '.join(NAMES)}, {more}")
