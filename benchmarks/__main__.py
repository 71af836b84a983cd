"""`python -m benchmarks [CASE...] [--quick] [--row NAME...] [--server NAME...] [--to FOLDER]`."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks import machine, page, report
from benchmarks.cases import CASES
from benchmarks.needs import MissingError
from benchmarks.processes import Cores
from benchmarks.results import BenchError, Comparison
from benchmarks.run import run_of
from benchmarks.turns import Bench, Plan

if TYPE_CHECKING:
    from collections.abc import Callable

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Run the cases asked for, print their tables, write JSON and page.

    :returns: 1 if an installed server could not be run, or lost something on the way. Servers that are not installed
        are named and left out, and a missed target is a result: neither is an error.
    """
    arguments = _parse()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # as ^C does: the server is ended, too
    out, err = Console(), Console(stderr=True)
    cores = Cores.pick()
    if cores.server == cores.load:
        err.print("Only one core: the servers share it with their load, and every figure is too high.")
    facts = machine.describe()
    for name, value in facts.items():
        out.print(f"{name:10}{value}", highlight=False)
    out.print()

    comparisons: list[Comparison] = []
    failures: list[str] = []
    names = arguments.case or list(CASES)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        tempfile.TemporaryDirectory(prefix="corepool-bench-") as scratch,
        # On a terminal only: elsewhere progress is noise, and the tables come one by one.
        Progress(*columns, TimeRemainingColumn(), console=err, disable=not err.is_terminal, transient=True) as progress,
    ):
        only, rows = frozenset(arguments.server), frozenset(arguments.row)
        missing: dict[str, str] = {}
        known: set[str] = set()

        def make(kind: type[Bench], on_turn: Callable[[str], None]) -> Bench:
            folder = Path(tempfile.mkdtemp(dir=scratch))
            return kind(cores, folder, arguments.quick, only, rows, on_turn, missing, known)

        task = progress.add_task("", total=sum(_count_turns(CASES[name], make) for name in names))
        for name in names:
            begun = 0

            def on_turn(what: str, name: str = name) -> None:
                nonlocal begun
                progress.update(task, description=f"{name}, {what}", advance=min(begun, 1))
                begun += 1

            try:
                for comparison in CASES[name](make(Bench, on_turn)):
                    if comparison.figures and (not rows or comparison.name in rows):
                        report.print_comparison(out, comparison)
                        comparisons.append(comparison)
            except MissingError as error:
                missing[f"the case {name}"] = error.how
            except BenchError as error:
                failures.append(f"{name}: {error}")
            progress.update(task, advance=1 if begun else 0)
    if only and not comparisons:
        failures.append(f"no server of these cases is named {' or '.join(arguments.server)}, or it is not installed")
    if unknown := sorted(rows - known):
        those = ", ".join(map(repr, sorted(known)))  # a name may have a comma
        failures.append(f"no row of these cases is named {' or '.join(map(repr, unknown))}; there are: {those}")

    for what, how in missing.items():
        err.print(f"left out: {what}; to install it: {how}", markup=False, highlight=False)
    for failure in failures:
        err.print(failure, style="red", markup=False, highlight=False, soft_wrap=True)
    date = datetime.now(UTC).isoformat(timespec="seconds")
    page.write(run_of(facts, date, comparisons, missing, quick=arguments.quick), arguments.to)
    out.print(f"written: {arguments.to / page.JSON}, {arguments.to / page.PAGE}", highlight=False, soft_wrap=True)
    lost = sum(comparison.lost for comparison in comparisons)
    if lost:
        err.print(f"{lost} requests or connections were lost: the figures above are worthless", style="red")
    return 1 if lost or failures else 0


def _count_turns(case: Callable[[Bench], object], make: Callable[[type[Bench], Callable[[str], None]], Bench]) -> int:
    """Go through a case without running anything."""
    turns: list[str] = []
    with suppress(BenchError):  # it will say so again when it is its turn
        case(make(Plan, turns.append))
    return len(turns)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure corepool beside its peers.")
    parser.add_argument(
        "case", nargs="*", choices=[*CASES, []], metavar="CASE", help=f"{', '.join(CASES)}; default: all"
    )
    parser.add_argument(
        "--row",
        action="append",
        default=[],
        metavar="NAME",
        help="measure only the comparison of this name; repeatable",
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds, to see that all of it works")
    parser.add_argument(
        "--server",
        action="append",
        default=[],
        metavar="NAME",
        help="measure only this one, named as in the tables; repeatable",
    )
    parser.add_argument(
        "--to", type=Path, default=RESULTS, metavar="FOLDER", help="for JSON, page and pictures; benchmarks/results"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
