"""The pool that a command is for: one that runs, and that was meant.

It is the one at --control, else the one that was started from the configuration that is given or in this folder, else
the only one that runs. Where that leaves several, or another one than was meant, no pool is commanded: an error lists
the running ones.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from corepool.cli.client import About, ask, in_one_line, status_of_each
from corepool.config.runtime import (
    DEFAULT_CONFIG,
    SUFFIX,
    is_own_folder,
    refuse_others_folder,
    runtime_folder,
    runtime_folders,
    sockets_in,
)
from corepool.errors import ConfigError, ControlError
from corepool.files.socketfile import remove_refused_link, remove_stale

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SOCKET_VARIABLE = "COREPOOL_CONTROL_SOCKET"


class Running(NamedTuple):
    """A pool that was found in a run-time folder."""

    path: Path
    """Its control socket, or the link to it."""
    about: About
    uid: int
    status: Mapping[str, object] | None
    """None: it does not answer."""


class Pool:
    """The pool that a command is for."""

    def __init__(self, path: Path, about: About | None = None) -> None:
        """Remember where it is.

        :param about: the pool that was found there; None: `path` was given by the operator, whatever is there.
        """
        self.path = path
        self.about = about

    def order(self, command: str, **arguments: object) -> dict[str, object]:
        """Send a command that changes something; the pool that was found refuses it if it is not there any more.

        :raises ControlError: there is no answer, or the pool refuses.
        """
        if self.about is not None:
            arguments["to"] = self.about.pid
        answer = ask(self.path, command, **arguments)
        self.about = answer.about or self.about
        return answer.result

    def status(self) -> dict[str, object]:
        """Ask for its status.

        :raises ControlError: there is no answer.
        """
        answer = ask(self.path, "status")
        self.about = answer.about or self.about
        return answer.result

    def __str__(self) -> str:
        return f"pool at {self.path}" if self.about is None else str(self.about)

    def as_json(self) -> dict[str, object]:
        """Return its names, for --json."""
        about = About("", 0, None) if self.about is None else self.about
        return about._asdict() | {"control": str(self.path)}


def pool_of(config: Path | None, control: str | None) -> Pool:
    """Find the pool that a command is for.

    :param config: the file that was given.
    :param control: the value of --control: a path, or a name.
    :raises ControlError: there is none, or it is not clear which one is meant.
    :raises ConfigError: the file can't be read, and no pool was started from it.
    """
    if control is None and SOCKET_VARIABLE in os.environ:
        control = _of_the_environment(os.environ[SOCKET_VARIABLE])
    if control is not None:
        pool = _at(control)
        if config is not None:
            _insist(pool, config)
        return pool
    if config is not None or DEFAULT_CONFIG.exists():
        return _of_configuration(config or DEFAULT_CONFIG)
    found = running_pools()
    if len(found) == 1 and found[0].status is not None:
        return _pool(found[0])
    if not found:
        refuse_others_folder(runtime_folder() / f"any{SUFFIX}")
        raise ControlError(f"no pool runs: {runtime_folder()} has none (--control PATH chooses another place)")
    if len(found) == 1:
        raise ControlError(_of_silent(found))
    raise ControlError(f"several pools run; CONFIG or --control NAME chooses one:\n{table_of(found)}")


def running_pools() -> list[Running]:
    """List the running pools of this user, by name; for root, of every user. Files left by killed ones are removed."""
    there = [path for folder in runtime_folders() for path in sockets_in(folder)]
    paths = {os.path.realpath(path): path for path in there}
    found = [
        Running(
            path,
            _about(path, peer.pid) if answer is None or answer.about is None else answer.about,
            peer.uid,
            None if answer is None else answer.result,
        )
        for path, peer, answer in status_of_each(paths.values())
    ]
    answering = {os.path.realpath(each.path) for each in found}
    left = [each for each in there if os.path.realpath(each) not in answering and is_own_folder(each.parent)]
    for remove in (remove_refused_link, remove_stale):  # links first: without its socket one leads nowhere, and stays
        for path in left:
            remove(path)
    return sorted(found, key=lambda each: (each.about.name, each.about.pid))


def table_of(found: Iterable[Running]) -> str:
    """Return a table for an error."""
    rows = [("NAME", "PID", "CONFIGURATION")]
    rows += [(each.about.name, str(each.about.pid), each.about.configuration or "-") for each in found]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(f"  {line.rstrip()}" for line in lines)


def _of_silent(found: Iterable[Running]) -> str:
    """Return a sentence about pools that don't answer."""
    names = ", ".join(f"{each.about.name} (pid {each.about.pid})" for each in found)
    return f"no answer from the pool {names}: it is stopped or stuck"


