"""The reference and the pictures are what the code makes of them now."""

from __future__ import annotations

import re

import pytest

from corepool import errors
from docs.making.pages import FOLDER, made

MADE = made()


@pytest.mark.parametrize("path", MADE)
def test_committed_pages_are_those_that_the_code_makes(path: str) -> None:
    assert (FOLDER / path).read_text() == MADE[path], "python -m docs.making"


def test_each_exit_status_has_its_line() -> None:
    statuses = {0, errors.EXIT_RELOAD_FAILED} | {
        kind.exit_status for kind in vars(errors).values() if isinstance(kind, type)
    }

    assert set(re.findall(r"^\| (\d) \|", MADE["reference/commands.md"], re.MULTILINE)) == set(map(str, statuses))


def test_nothing_else_lies_there() -> None:
    there = {str(path.relative_to(FOLDER)) for path in (FOLDER / "reference").iterdir()}

    assert there == {path for path in MADE if path.startswith("reference/")}
