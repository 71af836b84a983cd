"""`corepool status`: ask a running pool how it is."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from corepool.cli.arguments import DEFAULT_CONFIG, AsJson, Config, Control
from corepool.cli.client import ask
from corepool.cli.reloads import failed_reload
from corepool.cli.resolve import draft_of_file
from corepool.config.draft import ENVIRONMENT
from corepool.config.load import Overrides, control_socket_path, refuse_others_folder
from corepool.config.mistakes import describe_mistakes
from corepool.config.settings import ControlSettings
from corepool.errors import EXIT_RELOAD_FAILED, ConfigError
from corepool.spec.counters import OF_SERVICES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SOCKET_VARIABLE = "COREPOOL_CONTROL_SOCKET"


def status(
    config: Config = None,
    control: Control = None,
    *,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Print one line; exit with 1 unless every worker is ready, and with 4 if the last reload has failed.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show a running pool: listeners, workers, totals."""
    answer = ask(socket_of(config, control), "status")
    if check:
        _check(answer)
        return
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
        return
    _print(answer)


def _check(answer: "Mapping[str, Any]") -> None:
    wanted = answer.get("wanted", 0)
    ready = sum(worker.get("state") == "ready" for worker in answer.get("workers", []))
    failed = failed_reload(answer)
    typer.echo(f"{answer.get('state')}: {ready} of {wanted} workers are ready{'' if failed is None else f'; {failed}'}")
    if answer.get("state") != "ready" or ready < wanted:
        raise typer.Exit(1)
    if failed is not None:
        raise typer.Exit(EXIT_RELOAD_FAILED)


def socket_of(config: Path | None, control: str | None) -> Path:
    """Find the control socket: that of --control, else of the configuration, else the default one."""
    if control is not None:
        return Path(control)
    if config is None and not DEFAULT_CONFIG.exists():
        return _safe_path(_control_of_the_environment())
    draft = draft_of_file(config, Overrides(environment=os.environ))
    # A pool that runs can be asked while its file is being edited; only where to ask has to be right.
    if draft.settings is None or any(mistake.startswith("control") for mistake in draft.mistakes):
        return _safe_path(draft.finish().control)
    return _safe_path(draft.settings.control)


def _safe_path(control: ControlSettings) -> Path:
    path = control_socket_path(control)
    if control.socket is None:
        refuse_others_folder(path)
    return path


def _control_of_the_environment() -> ControlSettings:
    """Read the only setting that matters where there is no configuration.

    :raises ConfigError: it is wrong.
    """
    try:
        return ControlSettings(socket=os.environ.get(_SOCKET_VARIABLE))
    except ValidationError as error:
        mistakes = describe_mistakes(error, ControlSettings, "control")
        named = [mistake.replace("control.socket", _SOCKET_VARIABLE, 1) for mistake in mistakes]
        raise ConfigError(named, ENVIRONMENT) from None


def _print(answer: "Mapping[str, Any]") -> None:
    from corepool.cli.tables import print_table  # noqa: PLC0415 - rich is slow to import

    typer.echo(
        f"corepool {answer.get('version')}, pid {answer.get('pid')}, "
        f"generation {answer.get('generation')}, up {_span(answer.get('uptime'))}"
    )
    if (failed := failed_reload(answer)) is not None:
        typer.echo(failed)
    pool = ("pool",) if len(answer.get("pools", ())) > 1 else ()
    # Of a master of another version, there may be fewer.
    spare = [each.name for each in OF_SERVICES if all(each.name in one for one in answer.get("listeners", ()))]
    print_table(
        ("listener", *pool, "bound to", "protocol", "dispatcher", "accepted", "active", *spare),
        _rows(answer, "listeners", ("name", *pool, "bind", "protocol", "dispatcher", "accepted", "active", *spare)),
        spare=len(spare),
    )
    columns: tuple[str, ...] = (
        *pool,
        "slot",
        "pid",
        "state",
        "generation",
        "connections",
        "accepted",
        "requests",
        "uptime",
        "lag_ms",
        "rss",
    )
    if any(worker.get("threads") for worker in answer.get("workers", ())):
        columns += ("threads", "threads_busy", "threads_waiting")
    print_table(columns, _rows(answer, "workers", columns))
    totals = answer.get("totals", {})
    print_table(tuple(totals), [[_cell(key, count) for key, count in totals.items()]], title="totals")


def _rows(answer: "Mapping[str, Any]", part: str, keys: "Sequence[str]") -> list[list[object]]:
    return [[_cell(key, element.get(key, "")) for key in keys] for element in answer.get(part, [])]


def _cell(key: str, value: object) -> object:
    match key, value:
        case "uptime", int() | float():
            return _span(value)
        case "rss", int():
            return f"{value / 2**20:.1f} MiB"
        case "bytes_in" | "bytes_out", int():
            return _bytes(value)
        case "lag_ms", float():
            return round(value, 1)
        case _, list():
            return "\n".join(map(str, value))
        case _:
            return value


def _bytes(size: int) -> str:
    """Write a number of bytes: 12 B, 3.4 KiB, 5.6 GiB."""
    for power, unit in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if size >= 1024**power:
            return f"{size / 1024**power:.1f} {unit}"
    return f"{size} B"


def _span(seconds: object) -> str:
    """Write a time as people say it: 12 s, 3 min, 5 h, 9 d."""
    if not isinstance(seconds, int | float):
        return "?"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
