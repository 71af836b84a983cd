"""Pages that show files and commands do what they say; tables of settings name existing ones."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from documents import DOCS, HOUSE

from corepool import Dispatcher, Scaler, Transport
from corepool.config.settings import ControlSettings, ListenerSettings, LogSettings, PoolSettings, ProcessSettings
from corepool.plugins.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path

    from walkthrough import Walkthrough

NAMED = re.compile(r"`(\[+[a-z.]+\]+) (\w+)`")  # `[pool] workers`
GUIDES = [page for page in sorted(DOCS.rglob("*.md")) if NAMED.search(page.read_text())]
TABLES = {
    "[pool]": PoolSettings,
    "[[listener]]": ListenerSettings,
    "[process]": ProcessSettings,
    "[control]": ControlSettings,
    "[log]": LogSettings,
}


@pytest.mark.parametrize(
    "page",
    [
        "tutorial.md",
        "testing.md",
        "howto/wsgi-asgi.md",
        "howto/fastapi.md",
        "howto/django.md",
        "howto/flask.md",
        "howto/static-files.md",
        "howto/kv-backup.md",
        "monitoring.md",
        "howto/from-socketserver.md",
        "howto/from-asyncio.md",
        "howto/starttls.md",
        "plugins.md",
    ],
)
def test_a_page_does_what_it_says(reader: Walkthrough, page: str) -> None:
    reader.follow(DOCS / page)


def test_attributes_of_plugins_that_count_are_in_the_table() -> None:
    looked_at = {
        name
        for source in (HOUSE / "corepool").rglob("*.py")
        for name in re.findall(r'getattr\((?:\w+\.)?(?:plugin|loaded|protocol), "(\w+)"', source.read_text())
    }
    declared = {name for kind in (Dispatcher, Scaler, Transport) for name in vars(kind)["__annotations__"]}
    table = (DOCS / "plugins.md").read_text().partition("## What corepool looks at")[2]

    assert looked_at >= {"Options", "try_it"}
    assert looked_at | declared == set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))


def wrong_settings(text: str) -> list[tuple[str, str]]:
    """List what a page calls a setting, and is none."""
    protocols = Registry()
    options = {
        key
        for name in ("http", "asyncio", "socketserver")
        for key in getattr(protocols.load("protocols", name), "Options").model_fields  # noqa: B009 - mypy knows no Options
    }
    known = {"[listener.options]": options, **{table: set(settings.model_fields) for table, settings in TABLES.items()}}
    return [(table, key) for table, key in NAMED.findall(text) if key not in known.get(table, ())]


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_settings_that_a_guide_names_exist(page: Path) -> None:
    assert wrong_settings(page.read_text()) == []


@pytest.mark.parametrize("wrong", ["[prcess] nofile", "[process] nofiles", "[listener] name", "[pool] threads"])
def test_an_unknown_setting_would_be_found(wrong: str) -> None:
    right = "`[process] nofile`, `[[listener]] name` and `[listener.options] threads`"

    assert wrong_settings(right) == []
    assert wrong_settings(f"{right}, and `{wrong}`") == [tuple(wrong.split())]
