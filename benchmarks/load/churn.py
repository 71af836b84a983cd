"""Our own load generator for short connections: churn.c, compiled when it is needed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import program
from benchmarks.needs import require

SOURCE = Path(__file__).with_name("churn.c")


@dataclass(frozen=True, slots=True)
class Churn:
    """The compiled program."""

    path: Path

    @classmethod
    def compile(cls, folder: Path) -> Churn:
        """Compile it into `folder` with $CC, or cc.

        :raises BenchError: there is no C compiler, or it failed.
        """
        path = folder / "churn"
        compiler = require(os.environ.get("CC", "cc"))
        command = [compiler, "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-o", str(path), str(SOURCE)]
        program.run(command, min(os.sched_getaffinity(0)))
        return cls(path)

    def run(self, port: int, connections: int, concurrency: int, core: int) -> int:
        """Open, use and close `connections`, `concurrency` of them at any time.

        :returns: how many of them failed in any way.
        """
        output = program.run([str(self.path), str(port), str(connections), str(concurrency)], core)
        return int(output)
