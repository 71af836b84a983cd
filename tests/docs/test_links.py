"""Links between pages that are no part of the site lead somewhere; those of the site are Sphinx's to check."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from documents import HOUSE
from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from pathlib import Path

FOLDERS = ("examples", "deploy", "benchmarks", "tests")
PAGES = [*HOUSE.glob("*.md"), *(page for folder in FOLDERS for page in (HOUSE / folder).rglob("*.md"))]


def links(page: Path) -> list[str]:
    inline = [
        child
        for token in MarkdownIt("commonmark").enable("table").parse(page.read_text())
        for child in token.children or []
    ]
    found = [str(each.attrs.get("href") or each.attrs.get("src") or "") for each in inline]
    return [link for link in found if link and "://" not in link]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(HOUSE)))
def test_links_lead_somewhere(page: Path) -> None:
    assert [link for link in links(page) if not (page.parent / link.partition("#")[0]).exists()] == []
