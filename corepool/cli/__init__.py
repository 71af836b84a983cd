"""The command line: parse, call, print. Decisions are made elsewhere.

`main` is the only place that turns an error into an exit status. A mistake of the user's is reported on
standard error, one line each, without a traceback; one in the code of a plugin has the traceback of that code. Any
other traceback here is a bug of ours.
"""

from __future__ import annotations

import errno
import gc
import signal
import sys
from typing import TYPE_CHECKING

from corepool import __version__
from corepool.build import version_line
from corepool.errors import ConfigError, CorepoolError

if TYPE_CHECKING:
    from collections.abc import Sequence

# A reader of standard error that is merely slow gets the whole message; one that hangs must not keep a
# pool that has failed from ending.
_PATIENCE_S = 1.0

_INTERRUPTED = 128 + signal.SIGINT
"""The exit status of a shell's command that Ctrl-C has ended, and typer's."""


def main() -> None:
    """Run the command that the arguments name, and exit."""
    # Imported here, so that parts of this package can be imported without all of its commands.
    from corepool.cli.output import open_standard_streams, silence, spell_out, write  # noqa: PLC0415

    open_standard_streams()
    spell_out(sys.stdout)
    try:
        if sys.argv[1:] == ["--version"]:  # asked by scripts, often: typer takes longer than all the rest
            print(version_line(__version__), flush=True)  # noqa: T201
            return
        status = _start_plainly(sys.argv[1:])
        if status is not None:
            sys.exit(status)
        from corepool.cli.app import make_app  # noqa: PLC0415

        make_app()(prog_name="corepool")
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        silence(sys.stdout)
        write(sys.stderr, f"corepool: the output can't be written: {error.strerror}", _PATIENCE_S)
        sys.exit(1)
    except CorepoolError as error:
        write(sys.stderr, _message(error), _PATIENCE_S)
        sys.exit(error.exit_status)


def _start_plainly(arguments: Sequence[str]) -> int | None:
    """Start a pool as its arguments say, and return the exit status; None: typer has to read them."""
    if arguments[:1] not in (["serve"], ["run"]) or {"-h", "--help"}.intersection(arguments):
        return None
    # Objects that are made until `start` enables it again stay to the end: to look through them took 7 % of a start.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        from corepool.cli.plain import start_plainly  # noqa: PLC0415

        return start_plainly(arguments[0], arguments[1:])
    finally:
        if was_enabled:
            gc.enable()


def _message(error: CorepoolError) -> str:
    if not isinstance(error, ConfigError):
        return f"corepool: {error}"
    if error.source is None and len(error.mistakes) == 1:
        return "\n".join([f"corepool: {error}", *error.tracebacks])
    count = len(error.mistakes)
    place = "" if error.source is None else f" in {error.source}"
    heading = f"corepool: {count} mistake{'s' if count > 1 else ''}{place}:"
    # A place begins its line, where the tools that jump to one look for it.
    lines = [
        f"  {mistake}" if its_place is None else f"{its_place}: {mistake}"
        for its_place, mistake in zip(error.places, error.mistakes, strict=True)
    ]
    return "\n".join([heading, *lines, *error.tracebacks])
