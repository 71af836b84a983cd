"""Run the scenarios of several hosts, judge what visitors saw, and write the table of docs/howto/several-hosts.md.

    python tests/hosts/write_figures.py [--runs N] [--write]

The p99 after a failover should be below twice the quiet one. That is judged here, on a machine that is idle otherwise,
and by no test. The exit status is 1 if a figure is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "howto" / "several-hosts.md"
BEGIN = "<!-- made by tests/hosts/write_figures.py -->\n"
END = "<!-- until here -->\n"
HEAD = (
    "| what happens | requests | failed | full service after | p99 quiet, during, after | after / quiet "
    "| lost writes |\n"
    "|---|---|---|---|---|---|---|\n"
)
MOST = 2.0
"""The p99 after it, as a multiple of the quiet one."""


def run(runs: int) -> dict[str, list[dict[str, object]]]:
    """Return the figures of each scenario, in their order."""
    found: dict[str, list[dict[str, object]]] = {}
    with tempfile.NamedTemporaryFile("r", prefix="corepool-") as file:
        environment = {**os.environ, "HOST_FIGURES": file.name, "HOST_PATIENCE": "5"}
        for _ in range(runs):
            command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:randomly", str(Path(__file__).parent)]
            # Scenarios that fail write no figures, and pytest says why; the others are as good without them.
            subprocess.run(command, env=environment, cwd=ROOT, check=False)  # noqa: S603
        for line in file:
            its = json.loads(line)
            found.setdefault(its["what"], []).append(its)
    return found


def row(what: str, runs: list[dict[str, object]]) -> tuple[str, bool]:
    """Return a row of the table, with the range over the runs, and whether its p99 is as it should be."""

    def span(numbers: list[float], digits: int = 0) -> str:
        low, high = min(numbers), max(numbers)
        return (
            f"{low:.{digits}f}"
            if f"{low:.{digits}f}" == f"{high:.{digits}f}"
            else f"{low:.{digits}f} to {high:.{digits}f}"
        )

    def numbers(name: str) -> list[float]:
        return [float(str(each[name])) for each in runs if each[name] is not None]

    p99 = [tuple(each["p99_ms"]) for each in runs]  # type: ignore[arg-type]
    quiet, during, after = (median(column) for column in zip(*p99, strict=True))
    ratio = after / quiet
    seconds = numbers("full_service_s")
    cells = [
        what,
        span(numbers("requests")),
        span(numbers("failed")),
        span(seconds, 1) + " s" if any(seconds) else "at once",
        f"{quiet:.0f}, {during:.0f}, {after:.0f} ms" if any(seconds) else f"{quiet:.0f}, -, {after:.0f} ms",
        f"{ratio:.2f}" + ("" if ratio < MOST else " (missed)"),
        span(numbers("lost")) if numbers("lost") else "-",
    ]
    return "| " + " | ".join(cells) + " |\n", ratio < MOST


def main() -> int:
    """Run, print, and write if asked to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="put the table into docs/howto/several-hosts.md")
    chosen = parser.parse_args()
    rows = [row(what, its) for what, its in run(chosen.runs).items()]
    table = HEAD + "".join(text for text, _ in rows)
    print(table)  # noqa: T201
    if chosen.write:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(before + BEGIN + "\n" + table + "\n" + END + rest.partition(END)[2])
    return 0 if all(is_met for _, is_met in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
