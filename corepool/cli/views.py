"""The tables of `status` and `top`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from corepool.cli.tables import Column, make_table, make_tables
from corepool.cli.units import size, span
from corepool.spec.counters import OF_SERVICES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from rich.table import Table

Entry = "Mapping[str, Any]"

_WORKERS: tuple[tuple[str, Column], ...] = (
    ("slot", Column("slot")),
    ("pid", Column("pid")),
    ("state", Column("state")),
    ("generation", Column("gen", 6, hides_zeros=True)),
    ("connections", Column("conns")),
    ("rate", Column("req/s")),
    ("requests", Column("requests", 3)),
    ("accepted", Column("accepted", 8)),
    ("threads", Column("threads", 2, hides_zeros=True)),
    ("threads_busy", Column("busy", 1, hides_zeros=True)),
    ("threads_waiting", Column("waiting", 1, hides_zeros=True)),
    ("lag_ms", Column("lag ms", 4)),
    ("rss", Column("rss", 5)),
    ("uptime", Column("uptime", 7)),
)
"""The columns of workers, by the key in the status."""


def listeners(status: Mapping[str, Any], width: int) -> Table:
    """Make the table of the listeners."""
    found = status.get("listeners", ())
    # Of a master of another version, there may be fewer counters.
    counters = [each.name for each in OF_SERVICES if all(each.name in one for one in found)]
    columns = [
        ("name", Column("listener")),
        *_pool_of(status),
        ("bind", Column("bound to")),
        ("state", Column("state", hides_zeros=True)),
        ("protocol", Column("protocol", 3)),
        ("dispatcher", Column("dispatcher", 6)),
        ("accepted", Column("accepted", 2)),
        ("active", Column("active")),
        *((name, Column(name.replace("_", " "), 5 if name.startswith("bytes") else 1, True)) for name in counters),
    ]
    rows = [{**each, "state": "paused" if each.get("paused") else ""} for each in found]
    return _make(columns, rows, width)


def certificates(status: Mapping[str, Any], width: int, now: float) -> Table:
    """Make the table of the certificates that listeners present, the first to end at the top."""
    found = sorted(status.get("renewal", {}).get("certificates", ()), key=lambda each: float(each["not_after"]))
    columns = [
        ("listener", Column("listener")),
        ("names", Column("certificate for")),
        ("days", Column("days left")),
        ("source", Column("file", 1)),
    ]
    rows = [{**each, "days": int((each["not_after"] - now) // 86_400)} for each in found]
    return _make(columns, rows, width)


def pools(status: Mapping[str, Any], width: int) -> Table:
    """Make the table of the pools of one master."""
    workers = status.get("workers", ())
    rows = [
        {**each, "ready": sum(one["pool"] == each["name"] and one["state"] == "ready" for one in workers)}
        for each in status.get("pools", ())
    ]
    columns = [
        ("name", Column("pool")),
        ("state", Column("state")),
        ("ready", Column("workers ready")),
        ("wanted", Column("wanted")),
    ]
    return _make(columns, rows, width)


def workers(
    status: Mapping[str, Any],
    width: int,
    rates: Mapping[int, float] | None = None,
    order: Callable[[Mapping[str, Any]], Any] | None = None,
    limit: int | None = None,
) -> Table:
    """Make the table of the workers.

    :param rates: requests per second, by pid; None: they are not known.
    :param order: the key that they are sorted by.
    :param limit: how many are shown at most.
    """
    found = [{**each, "rate": f"{(rates or {}).get(each['pid'], 0.0):.1f}"} for each in status.get("workers", ())]
    if order is not None:
        found.sort(key=order)
    its = [(key, column) for key, column in _WORKERS if key != "rate" or rates is not None]
    if not any(each.get("threads") for each in found):
        its = [(key, column) for key, column in its if not key.startswith("threads")]
    return _make([*_pool_of(status), *its], found[:limit], width)


def totals(status: Mapping[str, Any], width: int) -> list[Table]:
    """Make the tables of the totals, which may be too many for one row."""
    counted = status.get("totals", {})
    columns = [Column(key.replace("_", " ")) for key in counted]
    return make_tables(columns, [_cell(key, count) for key, count in counted.items()], width)


def headline(status: Mapping[str, Any]) -> str:
    """Return the line about the master."""
    return (
        f"pid {status.get('pid')}, {status.get('state')}, generation {status.get('generation')}, "
        f"up {span(status.get('uptime'))}, corepool {status.get('version')}{_build_of(status)}"
    )


def _build_of(status: Mapping[str, Any]) -> str:
    return ", compiled" if status.get("build", {}).get("compiled") else ""


def title(status: Mapping[str, Any]) -> str:
    """Return the line that names the pool."""
    return f"{status.get('name', '?')}: {status.get('configuration') or 'no configuration'}"


def _pool_of(status: Mapping[str, Any]) -> list[tuple[str, Column]]:
    return [("pool", Column("pool"))] if len(status.get("pools", ())) > 1 else []


def _make(columns: Iterable[tuple[str, Column]], rows: Iterable[Mapping[str, Any]], width: int) -> Table:
    its = list(columns)
    return make_table(
        [column for _, column in its], ([_cell(key, row.get(key, "")) for key, _ in its] for row in rows), width
    )


def _cell(key: str, value: object) -> object:
    match key, value:
        case "uptime", int() | float():
            return span(value)
        case "rss" | "bytes_in" | "bytes_out", int():
            return size(value)
        case "lag_ms", float():
            return f"{value:.1f}"
        case _, list():
            return "\n".join(map(str, value))
        case _:
            return value
