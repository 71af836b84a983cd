"""The tutorial, done as its reader would do it: every file, every command, and what each prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from documents import DOCS

if TYPE_CHECKING:
    from walkthrough import Walkthrough


def test_the_tutorial_does_what_it_says(reader: Walkthrough) -> None:
    reader.follow(DOCS / "tutorial.md")
