"""`corepool reload`, `stop`, `scale`, `drain`: tell a running pool what to do, and wait until it is done."""

import contextlib
import json
import os
import select
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from corepool.cli.arguments import AsJson, Config, Control, whole_number
from corepool.cli.client import ask, pid_of_master
from corepool.cli.status import socket_of
from corepool.errors import ControlError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LOOK_S = 0.1
"""How often a pool is asked how far it has got."""


def reload(config: Config = None, control: Control = None, *, as_json: AsJson = False) -> None:
    """Replace the workers, one after the other.

    Each serves until its replacement is ready; new application code runs then. Ends with status 1 when a replacement
    can't start: the workers that were not replaced go on.
    """
    path = socket_of(config, control)
    begun = ask(path, "reload")
    while True:
        seen: Any = ask(path, "status")["reload"]
        if seen["state"] != "running" or seen["generation"] != begun["generation"]:
            break
        time.sleep(_LOOK_S)
    if as_json:
        typer.echo(json.dumps(seen, indent=2))
    elif seen["state"] == "done":
        typer.echo(f"reloaded: every worker is of generation {seen['generation']}")
    if seen["generation"] != begun["generation"]:
        raise ControlError("superseded by another reload; see `corepool status`")
    if seen["state"] == "failed":
        raise ControlError(f"reload failed; the old workers keep serving: {seen['error']}")


def upgrade(config: Config = None, control: Control = None, *, as_json: AsJson = False) -> None:
    """Replace the whole pool, its master included.

    A new master is executed with the listening sockets: new versions of Python, corepool and plugins run then. The
    old one leaves when the new one is ready. Ends with status 1 when it can't start: the old one goes on.
    """
    path = socket_of(config, control)
    pid = ask(path, "upgrade")["pid"]
    while True:
        seen: Any = ask(path, "status")
        if seen["pid"] == pid or seen["upgrade"]["pid"] != pid or seen["upgrade"]["state"] == "failed":
            break
        time.sleep(_LOOK_S)
    if seen["pid"] != pid and seen["upgrade"]["pid"] != pid:
        raise ControlError(f"another upgrade has begun meanwhile; the master is pid {seen['pid']} now")
    if seen["pid"] != pid:
        raise ControlError(f"upgrade failed; the old master keeps serving: {seen['upgrade']['error']}; see the log")
    typer.echo(json.dumps({"pid": pid}) if as_json else f"upgraded: the master is pid {pid} now")


def stop(
    config: Config = None,
    control: Control = None,
    *,
    now: Annotated[bool, typer.Option("--now", help="Close every connection at once.")] = False,
    as_json: AsJson = False,
) -> None:
    """Stop a pool, and wait until it is gone.

    Its workers finish what they have begun, within `drain_timeout`.
    """
    path = socket_of(config, control)
    pid: Any = ask(path, "status")["pid"]
    with _process(pid_of_master(path)) as process:
        ask(path, "stop", now=now)
        began = time.monotonic()
        if sys.stdout.isatty() and not as_json:
            _show_progress(process, path)
        else:
            _tell_progress(process, path, quiet=as_json)
    took_s = round(time.monotonic() - began, 1)
    typer.echo(json.dumps({"pid": pid, "took": took_s}) if as_json else f"stopped after {took_s} s")


