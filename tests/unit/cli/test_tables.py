"""Tables that fit into terminals."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from corepool.cli.tables import UNLIMITED, Column, make_table, make_tables, shorten

COLUMNS = (Column("name"), Column("bound to"), Column("seen", 1, hides_zeros=True), Column("bytes in", 2))
ROWS = [["web", "tcp://127.0.0.1:8007", 0, "1.0 KiB"], ["x" * 10, "unix:///run/a/very/long/path/of/a.sock", 0, "0 B"]]


def lines(width: int, rows: list[list[object]] = ROWS) -> list[str]:
    shown = io.StringIO()
    Console(width=width, file=shown).print(make_table(COLUMNS, rows, width), crop=False)
    return [line.rstrip() for line in shown.getvalue().splitlines()]


def test_all_is_shown_where_there_is_room() -> None:
    assert [line.split() for line in lines(UNLIMITED)] == [
        ["NAME", "BOUND", "TO", "SEEN", "BYTES", "IN"],
        ["web", "tcp://127.0.0.1:8007", "0", "1.0", "KiB"],
        ["x" * 10, "unix:///run/a/very/long/path/of/a.sock", "0", "0", "B"],
    ]


def test_zeros_are_left_out_first_then_addresses_shortened_then_columns_left_out() -> None:
    assert lines(80)[0].split() == ["NAME", "BOUND", "TO", "BYTES", "IN"]
    assert lines(80)[2].split()[1] == "unix:///run/a/very/long/path/of/a.sock"
    assert lines(50)[0].split() == ["NAME", "BOUND", "TO", "BYTES", "IN"]
    assert lines(50)[2].split()[1] == "unix://…/long/path/of/a.sock"
    assert lines(40)[0].split() == ["NAME", "BOUND", "TO"]
    assert lines(80, [["web", "a", 3, "1 B"]])[0].split() == ["NAME", "BOUND", "TO", "SEEN", "BYTES", "IN"]


@settings(deadline=None)
@given(
    width=st.integers(30, 200),
    texts=st.lists(st.text(st.characters(codec="utf-8", categories=["L", "N"]), max_size=99)),
)
def test_no_line_is_longer_than_the_terminal_and_none_is_broken(width: int, texts: list[str]) -> None:
    shown = lines(width, [[text[:8] or "x", text, 1, "1 B"] for text in texts])

    assert len(shown) == len(texts) + 1
    assert max(map(cell_len, shown)) <= width


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("tcp://127.0.0.1:8007", 20, "tcp://127.0.0.1:8007"),
        ("tcp://[2001:db8::aaaa:bbbb:cccc:1]:8007", 24, "tcp://…bbbb:cccc:1]:8007"),
        ("/srv/shop/corepool.toml", 15, "…/corepool.toml"),
        ("tcp://127.0.0.1:8007", 12, "tcp://…:8007"),
    ],
)
def test_a_shortened_address_keeps_its_end(text: str, width: int, expected: str) -> None:
    assert shorten(text, width) == expected
    assert cell_len(shorten(text, width)) == width or text == expected


def test_what_does_not_fit_into_one_row_goes_on_in_another_table() -> None:
    columns = [Column(f"counter {number}") for number in range(20)]
    tables = make_tables(columns, [number % 3 for number in range(20)], 60)

    shown = [str(column.header) for table in tables for column in table.columns]
    assert shown == [f"COUNTER {number}" for number in range(20) if number % 3], "all but zeros"
    assert len(tables) > 1
    assert len(make_tables(columns, [0] * 20, UNLIMITED)) == 1
