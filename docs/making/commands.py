"""The page of the commands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import typer

from corepool import errors
from corepool.cli.app import make_app
from docs.making.text import MADE, paragraph, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    import click


def page() -> str:
    """Write the page."""
    group: Any = typer.main.get_command(make_app())
    parts = [
        f"# Commands\n\n{MADE}\n",
        *_sections(group),
    ]
    statuses = re.findall(r"^(\d) +(.+(?:\n {2,}.+)*)", errors.__doc__ or "", re.MULTILINE)
    parts.append(
        "## Exit status\n\n"
        + table(["status", "meaning"], [(status, " ".join(meaning.split())) for status, meaning in statuses])
    )
    return "\n".join(parts)


def _sections(group: Any, before: str = "") -> Iterator[str]:
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if hasattr(command, "list_commands"):
            yield from _sections(command, f"{before}{name} ")
        else:
            yield _section(before + name, command)


def _section(name: str, command: click.Command) -> str:
    context = command.make_context(name, [], resilient_parsing=True)
    usage = " ".join(["corepool", name, *command.collect_usage_pieces(context)])
    rows = list(_rows(command))
    told = paragraph(command.help)
    return f"## {name}\n\n```\n{usage}\n```\n\n{told}\n" + (f"\n{table(['argument', 'meaning'], rows)}" if rows else "")


def _rows(command: click.Command) -> Iterator[tuple[str, str]]:
    for parameter in command.params:
        if parameter.name == "help":
            continue
        flags = ", ".join(f"`{each}`" for each in parameter.opts if each.startswith("-"))
        value = parameter.metavar or ""
        name = f"{flags} {value}".strip() if flags else f"`{value or (parameter.name or '').upper()}`"
        yield name, str(getattr(parameter, "help", "") or "")
