"""`corepool reload`, `stop`, `scale`, `drain`: tell a running pool what to do, and wait until it is done."""

import contextlib
import json
import os
import select
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from corepool.cli.arguments import AsJson, Config, Which, whole_number
from corepool.cli.client import pid_of_master
from corepool.cli.pools import Pool, pool_of
from corepool.errors import ControlError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LOOK_S = 0.1
"""How often a pool is asked how far it has got."""


def reload(config: Config = None, control: Which = None, *, as_json: AsJson = False) -> None:
    """Replace the workers, one after the other.

    Each serves until its replacement is ready; new application code runs then. Ends with status 1 when a replacement
    can't start: the workers that were not replaced go on.
    """
    its = pool_of(config, control)
    begun = its.order("reload")
    while True:
        seen: Any = its.status()["reload"]
        if seen["state"] != "running" or seen["generation"] != begun["generation"]:
            break
        time.sleep(_LOOK_S)
    if as_json:
        typer.echo(json.dumps({"pool": its.as_json(), **seen}, indent=2))
    elif seen["state"] == "done":
        typer.echo(f"{its}: reloaded: every worker is of generation {seen['generation']}")
    if seen["generation"] != begun["generation"]:
        raise ControlError(f"{its}: superseded by another reload; see `corepool status`")
    if seen["state"] == "failed":
        raise ControlError(f"{its}: reload failed; the old workers keep serving: {seen['error']}")


def upgrade(config: Config = None, control: Which = None, *, as_json: AsJson = False) -> None:
    """Replace the whole pool, its master included.

    A new master is executed with the listening sockets: new versions of Python, corepool and plugins run then. The
    old one leaves when the new one is ready. Ends with status 1 when it can't start: the old one goes on.
    """
    its = pool_of(config, control)
    pid = its.order("upgrade")["pid"]
    while True:
        seen: Any = its.status()
        if seen["pid"] == pid or seen["upgrade"]["pid"] != pid or seen["upgrade"]["state"] == "failed":
            break
        time.sleep(_LOOK_S)
    if seen["pid"] != pid and seen["upgrade"]["pid"] != pid:
        raise ControlError(f"{its}: another upgrade has begun meanwhile; the master is pid {seen['pid']} now")
    if seen["pid"] != pid:
        error = seen["upgrade"]["error"]
        raise ControlError(f"{its}: upgrade failed; the old master keeps serving: {error}; see the log")
    _tell(its, {"pid": pid}, f"upgraded: the master is pid {pid} now", as_json=as_json)


def stop(
    config: Config = None,
    control: Which = None,
    *,
    now: Annotated[bool, typer.Option("--now", help="Close every connection at once.")] = False,
    as_json: AsJson = False,
) -> None:
    """Stop a pool, and wait until it is gone.

    Its workers finish what they have begun, within `drain_timeout`.
    """
    its = pool_of(config, control)
    pid: Any = its.status()["pid"]
    with _process(pid_of_master(its.path)) as process:
        its.order("stop", now=now)
        began = time.monotonic()
        if sys.stdout.isatty() and not as_json:
            _show_progress(process, its)
        else:
            _tell_progress(process, its, quiet=as_json)
    took_s = round(time.monotonic() - began, 1)
    _tell(its, {"pid": pid, "took": took_s}, f"stopped after {took_s} s", as_json=as_json)


