"""Make docs/compatibility.md from the grid: `cd tests/clients && python -m grid.page`. A test compares."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from grid.columns import COLUMNS
from grid.table import checks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from grid.columns import Column
    from grid.table import Check

PAGE = Path(__file__).parents[3] / "docs" / "compatibility.md"

HEAD = """\
<!-- Made from tests/clients/grid: change it there, then `cd tests/clients && python -m grid.page`. -->
# Compatibility

One application, written with each framework as its documentation has it, is served by a pool, and one client puts
the same {count} questions to each: {cells} tests in all, part of every run of the tests (`pytest tests/clients/grid`).
Those that need no connection of their own are asked over HTTP/2 as well, {over_http2} tests more, with the same
results.
A cell is the number of checks that pass, of those that apply. The versions are the newest that pip installs.

"""

EXPLAINED = """
## Failures, explained

Each fails under another server as well: ASGI's under uvicorn, WSGI's under gunicorn, aiohttp's under its own. These
checks are not run.

"""

ABSENT = """
Sanic is not in the table: the checks ask each application at two listeners of a pool, each with a lifespan of its own,
and an application of Sanic can be started only once ("Cannot finalize router more than once"). At one listener it is
served.

## What does not apply

"""


def page() -> str:
    """Return the page."""
    every = checks()
    groups = {title: list(members) for title, members in groupby(every, key=lambda check: check.title)}
    head = ["framework", "served as", *groups, "in all"]
    rows = [
        [column.framework, column.mode, *(_cell(column, members) for members in groups.values()), _cell(column, every)]
        for column in COLUMNS
    ]
    cells = sum(column.reason(check.name) is None for column in COLUMNS for check in every)
    asked = [(column, check) for column in COLUMNS if column.protocol == "http" for check in every if check.only_asks]
    over_http2 = sum(column.reason(check.name) is None for column, check in asked)
    return (
        HEAD.format(count=len(every), cells=f"{cells:,}", over_http2=f"{over_http2:,}")
        + "".join(f"| {' | '.join(row)} |\n" for row in [head, ["---"] * len(head), *rows])
        + EXPLAINED
        + "".join(_reasons((column, column.failing) for column in COLUMNS))
        + ABSENT
        + "".join(_reasons((column, column.absent) for column in COLUMNS))
    )


def _cell(column: Column, members: list[Check]) -> str:
    passed = sum(column.reason(check.name) is None for check in members)
    applying = passed + sum(column.fails(check.name) for check in members)
    return f"{passed}/{applying}" if applying else "n/a"


def _reasons(tables: Iterable[tuple[Column, Mapping[str, str]]]) -> Iterator[str]:
    """Write each framework's reasons, with the checks that they are for."""
    for column, reasons in tables:
        by_reason: dict[str, list[str]] = {}
        for pattern, why in reasons.items():
            by_reason.setdefault(why, []).append(f"`{pattern}`")
        for why, patterns in by_reason.items():
            yield f"- {column.framework}, {column.mode}: {why} ({', '.join(patterns)}).\n"


if __name__ == "__main__":
    PAGE.write_text(page())