def scale(
    workers: Annotated[int, typer.Argument(metavar="N", help="How many workers.", parser=whole_number)],
    config: Config = None,
    control: Control = None,
    pool: Annotated[str | None, typer.Option("--pool", metavar="NAME", help="Which of several pools.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Set the number of workers.

    Surplus workers finish what they have begun.
    """
    answer = ask(socket_of(config, control), "scale", workers=workers, pool=pool)
    typer.echo(json.dumps(answer) if as_json else f"workers: {answer['workers']}")


def drain(
    worker: Annotated[str, typer.Argument(metavar="WORKER", help="SLOT; of several pools: POOL/SLOT.")],
    config: Config = None,
    control: Control = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Replace one worker.

    When its replacement is ready it takes nothing new, and finishes what it has begun.
    """
    pool, _, slot = worker.rpartition("/")
    if not slot.isdecimal():
        raise typer.BadParameter(f"{worker!r} is neither SLOT nor POOL/SLOT", param_hint="WORKER")
    answer = ask(socket_of(config, control), "drain", slot=int(slot), pool=pool or None)
    typer.echo(json.dumps(answer) if as_json else f"worker {worker} (pid {answer['pid']}) is being replaced")


def pause(
    listener: Annotated[str, typer.Argument(metavar="LISTENER", help="Its name, as `corepool status` shows it.")],
    config: Config = None,
    control: Control = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Stop accepting connections of one listener.

    They wait in the kernel's backlog until `corepool resume`; those that are open go on.
    """
    ask(socket_of(config, control), "pause", listener=listener)
    typer.echo(json.dumps({"listener": listener}) if as_json else f"listener {listener} is paused")


def resume(
    listener: Annotated[str, typer.Argument(metavar="LISTENER", help="Its name, as `corepool status` shows it.")],
    config: Config = None,
    control: Control = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Accept connections of a listener again."""
    ask(socket_of(config, control), "resume", listener=listener)
    typer.echo(json.dumps({"listener": listener}) if as_json else f"listener {listener} is served again")


def rebalance(config: Config = None, control: Control = None, *, as_json: AsJson = False) -> None:
    """Even out the connections of the workers.

    Idle connections go from workers that hold more than their share to those that hold less. The pool does so by
    itself, slowly; this does it at once.
    """
    answer = ask(socket_of(config, control), "rebalance")
    count = answer["asked"]
    typer.echo(
        json.dumps(answer) if as_json else f"asked workers to hand back {count} connection{'' if count == 1 else 's'}"
    )


def log_level(
    level: Annotated[str, typer.Argument(metavar="LEVEL", help="debug, info, warning or error.")],
    config: Config = None,
    control: Control = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Change what a running pool writes to its log."""
    ask(socket_of(config, control), "log-level", level=level)
    typer.echo(json.dumps({"level": level}) if as_json else f"log level is now {level}")


@contextlib.contextmanager
def _process(pid: int) -> "Iterator[int | None]":
    """Open a process, so that its end is seen even if its number gets a new owner; None: it can't be seen from here."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:  # in another container, whose number is 0 here, or gone
        yield None
        return
    try:
        yield fd
    finally:
        os.close(fd)


def _has_ended(process: int | None, path: Path) -> bool:
    """Wait a moment for the end of the pool."""
    if process is not None:
        return bool(select.select([process], [], [], _LOOK_S)[0])
    time.sleep(_LOOK_S)
    return not path.exists()


def _tell_progress(process: int | None, path: Path, *, quiet: bool) -> None:
    """Wait for the end, and say which workers are waited for whenever that changes."""
    shown = ""
    while not _has_ended(process, path):
        held = _held(path)
        line = f"waiting for connections of worker {_names(held)}" if held else ""
        if line and line != shown and not quiet:
            typer.echo(line)
            shown = line


def _show_progress(process: int | None, path: Path) -> None:
    """Wait for the end, and show by a bar how many of the open connections have ended."""
    from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415 - rich is slow to import

    bar = (TextColumn("{task.completed:.0f} of {task.total:.0f} connections have ended"), BarColumn())
    with Progress(*bar, TextColumn("{task.description}", markup=False), transient=True) as progress:
        most = sum(_held(path).values())
        task = progress.add_task("", total=most)
        while not _has_ended(process, path):
            held = _held(path)
            progress.update(task, completed=max(0, most - sum(held.values())), description=f"left: {_names(held)}")


def _held(path: Path) -> "Mapping[str, int]":
    """Return the number of connections that each worker holds; empty once the pool has closed its socket."""
    try:
        status: Mapping[str, Any] = ask(path, "status")
    except ControlError:
        return {}
    several = len(status["pools"]) > 1
    return {
        f"{each['pool'] + '/' if several else ''}{each['slot']} (pid {each['pid']})": each["connections"]
        for each in status["workers"]
    }


def _names(held: "Mapping[str, int]") -> str:
    return ", ".join(f"{name}: {count}" for name, count in held.items())
