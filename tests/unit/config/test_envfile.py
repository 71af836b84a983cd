"""Files of variables for --env-file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from corepool.config.envfile import load_env_file, parse_env
from corepool.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("A=b", {"A": "b"}),
        ("export A = b c  # why", {"A": "b c"}),
        ("A=b#c", {"A": "b#c"}),
        ("A='b # \"c'", {"A": 'b # "c'}),
        (r'A="b\n\"c\\" # d', {"A": 'b\n"c\\'}),
        ("A=", {"A": ""}),
        ("A= # why", {"A": ""}),
        ("A=\t#why", {"A": ""}),
        ("A=#c", {"A": "#c"}),
        ("A= 'b' # why", {"A": "b"}),
        ("A=b\x0cc\u2028d\x85e\r\nB=f\r\n", {"A": "b\x0cc\u2028d\x85e", "B": "f"}),
        ("# A=b", {}),
        ("", {}),
    ],
)
def test_a_line_is_read_as_other_programs_do(line: str, values: dict[str, str]) -> None:
    assert parse_env(line) == (values, [])


@pytest.mark.parametrize("line", ["A", "1A=b", 'A="b', "A='b'c", "=b"])
def test_a_mistake_names_its_line(line: str) -> None:
    values, mistakes = parse_env(f"X=y\n{line}\n")

    assert values == {"X": "y"}
    assert [each.partition(":")[0] for each in mistakes] == ["line 2"]


def test_the_environment_wins_and_the_file_counts_again_when_it_has_changed(tmp_path: Path) -> None:
    path, environment = tmp_path / ".env", {"A": "of the environment"}
    path.write_text("A=1\nB=2\nC=3\n")
    load_env_file(path, environment)
    assert (environment["A"], environment["B"], environment["C"]) == ("of the environment", "2", "3")

    path.write_text("A=1\nB=4\n")
    load_env_file(path, environment)

    assert (environment["A"], environment["B"]) == ("of the environment", "4")
    assert "C" not in environment


def test_a_file_with_mistakes_changes_nothing(tmp_path: Path) -> None:
    path, environment = tmp_path / ".env", {}
    path.write_text("A=1\nB\n")

    with pytest.raises(ConfigError, match="line 2: expected NAME=VALUE"):
        load_env_file(path, environment)
    with pytest.raises(ConfigError, match="can't be read"):
        load_env_file(tmp_path / "missing", environment)

    assert environment == {}


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    path, environment = tmp_path / ".env", {}
    path.write_bytes("\ufeffA=1\n".encode())

    load_env_file(path, environment)

    assert environment["A"] == "1"
