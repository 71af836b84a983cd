"""`python -m benchmarks [CASE...] [--quick] [--server NAME...] [--to FOLDER]`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks import machine, page, report
from benchmarks.cases import CASES
from benchmarks.needs import MissingError
from benchmarks.processes import Cores
from benchmarks.results import BenchError, Comparison
from benchmarks.run import run_of
from benchmarks.turns import Bench, Plan

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Run the cases asked for, print their tables, write JSON and page.

    :returns: 1 if an installed server could not be run, or lost something on the way. Servers that are not installed
        are named and left out, and a missed target is a result: neither is an error.
    """
    arguments = _parse()
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
        only = frozenset(arguments.server)
        turns = {name: _count_turns(name, cores, Path(scratch), only, quick=arguments.quick) for name in names}
        task = progress.add_task("", total=sum(turns.values()))
        missing: dict[str, str] = {}
        for name in names:
            begun = 0

            def on_turn(what: str, name: str = name) -> None:
                nonlocal begun
                progress.update(task, description=f"{name}, {what}", advance=min(begun, 1))
                begun += 1

            bench = Bench(cores, _folder(scratch, name), arguments.quick, only, on_turn, missing)
            try:
                for comparison in CASES[name](bench):
                    if comparison.figures:
                        report.print_comparison(out, comparison)
                        comparisons.append(comparison)
            except MissingError as error:
                missing[f"the case {name}"] = error.how
            except BenchError as error:
                failures.append(f"{name}: {error}")
            progress.update(task, advance=1 if begun else 0)
    if only and not comparisons:
        failures.append(f"no server of these cases is named {' or '.join(arguments.server)}, or it is not installed")

    for what, how in missing.items():
        err.print(f"left out: {what}; to install it: {how}", markup=False, highlight=False)
    for failure in failures:
        err.print(failure, style="red", markup=False, highlight=False)
    date = datetime.now(UTC).isoformat(timespec="seconds")
    page.write(run_of(facts, date, comparisons, missing, quick=arguments.quick), arguments.to)
    out.print(f"written: {arguments.to / page.JSON}, {arguments.to / page.PAGE}", highlight=False, soft_wrap=True)
    lost = sum(comparison.lost for comparison in comparisons)
    if lost:
        err.print(f"{lost} requests or connections were lost: the figures above are worthless", style="red")
    return 1 if lost or failures else 0


def _count_turns(name: str, cores: Cores, scratch: Path, only: frozenset[str], *, quick: bool) -> int:
    """Go through a case without running anything."""
    turns: list[str] = []
    try:
        CASES[name](Plan(cores, _folder(scratch, f"plan of {name}"), quick, only, turns.append))
    except BenchError:
        pass  # it will say so again when it is its turn
    return len(turns)


def _folder(scratch: str | Path, name: str) -> Path:
    folder = Path(scratch, name)
    folder.mkdir()
    return folder


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure corepool beside its peers.")
    parser.add_argument(
        "case", nargs="*", choices=[*CASES, []], metavar="CASE", help=f"{', '.join(CASES)}; default: all"
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