def scale(
    workers: Annotated[int, typer.Argument(metavar="N", help="How many workers.", parser=whole_number)],
    config: Config = None,
    control: Which = None,
    pool: Annotated[str | None, typer.Option("--pool", metavar="NAME", help="Which of several pools.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Set the number of workers.

    Surplus workers finish what they have begun.
    """
    its = pool_of(config, control)
    answer = its.order("scale", workers=workers, pool=pool)
    _tell(its, answer, f"workers: {answer['workers']}", as_json=as_json)


def drain(
    worker: Annotated[str, typer.Argument(metavar="WORKER", help="SLOT; of several pools: POOL/SLOT.")],
    config: Config = None,
    control: Which = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Replace one worker.

    When its replacement is ready it takes nothing new, and finishes what it has begun.
    """
    pool, _, slot = worker.rpartition("/")
    if not slot.isdecimal():
        raise typer.BadParameter(f"{worker!r} is neither SLOT nor POOL/SLOT", param_hint="WORKER")
    its = pool_of(config, control)
    answer = its.order("drain", slot=int(slot), pool=pool or None)
    _tell(its, answer, f"worker {worker} (pid {answer['pid']}) is being replaced", as_json=as_json)


def pause(
    listener: Annotated[str, typer.Argument(metavar="LISTENER", help="Its name, as `corepool status` shows it.")],
    config: Config = None,
    control: Which = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Stop accepting connections of one listener.

    They wait in the kernel's backlog until `corepool resume`; those that are open go on.
    """
    its = pool_of(config, control)
    its.order("pause", listener=listener)
    _tell(its, {"listener": listener}, f"listener {listener} is paused", as_json=as_json)


def resume(
    listener: Annotated[str, typer.Argument(metavar="LISTENER", help="Its name, as `corepool status` shows it.")],
    config: Config = None,
    control: Which = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Accept connections of a listener again."""
    its = pool_of(config, control)
    its.order("resume", listener=listener)
    _tell(its, {"listener": listener}, f"listener {listener} is served again", as_json=as_json)


def rebalance(config: Config = None, control: Which = None, *, as_json: AsJson = False) -> None:
    """Even out the connections of the workers.

    Idle connections go from workers that hold more than their share to those that hold less. The pool does so by
    itself, slowly; this does it at once.
    """
    its = pool_of(config, control)
    answer = its.order("rebalance")
    count = answer["asked"]
    told = f"asked workers to hand back {count} connection{'' if count == 1 else 's'}"
    _tell(its, answer, told, as_json=as_json)


def log_level(
    level: Annotated[str, typer.Argument(metavar="LEVEL", help="debug, info, warning or error.")],
    config: Config = None,
    control: Which = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Change what a running pool writes to its log."""
    its = pool_of(config, control)
    its.order("log-level", level=level)
    _tell(its, {"level": level}, f"log level is now {level}", as_json=as_json)


def _tell(its: Pool, answer: "Mapping[str, object]", told: str, *, as_json: bool) -> None:
    """Print the answer of a pool, with the names of that."""
    typer.echo(json.dumps({"pool": its.as_json(), **answer}) if as_json else f"{its}: {told}")


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


def _has_ended(process: int | None, its: Pool) -> bool:
    """Wait a moment for the end of the pool."""
    if process is not None:
        return bool(select.select([process], [], [], _LOOK_S)[0])
    time.sleep(_LOOK_S)
    return not its.path.exists()


def _tell_progress(process: int | None, its: Pool, *, quiet: bool) -> None:
    """Wait for the end, and say which workers are waited for whenever that changes."""
    shown = ""
    while not _has_ended(process, its):
        held = _held(its)
        line = f"waiting for connections of worker {_names(held)}" if held else ""
        if line and line != shown and not quiet:
            typer.echo(line)
            shown = line


def _show_progress(process: int | None, its: Pool) -> None:
    """Wait for the end, and show by a bar how many of the open connections have ended."""
    from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415 - rich is slow to import

    bar = (TextColumn("{task.completed:.0f} of {task.total:.0f} connections have ended"), BarColumn())
    with Progress(*bar, TextColumn("{task.description}", markup=False), transient=True) as progress:
        most = sum(_held(its).values())
        task = progress.add_task("", total=most)
        while not _has_ended(process, its):
            held = _held(its)
            progress.update(task, completed=max(0, most - sum(held.values())), description=f"left: {_names(held)}")


def _held(its: Pool) -> "Mapping[str, int]":
    """Return the number of connections that each worker holds; empty once the pool has closed its socket."""
    try:
        status: Mapping[str, Any] = its.status()
    except ControlError:
        return {}
    several = len(status["pools"]) > 1
    return {
        f"{each['pool'] + '/' if several else ''}{each['slot']} (pid {each['pid']})": each["connections"]
        for each in status["workers"]
    }


def _names(held: "Mapping[str, int]") -> str:
    return ", ".join(f"{name}: {count}" for name, count in held.items())
