"""Our own load generator for memcached's text protocol: memcached.c, compiled when it is needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.load import program
from benchmarks.load.compiled import compile_program
from benchmarks.results import BenchError

if TYPE_CHECKING:
    from pathlib import Path

KEYS, VALUE_BYTES = 100_000, 64


@dataclass(frozen=True, slots=True)
class MemcachedLoad:
    """The compiled program."""

    path: Path

    @classmethod
    def compile(cls, folder: Path) -> MemcachedLoad:
        """Compile it into `folder`.

        :raises BenchError: there is no C compiler, or it failed.
        """
        return cls(compile_program("memcached", folder))

    def run(self, port: int, command: str, requests: int, connections: int, core: int) -> int:
        """Send `requests` gets or sets of 64 bytes, keys chosen from 100,000; return how many answers were wrong.

        :raises BenchError: a connection was lost.
        """
        arguments = [str(port), command, str(requests), str(connections), str(KEYS), str(VALUE_BYTES)]
        return int(program.run([str(self.path), *arguments], core))

    def fill(self, port: int, core: int) -> None:
        """Set every key that `run` chooses from.

        :raises BenchError: a set was refused, or a connection lost.
        """
        if wrong := self.run(port, "set", 0, 50, core):
            raise BenchError(f"127.0.0.1:{port} refused {wrong} sets")
