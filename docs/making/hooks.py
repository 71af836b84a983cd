"""The page of the hooks."""

from __future__ import annotations

import re
from inspect import getdoc

from corepool.plugins.signatures import expected, hook_names
from corepool.spec import hookspecs
from docs.making.text import MADE, table

# What a specification says under a heading of its own begins a new paragraph on the page.
_LABEL = re.compile(r"^(Runs in|May|Must not|If it raises|If a protocol|:returns|:param (\w+)):? ?", re.MULTILINE)
_HEAD = f"""\
# Hooks

{MADE}
{getdoc(hookspecs)}

A hook is a method of a plugin's class with `@hookimpl` (`from corepool import hookimpl`) before it; it takes those of
the arguments that it needs. What `conn` and `worker` have: [the interface](../api.md).
"""


def page() -> str:
    """Write the page."""
    names = hook_names()
    rows = [(f"[`{name}`](#{name})", _first_line(name), _where(name), _result(name)) for name in names]
    sections = [f"## {name}\n\n```python\n{expected(name)}\n```\n\n{_told(name)}\n" for name in names]
    return "\n".join([_HEAD, table(["hook", "what for", "runs in", "result"], rows), *sections])


def _doc(name: str) -> str:
    return getdoc(getattr(hookspecs, name)) or ""


def _first_line(name: str) -> str:
    first = _doc(name).partition("\n")[0].rstrip(".").removeprefix("Tell plugins that ")
    return first[:1].upper() + first[1:]


def _where(name: str) -> str:
    found = re.search(r"Runs in: (another )?(\w+( and \w+)?)", _doc(name))
    return found[2] if found else ""


def _result(name: str) -> str:
    options = getattr(getattr(hookspecs, name), f"{hookspecs.PROJECT}_spec")
    return "the first that is not None" if options["firstresult"] else ""


def _told(name: str) -> str:
    return _LABEL.sub(_bold, _doc(name)).replace("\n\n\n", "\n\n")


def _bold(label: re.Match[str]) -> str:
    match label[1]:
        case ":returns":
            return "\n**Returns:** "
        case "If a protocol":
            return f"\n{label[0]}"
        case _ if label[2]:
            return f"\n**`{label[2]}`:** "
    return f"\n**{label[1]}:** "
