"""`corepool.run`: a pool from a script or a notebook."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>

_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)

Value = str | int | float | bool | None


def run(target: str | None = None, *, protocol: str = "http", **flags: Value | Sequence[str | int]) -> None:
    """Serve, until the pool is stopped: what `corepool serve PROTOCOL TARGET` does, from a script or a notebook.

    `corepool.run("myapp:app", bind=8000, workers=4, threads=8, idle_timeout="5m")`. Each flag of `corepool serve` is an
    argument, with `_` for `-`: a switch is True or False, a flag that may be repeated a list; None leaves it out.

    The pool is a process of its own, `python -m corepool`, so that it owes nothing to the threads and the event loop of
    this one, and can be upgraded in place. Signals that come here are passed on to it, if this is the main thread.

    :param target: what it serves, where the protocol takes one: "module:attribute", imported by the workers.
    :raises SystemExit: it has ended with another status than 0; the reason is on standard error.
    :raises TypeError: `target` is an object: workers import it by its name.
    """
    if target is not None and not isinstance(target, str):
        raise TypeError(f'target: expected "module:attribute", which each worker imports, not {target!r}')
    command = [sys.executable, "-m", "corepool", "serve", protocol, *([] if target is None else [target])]
    prctl = ctypes.CDLL(None).prctl  # looked up here: the forked child may only make the call

    def end_with_us() -> None:  # a notebook whose kernel is killed, say: the pool would keep the port
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    with subprocess.Popen(  # noqa: S603  # our own
        [*command, *_arguments(flags)],
        preexec_fn=end_with_us,  # noqa: PLW1509
    ) as process:
        status = _wait(process)
    if status:
        raise SystemExit(status if status > 0 else 128 - status)


def _arguments(flags: dict[str, Value | Sequence[str | int]]) -> Iterator[str]:
    for key, value in flags.items():
        name = key.replace("_", "-")
        if value is True or value is False:
            yield f"--{name}" if value else f"--no-{name}"
        elif isinstance(value, str | int | float):
            yield f"--{name}={value}"
        elif value is not None:
            yield from (f"--{name}={each}" for each in value)


def _wait(process: subprocess.Popen[bytes]) -> int:
    if threading.current_thread() is not threading.main_thread():
        try:
            return process.wait()
        finally:
            process.terminate()
    before: dict[signal.Signals, Callable[[int, FrameType | None], object] | int | None] = {}

    def pass_on(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001
        process.send_signal(signum)

    for signum in _PASSED_ON:
        before[signum] = signal.signal(signum, pass_on)
    try:
        return process.wait()
    finally:
        for signum, handler in before.items():
            signal.signal(signum, signal.SIG_DFL if handler is None else handler)
