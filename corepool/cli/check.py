"""`corepool check`, `init` and `schema`: write a configuration and find its mistakes."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from corepool.cli.arguments import AsJson, Config
from corepool.cli.resolve import draft_of_file, settle, settle_plugins, starter
from corepool.config.load import Overrides
from corepool.config.runtime import DEFAULT_CONFIG
from corepool.errors import ConfigError
from corepool.plugins.registry import Registry


def check(
    config: Config = None,
    *,
    file_only: Annotated[
        bool,
        typer.Option("--file-only", help="Judge the file, not this system: for CI, and while an image is built."),
    ] = False,
) -> None:
    """Report every mistake in a configuration.

    Also what this system would refuse at a start, such as a folder that is missing; --file-only judges the file alone.

    If there are none, print it with every default filled in, and without the secrets. The application is not imported:
    only the workers do that.
    """
    from corepool.cli.toml import resolved  # noqa: PLC0415

    registry = Registry()
    draft = draft_of_file(config, Overrides(environment=os.environ))
    settings = (settle_plugins if file_only else settle)(draft, registry)
    for doubt in draft.spell_doubts():
        typer.echo(f"warning: {doubt}", err=True)
    typer.echo(f"# {config or DEFAULT_CONFIG}: no mistakes. With every default filled in it reads:\n")
    typer.echo(resolved(settings, registry, draft.started_from), nl=False)


def config(path: Config = None, *, as_json: AsJson = False) -> None:
    """Print every setting, and where it comes from.

    From the file, the environment (COREPOOL_SECTION_KEY), or nowhere: then it is the default.
    """
    from corepool.cli.shown import shown  # noqa: PLC0415

    draft, registry = draft_of_file(path, Overrides(environment=os.environ)), Registry()
    tables = shown(settle_plugins(draft, registry), registry)
    lines: list[tuple[str, object, str]] = []
    for section, content in tables.items():
        for number, table in enumerate(content) if isinstance(content, list) else [(None, content)]:
            where = section if number is None else f"{section}[{number}]"
            lines += [(f"{where}.{key}", each, draft.origin(f"{where}.{key}")) for key, each in table.items()]
    if as_json:
        told = {key: {"value": value, "origin": origin} for key, value, origin in lines}
        typer.echo(json.dumps(told, indent=2))
        return
    for key, value, origin in lines:
        typer.echo(f"{key} = {'unset' if value is None else json.dumps(value)}  # {origin}")


def init(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The file to write.")] = DEFAULT_CONFIG,
) -> None:
    """Write a commented starter configuration."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(starter())
    except FileExistsError:
        raise ConfigError([f"{path}: already exists; left untouched"]) from None
    except OSError as error:
        raise ConfigError([f"{path}: can't be written: {error.strerror}"]) from None
    typer.echo(f"wrote {path}; `corepool run{'' if path == DEFAULT_CONFIG else f' {path}'}` starts it")


def schema() -> None:
    """Print the JSON Schema of a configuration.

    It includes the options of the installed plugins.
    """
    from corepool.cli.schema import build_schema  # noqa: PLC0415

    typer.echo(json.dumps(build_schema(Registry()), indent=2))
