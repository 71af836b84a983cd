"""Printing that never waits for long: not for a terminal stopped with ^S, not for a pipe that is not read.

The master prints too, and while it waits, every client does.
"""

from __future__ import annotations

import io
import os
import select
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

# A pipe that polls as writable takes this many bytes (PIPE_BUF, pipe(7)) without blocking.
_AT_ONCE = 4096


def write(stream: TextIO, text: str, patience_s: float = 0.0) -> None:
    """Write a text and a newline; bytes that aren't taken within `patience_s` are left out. Never raises."""
    try:
        stream.flush()
        _write(stream.fileno(), f"{text}\n".encode(errors="backslashreplace"), patience_s)
    except (OSError, ValueError):  # closed, full, or without a reader: there is no other place to report it
        return


def silence(stream: TextIO) -> None:
    """Drop text that `stream` could not write: the interpreter would try again at its end, and report an error."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def _write(fileno: int, data: bytes, patience_s: float) -> None:
    poller = select.poll()
    poller.register(fileno, select.POLLOUT)
    while data and poller.poll(patience_s * 1000):
        data = data[os.write(fileno, data[:_AT_ONCE]) :]


def open_standard_streams() -> None:
    """Put /dev/null where a standard stream was closed (`corepool run >&-`).

    Otherwise the next descriptor to be opened, a client's socket say, takes the number, and text
    for "standard output" goes there. Python leaves None in the place of its own objects then,
    which no application expects.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
            os.set_inheritable(number, True)
    sys.stdin = sys.stdin or os.fdopen(0, "r", closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def spell_out(stream: TextIO) -> None:
    """Have characters that a terminal lacks written as numbers, as standard error does: no reason to fail."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
