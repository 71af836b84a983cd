"""Arguments and options that several commands share: the same letter means the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def whole_number(text: str) -> int:
    """Parse a number, or describe the expected one: typer's own words for that differ between its versions."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise typer.BadParameter(f"expected a whole number, not {text!r}")
    return int(text)


Config = Annotated[Path | None, typer.Argument(metavar="CONFIG", help="The TOML file.", show_default="./corepool.toml")]
Control = Annotated[
    str | None,
    typer.Option("--control", metavar="PATH", help="The control socket.", show_default=False),
]
Which = Annotated[
    str | None,
    typer.Option(
        "--control",
        metavar="NAME",
        help="The pool, by its name (see `corepool ps`) or the path of its control socket.",
        show_default=False,
    ),
]
Workers = Annotated[
    str | None,
    typer.Option("-w", "--workers", metavar="N", help='How many worker processes, or "auto".'),
]
CertFile = Annotated[
    Path | None,
    typer.Option("--certfile", metavar="PEM", help="Speak TLS with this certificate and its chain: https, for http."),
]
KeyFile = Annotated[
    Path | None,
    typer.Option("--keyfile", metavar="PEM", help="The key of --certfile, if it is not in the same file."),
]
Dispatcher = Annotated[
    str | None,
    typer.Option("-d", "--dispatcher", metavar="NAME", help="How a worker is chosen, where a listener doesn't say."),
]
LogLevel = Annotated[
    str | None,
    typer.Option("--log-level", metavar="LEVEL", help="debug, info, warning or error."),
]
COLORS = ("auto", "always", "never")


def _color(text: str) -> str:
    if text not in COLORS:
        raise typer.BadParameter(f"expected {', '.join(COLORS)}, not {text!r}")
    return text


Wide = Annotated[bool, typer.Option("--wide", help="Show every column, however narrow the terminal is.")]
Color = Annotated[
    str,
    typer.Option(
        "--color", metavar="WHEN", parser=_color, help="auto (on a terminal, unless NO_COLOR is set), always or never."
    ),
]
LogConfig = Annotated[
    str | None,
    typer.Option("--log-config", metavar="FILE", help="Configure Python's logging in the workers: .json, .yaml, INI."),
]
EnvFile = Annotated[
    Path | None,
    typer.Option("--env-file", metavar="FILE", help="Variables, NAME=VALUE a line, that the environment lacks."),
]
ReloadDir = Annotated[
    list[Path] | None,
    typer.Option("--reload-dir", metavar="FOLDER", help="Watch this folder instead of the present one; repeatable."),
]
ReloadInclude = Annotated[
    list[str] | None,
    typer.Option("--reload-include", metavar="PATTERN", help="Watch these files, too, such as '*.html'; repeatable."),
]
ReloadExclude = Annotated[
    list[str] | None,
    typer.Option("--reload-exclude", metavar="PATTERN", help="Don't watch these files, or folder; repeatable."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Reload = Annotated[bool, typer.Option("--reload", help="Reload when code or the configuration changes.")]
