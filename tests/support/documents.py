"""The code blocks of the pages of the documentation, for tests that try them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUSE = Path(__file__).parents[2]
DOCS = HOUSE / "docs"
_FILE_AND_COLON = re.compile(r"`([\w./-]+\.(?:py|toml|conf|cfg))`:$")


class Block(NamedTuple):
    """One fenced block of code."""

    language: str
    text: str
    file: str | None
    """Its file's name, if the paragraph before it ends with one and a colon: `shout.py`:, not `corepool.protocols`:"""
    line: int
    """The line at which it begins in the page, counted from 1."""


def pages() -> list[Path]:
    """List the pages that are written by hand."""
    written = [page for page in sorted(DOCS.rglob("*.md")) if page.parent != DOCS / "reference"]
    return [HOUSE / "README.md", HOUSE / "CONTRIBUTING.md", *written]


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page, in order."""
    name: str | None = None
    for token in MarkdownIt("commonmark").parse(page.read_text()):
        if token.type == "inline":
            named = _FILE_AND_COLON.search(token.content)
            name = named[1] if named else None
        elif token.type == "fence":
            language = token.info.split()[0] if token.info else ""
            yield Block(language, token.content, name, (token.map or [0])[0] + 1)
            name = None
