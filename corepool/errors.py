"""Every error that corepool raises on purpose, and the exit status each one leads to.

A message names the failure, the value, where that came from, and the allowed values or the next step.
Only the command line turns an error into an exit status; libraries never call `sys.exit`.

======  ========================================================================
status  meaning
======  ========================================================================
0       done; for `run` and `serve`: stopped as asked
1       it could not be done: no pool answers or it refused, a reload or an upgrade
        failed, `status --check` found workers that are not ready, or another pool
        has the control socket that `run` wants
2       usage or configuration (nothing was started)
3       the pool could not boot: a worker of the first generation died or hung
4       `status --check`: every worker is ready, and the last reload has failed, or a
        new certificate can't be used
======  ========================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


EXIT_RELOAD_FAILED = 4
"""No error has it: the command has done what it was asked to."""


class CorepoolError(Exception):
    """Base of everything below; `str()` is a sentence for an operator."""

    exit_status = 1


class SetupError(CorepoolError):
    """Something that the pool was told to use is not there, or can't be used as it is.

    For plugins to raise when they are made or started, if the operator can put it right: a module, a file,
    an address. Its text is shown as it is, once. Any other exception counts as a mistake in the code, and is shown
    with its traceback.
    """


class ThawRefusedError(CorepoolError):
    """A connection that began in another worker can't be resumed in this one."""


class ConfigError(CorepoolError):
    """The configuration is wrong. Carries every mistake found, not just the first.

    `source` is the file (or the command line) that they are in, if known. `places` are the places of the mistakes in a
    file, "corepool.toml:12", as editors know them, or "corepool.toml" for a missing table; None: it is not in a
    file. `tracebacks` are those of mistakes in a plugin's code.
    """

    exit_status = 2

    def __init__(
        self,
        mistakes: Sequence[str],
        source: str | None = None,
        tracebacks: Sequence[str] = (),
        places: Sequence[str | None] = (),
    ) -> None:
        self.mistakes = tuple(mistakes)
        self.source = source
        self.places = tuple(places) or (None,) * len(self.mistakes)
        self.tracebacks = tuple(tracebacks)
        located = ((place or source, mistake) for place, mistake in zip(self.places, self.mistakes, strict=True))
        super().__init__("\n".join(mistake if place is None else f"{place}: {mistake}" for place, mistake in located))

    def first_place(self) -> tuple[str, int]:
        """Return the file and the line of the first mistake that has a line; 0: all are about the file as a whole."""
        places = [each for each in self.places if each is not None]
        for each in places:
            file, _, line = each.rpartition(":")
            if file and line.isdecimal():
                return file, int(line)
        return next(iter(places), self.source or ""), 0


class PluginError(CorepoolError):
    """A plugin can't be found, imported, or used as written."""

    exit_status = 2


class ControlError(CorepoolError):
    """A running pool can't be reached or refused a command."""


class ReloadError(ControlError):
    """A reload can't begin, since the configuration has mistakes. They were logged."""


class ControlSocketTakenError(ControlError):
    """Another process has the control socket."""


class BootError(CorepoolError):
    """The first generation of workers could not start."""

    exit_status = 3


class MapFullError(CorepoolError):
    """A map that workers share has no room for another key."""


class ChannelFullError(CorepoolError):
    """The channel to a worker takes no message now: its queue or the descriptors in flight are at their limit."""


class PeerGoneError(CorepoolError):
    """The process at the other end of a channel has closed it or died."""


class GarbageError(CorepoolError):
    """What came by a channel is nothing that the process at its other end would say."""
