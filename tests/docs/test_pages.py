"""Pages that show files and commands do what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from documents import DOCS

if TYPE_CHECKING:
    from walkthrough import Walkthrough


@pytest.mark.parametrize("page", ["tutorial.md", "testing.md"])
def test_a_page_does_what_it_says(reader: Walkthrough, page: str) -> None:
    reader.follow(DOCS / page)
