"""Docstrings, comments and pages are plain English: a few patterns, counted per room. The counts only ever shrink."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from documents import HOUSE
from prose import passages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from prose import Passage

ROOMS = ("corepool", "plugins", "transports", "docs", "benchmarks", "deploy", "examples", "tests")
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")


@dataclass(frozen=True)
class Habit:
    """A way of writing that is not wanted. `allowed`: how many a room still has; a room that is not named has none."""

    pattern: str
    reason: str
    allowed: dict[str, int] = field(default_factory=dict)
    begins_docstrings: bool = False

    def places(self, passage: Passage) -> Iterator[int]:
        if not self.begins_docstrings:
            yield from (match.start() for match in re.finditer(self.pattern, passage.text, re.IGNORECASE))
        elif passage.is_docstring and re.match(self.pattern, passage.text):
            yield 0


HABITS = {
    "relatives": Habit(
        r"\bwhat\s+(?:is|are|was|were|has|had)\b"
        r"|\bwho\s+(?:is|are|was|were|has|have|had)\b"
        r"|\b(?:that|which|what|than)\s+there\s+(?:is|are|was|were)\b",
        "a clause in the place of a noun: write 'buffered output' for 'what is buffered', 'no such slot' for 'a slot"
        " that there is not'",
        {"corepool": 1, "examples": 2},
    ),
    "persons": Habit(
        r"\b(?:nobody|somebody|whoever|anybody|everybody)\b",
        "an actor without a role: name the client, the master, the caller, or use the passive",
        {},
    ),
    "Give, Tell, Say": Habit(
        r"\s*(?:Gives?|Tells?|Says?)\b",
        "a docstring begins with what a function does for its caller: Return, Yield, Report, Log, Send",
        {},
        begins_docstrings=True,
    ),
    "metaphors": Habit(
        r"\b(?:berths?|heirs?|deadman|mourn\w*|goodbyes?|farewells?|complaints?|tall(?:y|ies))\b",
        "a word of our own: the glossary in docs/ARCHITECTURE.md has the term",
        {},
    ),
}


def written() -> list[Path]:
    found = [path for room in ROOMS for path in (HOUSE / room).rglob("*") if path.suffix in {".py", ".md"}]
    return [*sorted(found), *(HOUSE / page for page in PAGES)]


def room_of(path: Path) -> str:
    return "pages" if path.parent == HOUSE else path.relative_to(HOUSE).parts[0]


def findings(habit: Habit, prose: list[Passage]) -> dict[str, list[str]]:
    """List, for each room, file:line and sentence of everything that the pattern matches."""
    found: dict[str, list[str]] = {}
    for passage in prose:
        for place in habit.places(passage):
            where = f"{passage.path.relative_to(HOUSE)}:{passage.line_at(place)}"
            found.setdefault(room_of(passage.path), []).append(f"{where}: {passage.sentence_at(place)}")
    return found


def test_prose_has_no_more_of_a_habit_than_is_allowed() -> None:
    """All of them in one test: every file is read for it, and the tests of a module are spread over processes."""
    prose = [passage for path in written() for passage in passages(path)]
    excess = [
        f"{name} ({habit.reason}):\n{room} has {len(found)}, {habit.allowed.get(room, 0)} allowed:\n  "
        + "\n  ".join(found)
        for name, habit in HABITS.items()
        for room, found in findings(habit, prose).items()
        if len(found) > habit.allowed.get(room, 0)
    ]

    assert not excess, "\n".join(excess)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("relatives", "x = 1  # sends what\n# is buffered"),
        ("relatives", '"""Name a slot that there is not."""'),
        ("persons", "# for whoever asks"),
        ("Give, Tell, Say", 'def f():\n    """Give the number."""'),
        ("metaphors", '"""A berth."""'),
    ],
)  # fmt: skip
def test_a_habit_is_found_with_its_line_and_sentence(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "example.py"
    path.write_text(f'"""Begins."""\n\n{text}\n')

    found = [
        (passage.line_at(place), passage.sentence_at(place))
        for passage in passages(path)
        for place in HABITS[name].places(passage)
    ]

    assert len(found) == 1
    line, sentence = found[0]
    assert line >= 3
    assert sentence


def test_code_in_prose_is_no_prose(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("# Page\n\n```python\nnobody = what is this\n```\n\nCall `nobody`. And whoever\nreads.\n")

    assert [
        (passage.line_at(place), passage.sentence_at(place))
        for passage in passages(path)
        for place in HABITS["persons"].places(passage)
    ] == [(7, "And whoever reads.")]


def test_bounds_are_called_max() -> None:
    found = [
        f"{path.relative_to(HOUSE)}:{number}: {line.strip()}"
        for path in written()
        if path.suffix == ".py" and path.name != "test_words.py"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"\b_?(?:MOST|LONGEST)_[A-Z]", line)
    ]

    assert found == []


def test_the_words_of_the_glossary_are_those_of_the_code() -> None:
    page = (HOUSE / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    table = page.partition("## Words\n")[2].partition("\n## ")[0]
    words = [word for row in re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE) for word in row.split(", ")]
    words += re.findall(r"\*\*([^*]+)\*\*", table)
    code = "\n".join(path.read_text(encoding="utf-8").lower() for path in (HOUSE / "corepool").rglob("*.py"))

    assert len(words) > 25
    assert [word for word in words if not re.search(re.sub("[- ]", "[-_ ]?", word), code)] == []
