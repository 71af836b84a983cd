"""Tracebacks for the author of the code that failed: they begin where that code does.

The frames above it, of corepool, of its own plugins and of the import system, tell its author nothing.
"""

from __future__ import annotations

import os
import re
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

_FRAME = re.compile(r'^  File "(?P<file>[^"\n]*)", line (?P<line>\d+)', re.MULTILINE)
_PLACE = re.compile(r" \((?P<file>[^()\n]+):(?P<line>\d+)(?:, in [^()\n]*)?\)")
_PACKAGES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


def spell_traceback(error: BaseException) -> str:
    """Write the traceback of an exception, from the first frame outside of corepool on.

    If there is none, all of it is written, since the mistake is ours; a SyntaxError has its place in its message.
    """
    first = error.__traceback__
    is_foreign = _make_judge()
    while first is not None and not is_foreign(first.tb_frame):
        first = first.tb_next
    if first is None and not isinstance(error, SyntaxError):
        first = error.__traceback__
    return "".join(traceback.format_exception(type(error), error, first)).rstrip()


def spell_place(error: BaseException) -> str:
    """Return the last line outside of corepool as " (badly.py:29, in __init__)", or ""."""
    if isinstance(error, SyntaxError) and error.filename is not None:
        return f" ({_short(error.filename)}:{error.lineno})"
    is_foreign = _make_judge()
    last: TracebackType | None = None
    each = error.__traceback__
    while each is not None:
        if is_foreign(each.tb_frame):
            last = each
        each = each.tb_next
    if last is None:
        return ""
    code = last.tb_frame.f_code
    function = "" if code.co_name == "<module>" else f", in {code.co_name}"
    return f" ({_short(code.co_filename)}:{last.tb_lineno}{function})"


def last_words(report: str) -> str:
    """Return the line of a report that names the exception: of a traceback the one behind its last frame."""
    lines = report.strip("\n").splitlines()
    last_frame = max((number for number, line in enumerate(lines) if _FRAME.match(line)), default=-1)
    return next((line for line in lines[last_frame + 1 :] if line[:1].strip()), lines[-1] if lines else "")


def spelled_place(report: str) -> tuple[str, int]:
    """Return the file and the line that a report names last, as `spell_traceback` or `spell_place` write them.

    :returns: ("", 0): it names none.
    """
    found = list(_FRAME.finditer(report)) or list(_PLACE.finditer(report))
    return (found[-1]["file"], int(found[-1]["line"])) if found else ("", 0)


def _short(path: str) -> str:
    """Return the name of a file; of an __init__.py with its folder."""
    name = Path(path).name
    return f"{Path(path).parent.name}/{name}" if name == "__init__.py" else name


def _make_judge() -> Callable[[FrameType], bool]:
    """Make a function that tells frames of other code from those of corepool, its plugins, and Python itself."""
    # Imported for mistakes alone: they take longer than the rest of the log.
    import sysconfig  # noqa: PLC0415
    from importlib.metadata import PackageNotFoundError, distribution  # noqa: PLC0415

    stdlib = sysconfig.get_path("stdlib") + os.sep
    packages = {"corepool"}
    try:
        packages |= {entry.module.partition(".")[0] for entry in distribution("corepool").entry_points}
    except PackageNotFoundError:  # run from a folder, without having been installed
        pass

    def is_foreign(frame: FrameType) -> bool:
        file = frame.f_code.co_filename
        if file.startswith("<frozen ") or (file.startswith(stdlib) and not any(folder in file for folder in _PACKAGES)):
            return False
        return str(frame.f_globals.get("__name__", "")).partition(".")[0] not in packages

    return is_foreign
