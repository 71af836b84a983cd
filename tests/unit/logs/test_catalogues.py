"""Each log record of corepool and its plugins is an event of a catalogue, and each event of a catalogue is logged."""

from __future__ import annotations

import ast
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from docs.making.events import catalogues

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool import Event

ROOT = Path(__file__).parents[3]
PRODUCT = sorted(path for folder in ("corepool", "plugins", "transports") for path in (ROOT / folder).rglob("*.py"))
METHODS = {"debug", "info", "warn", "warning", "error", "exception", "critical", "log"}
MECHANISM = {"corepool/logs/event.py", "corepool/logs/rate_limited.py"}
"""The modules that pass events on to `logging`."""

EVENTS = {each.name: each for events in catalogues().values() for each in events}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def parsed() -> Iterator[tuple[str, ast.Module]]:
    for path in PRODUCT:
        if "templates" not in path.parts:
            yield name_of(path), ast.parse(path.read_text())


def last_name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def plain_records(tree: ast.Module) -> Iterator[int]:
    """Find calls of a logger that have no event."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
            owner = last_name(node.func.value).strip("_").lower()
            # Not error.exception() of an event, nor future.exception().
            if owner.endswith(("log", "logger", "logging", "limited", "lack")):
                yield node.lineno


def test_the_search_finds_records_without_an_event() -> None:
    tree = ast.parse(
        "log.warning('a')\nself._log.exception('b')\nlogging.error('c')\nevents.hung.exception(log, error)"
    )

    assert list(plain_records(tree)) == [1, 2, 3]


def test_each_record_is_an_event() -> None:
    found = [f"{name}:{line}" for name, tree in parsed() if name not in MECHANISM for line in plain_records(tree)]

    assert found == [], "declare an event in the room's events.py"


def test_each_event_is_logged_somewhere() -> None:
    used = {
        node.attr
        for _, tree in parsed()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and last_name(node.value) == "events"
    }

    assert EVENTS.keys() - used == set()


def test_a_name_belongs_to_one_event() -> None:
    names = [each.name for events in catalogues().values() for each in events]

    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_each_event_has_a_level_and_a_meaning(event: Event[...]) -> None:
    assert event.level in {logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR}
    assert event.meaning.endswith(".")
    assert event.name == event.name.lower()


def test_each_catalogue_has_events_alone() -> None:
    for name, events in catalogues().items():
        source = next(path for path in PRODUCT if name_of(path).endswith(f"{name.replace('.', '/')}.py"))
        tree = ast.parse(source.read_text())
        functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
        assert functions == [each.name for each in events]
