"""The cost of each failing system call. The tests try each row; docs/explanation/faults.md shows them all."""

from __future__ import annotations

from pathlib import Path

from failing_in_master import IN_MASTER
from failing_in_workers import IN_WORKERS
from failing_row import ACTS

ROWS = [*IN_MASTER, *IN_WORKERS]

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "faults.md"
_BEGIN, _END = "<!-- made of the rows that the tests try -->\n", "<!-- end -->\n"


def table() -> str:
    """Write the rows as the page shows them."""
    lines = [_BEGIN]
    for where, title in (("master", "In the master"), ("worker", "In a worker")):
        lines += [
            f"\n## {title}\n\n",
            "| call | errors | what it costs | as before | in the log |\n|---|---|---|---|---|\n",
        ]
        for row in ROWS:
            if row.where == where:
                call = f"`{row.call.removesuffix('64')}`" + (f" on {row.on}" if row.on else f", {ACTS[row.act]}")
                logged = f"`{row.logged}`" if row.logged else ""
                lines.append(f"| {call} | {', '.join(row.errors.split())} | {row.costs} | {row.back} | {logged} |\n")
    return "".join([*lines, "\n", _END])


if __name__ == "__main__":
    before, rest = PAGE.read_text().split(_BEGIN)
    PAGE.write_text(before + table() + rest.split(_END)[1])
