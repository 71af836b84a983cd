"""Our own load generator for short connections: churn.c, compiled when it is needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.load import program
from benchmarks.load.compiled import compile_program

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Churn:
    """The compiled program."""

    path: Path

    @classmethod
    def compile(cls, folder: Path) -> Churn:
        """Compile it into `folder`.

        :raises BenchError: there is no C compiler, or it failed.
        """
        return cls(compile_program("churn", folder))

    def run(self, port: int, connections: int, concurrency: int, core: int) -> int:
        """Open, use and close `connections`, `concurrency` of them at any time.

        :returns: how many of them failed in any way.
        """
        output = program.run([str(self.path), str(port), str(connections), str(concurrency)], core)
        return int(output)
