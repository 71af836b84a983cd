"""Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.cli.keys import keys_of as rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic import BaseModel

UNITS = """\
Durations are written `"250ms"`, `"30s"`, `"5m"`, `"1h"`, or as seconds; sizes `"512KiB"`, `"64MiB"`, `"2GiB"`, or as
bytes.
"""

MADE = "<!-- Made from the code by `python -m docs.making`: change it there. -->\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def paragraph(docstring: str | None) -> str:
    """Return a docstring's lines without their indentation."""
    lines = (docstring or "").strip().splitlines()
    return "\n".join(line.strip() for line in lines)


def keys_of(model: type[BaseModel]) -> str:
    """Write the table of a model's keys."""
    rows = ((f"`{key}`", *rest) for key, *rest in rows_of(model))
    return table(["key", "value", "default", "meaning"], rows)
