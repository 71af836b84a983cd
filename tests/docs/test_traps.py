"""docs/TRAPS.md names a test for every trap: it has to exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_trap_is_listed_and_its_test_exists() -> None:
    rows = re.findall(r"^\| (\d+) \|.*\| ([^|]+) \|$", (ROOT / "docs" / "TRAPS.md").read_text(), re.MULTILINE)
    sources = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))

    assert [int(number) for number, _ in rows] == list(range(1, 53))
    for number, test in rows:
        name = test.strip("`")
        assert test == "by construction" or re.search(rf"(def {name}\(|^{name} = )", sources, re.MULTILINE), number
