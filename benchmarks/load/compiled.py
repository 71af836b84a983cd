"""Compiling our own load generators when they are needed."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.load import program
from benchmarks.needs import require


def compile_program(name: str, folder: Path) -> Path:
    """Compile the C file of a name, beside this one, into `folder` with $CC, or cc; return the program.

    :raises BenchError: there is no C compiler, or it failed.
    """
    path = folder / name
    compiler = require(os.environ.get("CC", "cc"))
    source = Path(__file__).with_name(f"{name}.c")
    command = [compiler, "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-o", str(path), str(source)]
    program.run(command, min(os.sched_getaffinity(0)))
    return path
