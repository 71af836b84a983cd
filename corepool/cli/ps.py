"""`corepool ps`: the pools that run."""

import json
import os
import pwd
from typing import TYPE_CHECKING, Any

import typer

from corepool.cli.arguments import AsJson, Color, Wide
from corepool.cli.client import in_one_line
from corepool.cli.pools import running_pools
from corepool.cli.units import span

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corepool.cli.pools import Running


def ps(*, wide: Wide = False, color: Color = "auto", as_json: AsJson = False) -> None:
    """List your running pools; for root, those of every user.

    A pool is called as [process] or [pool] name it, else after the folder of its configuration; one of `serve` after
    its protocol and address.
    """
    found = running_pools()
    if as_json:
        typer.echo(json.dumps([_as_json(each) for each in found], indent=2))
        return
    if not found:
        typer.echo("no pool runs")
        return
    from corepool.cli.tables import Column, print_table  # noqa: PLC0415 - rich is slow to import

    user = [Column("user")] if any(each.uid != os.geteuid() for each in found) else []
    rows = [
        [
            each.about.name,
            *([_user(each.uid)] if user else []),
            each.about.pid,
            "?" if each.status is None else span(each.status.get("uptime")),
            _state(each),
            "\n".join(in_one_line(url) for _, bind in _listeners(each.status) for url in bind),
            each.about.configuration or "-",
        ]
        for each in found
    ]
    columns = [
        Column("name"),
        *user,
        Column("pid"),
        Column("uptime", 2),
        Column("state"),
        Column("listeners"),
        Column("configuration", 1),
    ]
    print_table(columns, rows, wide=wide, color=color)


def _as_json(pool: "Running") -> dict[str, object]:
    status: Mapping[str, Any] = pool.status or {}
    return {
        **pool.about._asdict(),
        "uptime": status.get("uptime"),
        "state": _state(pool),
        "listeners": [{"name": name, "bind": bind} for name, bind in _listeners(pool.status)],
        "version": status.get("version"),
        "user": _user(pool.uid),
        "control": str(pool.path),
    }


def _state(pool: "Running") -> str:
    return "no answer" if pool.status is None else in_one_line(str(pool.status.get("state", "?")))


def _listeners(status: "Mapping[str, Any] | None") -> list[tuple[str, list[str]]]:
    return [(each["name"], each["bind"]) for each in (status or {}).get("listeners", ())]


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
