"""The same client against the same application, written with each framework: docs/compatibility.md is the table."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from grid.client import Http2Site, Site
from grid.columns import COLUMNS, Column
from grid.page import PAGE, page
from grid.table import Check, checks

from corepool.testing.pool import PoolProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

APPLICATIONS = Path(__file__).parent / "apps"

LISTENER = """
[[listener]]
name = "{name}"
bind = ["tcp://127.0.0.1:0"]
protocol = "{protocol}"
[listener.options]
{options}
"""

DATA = "".join(f"{number:09}\n" for number in range(10_000))
"""The text of static/data.txt: 100,000 bytes."""


def listener(column: Column, name: str, **more: object) -> str:
    options = {"target": column.target, "directory": str(APPLICATIONS), **column.options, **more}
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in options.items())
    return LISTENER.format(name=name, protocol=column.protocol, options=lines)


def configuration(column: Column) -> str:
    """Return a pool with the application twice: as it is, and under a prefix."""
    head = "[pool]\nworkers = 1\n"
    if column.protocol != "http":
        return head + listener(column, "plain")
    proxies = ["127.0.0.1"]
    return (
        head
        + listener(column, "plain", trusted_proxies=proxies)
        + listener(column, "mounted", trusted_proxies=proxies, root_path="/api")
    )


@pytest.fixture(scope="module", params=COLUMNS, ids=lambda column: column.name)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """Serve the application of a column."""
    column: Column = request.param
    with PoolProcess.run(configuration(column), files={"static/data.txt": DATA}) as running:
        names = ("plain", "mounted") if column.protocol == "http" else ("plain",)
        yield Site(running, {name: running.urls(name)[0] for name in names})


@pytest.mark.parametrize("check", checks(), ids=lambda check: check.name)
def test_the_grid(site: Site, check: Check) -> None:
    check.run(site)


@pytest.mark.parametrize("check", [check for check in checks() if check.only_asks], ids=lambda check: check.name)
def test_the_grid_over_http2(site: Site, check: Check) -> None:
    check.run(Http2Site(site))


def test_the_page_is_what_the_grid_makes() -> None:
    assert PAGE.read_text() == page(), "cd tests && python -m grid.page"


def test_each_reason_is_for_an_existing_check() -> None:
    names = [check.name for check in checks()]
    unused = [
        (column.name, pattern)
        for column in COLUMNS
        for pattern in (*column.absent, *column.failing)
        if not any(fnmatchcase(name, pattern) for name in names)
    ]

    assert unused == []
