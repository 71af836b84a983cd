"""`corepool.run`: a pool from a script or a notebook."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>

_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)

Value = str | int | float | bool | None
Values: TypeAlias = "Value | Sequence[str | int] | Mapping[str, str | int]"


def run(target: str | None = None, *, protocol: str = "http", **flags: Values) -> None:
    """Serve, until the pool is stopped: what `corepool serve PROTOCOL TARGET` does, from a script or a notebook.

    `corepool.run("myapp:app", bind=8000, workers=4, threads=8, idle_timeout="5m")`. Each flag of `corepool serve` is an
    argument, with `_` for `-`: a switch is True or False, a flag that may be repeated a list, one of KEY=VALUE a dict;
    None leaves it out. Modules are looked for in the current folder, or in `directory`, where the protocol has it,
    and then in the folder of the script, if there is one. Other paths, as of `root`, begin at the current folder.

    The pool is a process of its own, `python -m corepool`, so that it owes nothing to the threads and the event loop of
    this one. It ends with this one, so it can be reloaded, but not upgraded in place. In the main thread, signals that
    come here are passed on to it, unless they are ignored here; the terminal's Ctrl-C reaches it only so.

    :param target: what it serves, where the protocol takes one: "module:attribute", imported by the workers.
    :raises SystemExit: it has ended with another status than 0; the reason is on standard error.
    :raises TypeError: `target` is an object: workers import it by its name.
    :raises RuntimeError: this is a process of a pool, which imports the module that calls.
    """
    if _is_of_a_pool():  # each worker would start a pool, whose workers would each start another
        raise RuntimeError(
            "corepool.run: a pool can't start another; the module that calls it is imported by the pool, so the call "
            'belongs below `if __name__ == "__main__":`'
        )
    if target is not None and not isinstance(target, str):
        raise TypeError(f'target: expected "module:attribute", which each worker imports, not {target!r}')
    command = [sys.executable, "-m", "corepool", "serve", protocol, *([] if target is None else [target])]
    prctl = ctypes.CDLL(None).prctl  # looked up here: the forked child may only make the call

    def end_with_us() -> None:  # a notebook whose kernel is killed, say: the pool would keep the port
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    with subprocess.Popen(  # noqa: S603  # our own
        [*command, *_arguments(flags)],
        env=_environment(),
        preexec_fn=end_with_us,  # noqa: PLW1509
        # A terminal sends Ctrl-C to the whole group. We pass it on, and a second SIGINT kills.
        process_group=0 if _passes_signals_on() else None,
    ) as process:
        try:
            status = _wait(process)
        finally:
            process.terminate()  # nothing, once it has ended
    if status:
        raise SystemExit(status if status > 0 else 128 - status)


def _is_of_a_pool() -> bool:
    """Return whether this process is the command `corepool`, or forked from it."""
    command = getattr(sys.modules.get("__main__"), "main", None)  # of `python -m corepool` and of the script in bin
    return getattr(command, "__module__", None) == "corepool.cli"


def _script_folder() -> str | None:
    """Return the folder of the script that runs, the first of sys.path; None: there is none, or it is the current."""
    main = sys.modules.get("__main__")
    file = getattr(main, "__file__", None)
    if file is None or getattr(main, "__spec__", None) is not None:  # a notebook; `python -m`
        return None
    folder = os.path.dirname(os.path.realpath(file))  # noqa: PTH120
    return None if folder == os.getcwd() else folder  # noqa: PTH109


def _environment() -> dict[str, str]:
    """Return the environment of the pool: its workers find the modules that the script would find."""
    folders = [_script_folder(), os.environ.get("PYTHONPATH")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, folders))}


def _passes_signals_on() -> bool:
    return threading.current_thread() is threading.main_thread()  # no other may set handlers


def _arguments(flags: Mapping[str, Values]) -> Iterator[str]:
    for key, value in flags.items():
        name = key.replace("_", "-")
        if value is True or value is False:
            yield f"--{name}" if value else f"--no-{name}"
        elif isinstance(value, str | int | float):
            yield f"--{name}={value}"
        elif isinstance(value, Mapping):
            yield from (f"--{name}={each}={text}" for each, text in value.items())
        elif value is not None:
            yield from (f"--{name}={each}" for each in value)


def _wait(process: subprocess.Popen[bytes]) -> int:
    if not _passes_signals_on():
        return process.wait()
    before: dict[signal.Signals, Callable[[int, FrameType | None], object] | int] = {}

    def pass_on(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001
        process.send_signal(signum)

    try:
        for signum in _PASSED_ON:
            handler = signal.getsignal(signum)
            if handler not in (signal.SIG_IGN, None):  # ignored, as under nohup; or a handler in C can't be restored
                before[signum] = handler
                signal.signal(signum, pass_on)
        return process.wait()
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
