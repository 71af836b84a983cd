"""The lines that `run` and `serve` print when the pool is ready: its addresses, and how to try them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from corepool.cli.output import write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corepool.plugins.listener import ListenerLine


def announce(lines: Sequence[ListenerLine]) -> None:
    """Print one row per bound URL: a table for people, `key=value` lines for anything but a terminal.

    Runs in: master, once; so without rich, which would stay in its memory, and without waiting.
    """
    if sys.stdout.isatty():
        write(sys.stdout, _table(lines))
        return
    for line in lines:
        write(
            sys.stdout,
            f"listening name={line.name} url={line.url} protocol={line.protocol} "
            f"dispatcher={line.dispatcher}" + (f"  try: {line.try_it}" if line.try_it else ""),
        )


def _table(lines: Sequence[ListenerLine]) -> str:
    rows = [("LISTENER", "WHERE", "PROTOCOL", "DISPATCHER", "TRY")]
    rows += [(line.name, line.url, line.protocol, line.dispatcher, line.try_it) for line in lines]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
