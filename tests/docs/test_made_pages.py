"""The reference and the pictures are what the code makes of them now."""

from __future__ import annotations

import pytest

from docs.making.pages import FOLDER, made

MADE = made()


@pytest.mark.parametrize("path", MADE)
def test_what_is_committed_is_what_the_code_makes(path: str) -> None:
    assert (FOLDER / path).read_text() == MADE[path], "python -m docs.making"


def test_nothing_else_lies_there() -> None:
    there = {str(path.relative_to(FOLDER)) for path in (FOLDER / "reference").iterdir()}

    assert there == {path for path in MADE if path.startswith("reference/")}
