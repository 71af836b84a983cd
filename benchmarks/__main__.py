"""`python -m benchmarks [CASE...] [--quick] [--server NAME...] [--json FILE]`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks import machine, report
from benchmarks.cases import BY_DEFAULT, CASES
from benchmarks.processes import Cores
from benchmarks.results import BenchError, Comparison
from benchmarks.turns import Bench

RESULTS = Path(__file__).parent / "results" / "last.json"


def main() -> int:
    """Run the cases asked for, print their tables, write the JSON.

    :returns: 1 if something could not be run or was lost on the way. A missed target is a result, no error.
    """
    arguments = _parse()
    out, err = Console(), Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="corepool-bench-") as scratch, err.status("starting") as status:
        bench = Bench(
            cores=Cores.pick(),
            scratch=Path(scratch),
            quick=arguments.quick,
            only=frozenset(arguments.server),
            say=status.update,
        )
        if bench.cores.server == bench.cores.load:
            err.print("Only one core: the servers share it with their load, and every figure is too high.")
        try:
            facts = machine.describe()
            for name, value in facts.items():
                out.print(f"{name:10}{value}", highlight=False)
            out.print()
            comparisons: list[Comparison] = []
            for name in arguments.case or BY_DEFAULT:
                for comparison in CASES[name](bench):
                    if comparison.figures:
                        report.print_comparison(out, comparison)
                        comparisons.append(comparison)
            if not comparisons:
                raise BenchError(f"no server of these cases is named {' or '.join(arguments.server)}")  # noqa: TRY301
        except BenchError as error:
            err.print(str(error), style="red", markup=False, highlight=False)
            return 1
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(report.as_json(facts, comparisons, quick=arguments.quick))
    lost = sum(comparison.lost for comparison in comparisons)
    if lost:
        err.print(f"{lost} requests or connections were lost: the figures above are worthless", style="red")
    return 1 if lost else 0


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
        "--json", type=Path, default=RESULTS, metavar="FILE", help="default: benchmarks/results/last.json"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