def _about(path: Path, pid: int) -> About:
    """Return all that is known of a pool that doesn't answer."""
    return About(in_one_line(path.name.removesuffix(SUFFIX)), pid, None)


def _pool(running: Running) -> Pool:
    return Pool(running.path, running.about)


def _at(control: str) -> Pool:
    """Find the pool at a path, or of a name."""
    path = Path(control)
    if "/" in control or path.is_socket():
        return Pool(path)
    found = running_pools()
    named = [each for each in found if each.about.name == control]
    if len(named) > 1:  # of several users
        paths = "\n".join(f"  {in_one_line(str(each.path))}" for each in named)
        raise ControlError(f"several pools have this name; --control PATH chooses one:\n{paths}")
    if found and not named:
        raise ControlError(f"no pool has the name {control!r}, and no socket this path; running:\n{table_of(found)}")
    return _pool(named[0]) if named else Pool(path)


def _of_the_environment(text: str) -> str:
    """Check the variable by the rules of the setting that it stands for.

    :raises ConfigError: it is wrong.
    """
    from pydantic import ValidationError  # noqa: PLC0415 - see _configured_path

    from corepool.config.draft import ENVIRONMENT  # noqa: PLC0415
    from corepool.config.mistakes import describe_mistakes  # noqa: PLC0415
    from corepool.config.settings import ControlSettings  # noqa: PLC0415

    try:
        ControlSettings(socket=text)
    except ValidationError as error:
        mistakes = describe_mistakes(error, ControlSettings, "control")
        named = [mistake.replace("control.socket", SOCKET_VARIABLE, 1) for mistake in mistakes]
        raise ConfigError(named, ENVIRONMENT) from None
    return text


def _of_configuration(config: Path) -> Pool:
    """Find the pool that was started from a file."""
    found = running_pools()
    claiming = [each for each in found if _is_from(each.about, config)]
    started = [each for each in claiming if _may_claim(each, config)]
    if len(started) > 1:  # the one before is still busy with its last clients
        started = [each for each in started if (each.status or {}).get("state") != "stopping"] or started
    if len(started) > 1:
        raise ControlError(
            f"several pools run that were started from {config}; --control NAME chooses one:\n{table_of(started)}"
        )
    if started:
        return _pool(started[0])
    path = _configured_path(config)
    if path is not None and path.exists():
        pool = Pool(path)
        _insist(pool, config)
        return pool
    reason = f"no pool runs that was started from {config}" + ("" if path is None else f"; none answers at {path}")
    if claiming:
        reason += f"; what says so is run by user {claiming[0].uid}, and neither ours nor the file's owner's"
    if silent := [each for each in found if each.status is None]:
        reason = f"{_of_silent(silent)}, and may have been started from {config}; else, {reason}"
    raise ControlError(reason + (f"; --control NAME chooses another:\n{table_of(found)}" if found else ""))


def _insist(pool: Pool, config: Path) -> None:
    """Refuse a pool that was not started from a file.

    :raises ControlError: it was not.
    """
    pool.status()
    if pool.about is None or not _is_from(pool.about, config):
        raise ControlError(f"the pool at {pool.path} was not started from {config}: it is {pool}")


def _is_from(about: About, config: Path) -> bool:
    """Compare files as they are now: a path may lead over a link to the folder of the current release."""
    return about.configuration is not None and os.path.realpath(about.configuration) == os.path.realpath(config)


def _may_claim(running: Running, config: Path) -> bool:
    """Return whether a pool may say that it was started from a file: any user's pool could, and get root's commands.

    It may if its user is we, root or the owner of the file, or if root has made the folder that its socket is in, as
    systemd does for a service.
    """
    if running.uid in (os.geteuid(), 0):
        return True
    with contextlib.suppress(OSError):
        if config.stat().st_uid == running.uid:
            return True
    with contextlib.suppress(OSError):
        above = running.path.parent.parent.stat()
        return above.st_uid == 0 and not above.st_mode & 0o022
    return False


def _configured_path(config: Path) -> Path | None:
    """Return the path of the control socket that a file has; it may be edited at the moment, but for that."""
    # Here, for it takes half of the time of a command, and most find their pool without it.
    from corepool.cli.resolve import draft_of_file  # noqa: PLC0415
    from corepool.config.load import Overrides  # noqa: PLC0415

    draft = draft_of_file(config, Overrides())
    if draft.settings is None or any(mistake.startswith("control") for mistake in draft.mistakes):
        draft.finish()
    socket = None if draft.settings is None else draft.settings.control.socket
    return None if socket is None else Path(socket)
