"""The messages on the page of troubleshooting exist: events by their names, others as texts of the code."""

from __future__ import annotations

import ast
import re

import pytest
from documents import DOCS, HOUSE

TABLE = re.compile(r"^\| (?!message|---)(.*?) \|", re.MULTILINE)
NAMED = re.compile(r"`([^`]+)`")
EVENT = re.compile(r"[a-z]+(?:_[a-z]+)+")
EVENTS = set(re.findall(r"^\| `(\w+)` \|", (DOCS / "reference" / "events.md").read_text(), re.MULTILINE))
CAUSES = re.compile(r'cause="?([a-z ]+)"?')


@pytest.fixture(scope="module")
def texts() -> str:
    """Return every text of the code, one a line."""
    sources = [source for room in ("corepool", "plugins", "transports") for source in (HOUSE / room).rglob("*.py")]
    nodes = (node for source in sources for node in ast.walk(ast.parse(source.read_text())))
    return "\n".join(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def messages(page: str) -> set[str]:
    return {message for row in TABLE.findall(page) for message in NAMED.findall(row)}


def missing(page: str, texts: str) -> set[str]:
    """Return the messages that nothing in the code writes."""
    absent = set()
    for message in messages(page):
        if EVENT.fullmatch(message):
            known = message in EVENTS
        elif cause := CAUSES.fullmatch(message):
            known = cause[1] in texts
        else:
            known = all(part.strip() in texts for part in message.split("..."))
        if not known and not message.startswith("http"):
            absent.add(message)
    return absent


def test_every_message_on_the_page_is_one_of_the_code(texts: str) -> None:
    page = (DOCS / "troubleshooting.md").read_text()

    assert len(messages(page)) > 40
    assert missing(page, texts) == set()


@pytest.mark.parametrize("wrong", ["worker_vanished", "can't listen at ...", 'cause="bored"'])
def test_a_message_that_does_not_exist_would_be_found(wrong: str, texts: str) -> None:
    assert missing(f"| `worker_died` | x | y |\n| `{wrong}` | x | y |", texts) == {wrong}
