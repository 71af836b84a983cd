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


class Named(NamedTuple):
    """An atom; one of a header of the request has its name in small letters, and `is_header`."""

    name: str
    is_header: bool = False


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
    if name.startswith("{") and name.endswith("}i"):
        return Named(name[1:-2].lower(), is_header=True)
    if name.startswith("{"):
        raise ValueError(f"%({name})s: of headers, those of the request are known, as %({{x-request-id}}i)s")
    raise ValueError(f"%({name})s: there is no such atom; there are {', '.join(NAMES)} and {{header}}i")
