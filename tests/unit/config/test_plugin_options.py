"""Options of plugins: strict where values have types, converted where all is text."""

from __future__ import annotations

from enum import Enum
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated, Literal, Self

import pytest
import tomli
from pydantic import BeforeValidator, Field, model_validator

from corepool import Options
from corepool.config.flags import flags_of
from corepool.config.plugin_options import Untyped, validate_options
from corepool.errors import ConfigError


class Mode(Enum):
    FAST = "fast"


class Several(Options):
    threads: int = 0
    listing: bool = False
    ratio: float = 0.0
    names: list[str] = Field([])
    ports: tuple[Annotated[int, Field(ge=1)], ...] = ()
    unique: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | Literal["unix"], ...] = ()
    one_or_more: int | list[int] = 0
    mode: Mode = Mode.FAST
    path: Path = Path()
    seen: Annotated[IPv4Network | int, BeforeValidator(IPv4Network)] = 0


def mistakes(values: dict[str, object]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        validate_options(Several, values, "o")
    return list(caught.value.mistakes)


def test_text_becomes_what_the_model_wants() -> None:
    texts = {
        "threads": "8",
        "listing": "yes",
        "ratio": "0.5",
        "names": "a",
        "ports": "80",
        "unique": "x",
        "networks": "10.0.0.0/8",
        "mode": "fast",
        "path": "/x",
    }
    made = validate_options(Several, {key: Untyped(text) for key, text in texts.items()}, "o")

    assert made == Several(
        threads=8,
        listing=True,
        ratio=0.5,
        names=["a"],
        ports=(80,),
        unique=frozenset({"x"}),
        networks=(IPv4Network("10.0.0.0/8"),),
        mode=Mode.FAST,
        path=Path("/x"),
    )
    assert [type(name) for name in made.names] == [str]


def test_text_that_is_repeated_is_a_list_and_one_of_a_union_stays_alone() -> None:
    assert validate_options(Several, {"ports": [Untyped("80"), Untyped("81")]}, "o").ports == (80, 81)
    assert validate_options(Several, {"one_or_more": Untyped("3")}, "o").one_or_more == 3


def test_text_that_can_not_become_it_is_a_mistake_of_its_place() -> None:
    assert mistakes({"ports": Untyped("x"), "threads": Untyped("many")}) == [
        'o.threads = "many": expected a whole number',
        'o.ports[0] = "x": expected a whole number',
    ]


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ('threads = "8"', 'o.threads = "8": expected a whole number'),
        ("threads = 8.0", "o.threads = 8.0: expected a whole number"),
        ("threads = true", "o.threads = true: expected a whole number"),
        ('listing = "yes"', 'o.listing = "yes": expected true or false'),
        ("listing = 1", "o.listing = 1: expected true or false"),
        ('ratio = "0.5"', 'o.ratio = "0.5": expected a number'),
        ("names = [1]", "o.names[0] = 1: expected text in quotes"),
    ],
)
def test_values_of_a_file_are_not_converted(toml: str, sentence: str) -> None:
    assert mistakes(tomli.loads(toml)) == [sentence]


def test_a_file_writes_what_it_has_no_type_for_as_text_or_array() -> None:
    toml = 'ports = [80]\nratio = 2\nunique = ["x"]\nnetworks = ["unix", "10.0.0.0/8"]\nmode = "fast"\npath = "/x"'

    made = validate_options(Several, tomli.loads(toml), "o")

    assert (made.ports, made.ratio, made.unique, made.path) == ((80,), 2.0, {"x"}, Path("/x"))
    assert made.networks == ("unix", IPv4Network("10.0.0.0/8"))


def test_what_a_plugin_makes_of_a_value_by_itself_is_taken() -> None:
    assert validate_options(Several, {"seen": "10.0.0.0/8"}, "o").seen == IPv4Network("10.0.0.0/8")


def test_conversions_and_other_mistakes_are_told_together_and_each_value_once() -> None:
    assert mistakes({"threads": "8", "listing": "maybe", "ports": ["0", 1]}) == [
        'o.listing = "maybe": expected true or false',
        'o.ports[0] = "0": expected at least 1',
        'o.threads = "8": expected a whole number',
    ]


def test_a_date_is_for_the_model_to_judge() -> None:
    (sentence,) = mistakes(tomli.loads("threads = 2026-01-01"))
    assert sentence.startswith("o.threads = 2026-01-01")


def test_a_number_of_thousands_of_digits_is_a_mistake() -> None:
    (sentence,) = mistakes({"ports": 16**5000})
    assert sentence.startswith("o.ports = ")


class WithARule(Options):
    target: str = ""
    root: str = ""
    threads: int = 0

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.target and ":" not in self.target:
            raise ValueError(f"target = {self.target!r}: expected MODULE:ATTRIBUTE")
        if not self.target and not self.root:
            raise ValueError("either `target` or `root` is needed")
        return self


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            {"target": "nope", "thraeds": 4},
            ["o.thraeds: unknown key (did you mean 'threads'?)", "o: target = 'nope': expected MODULE:ATTRIBUTE"],
        ),
        (
            {"target": "nope", "threads": "4"},
            ['o.threads = "4": expected a whole number', "o: target = 'nope': expected MODULE:ATTRIBUTE"],
        ),
        (
            {"threads": "x", "more": 1},
            [
                'o.threads = "x": expected a whole number',
                "o.more: unknown key; known here: target, root, threads",
                "o: either `target` or `root` is needed",
            ],
        ),
        ({"taget": "a:b"}, ["o.taget: unknown key (did you mean 'target'?)"]),
        ({"target": 3}, ["o.target = 3: expected text in quotes"]),
        ({"target": "a:b", "threads": "4"}, ['o.threads = "4": expected a whole number']),
        ({"target": "nope"}, ["o: target = 'nope': expected MODULE:ATTRIBUTE"]),
    ],
)
def test_a_mistake_in_one_key_hides_none_of_the_whole(values: dict[str, object], expected: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        validate_options(WithARule, values, "o")

    assert sorted(caught.value.mistakes) == sorted(expected)


class WithTables(Options):
    folders: dict[str, Annotated[str, Field(min_length=2)]] = Field({})
    numbers: dict[str, int] = Field({})


def test_a_table_of_texts_is_written_as_pairs_where_nothing_has_a_type() -> None:
    made = validate_options(WithTables, {"folders": [Untyped("/a=./x"), Untyped("/b=y=z")]}, "o")
    assert made.folders == {"/a": "./x", "/b": "y=z"}
    assert validate_options(WithTables, {"folders": Untyped("/a=./x")}, "o").folders == {"/a": "./x"}
    for values, sentences in (
        ({"folders": [Untyped("/a=./x"), Untyped("/b"), Untyped("/c=z")]},
         ['o.folders = "/b": expected KEY=VALUE', 'o.folders."/c" = "z": expected at least 2 characters']),
        ({"folders": "/a=./x"}, ['o.folders = "/a=./x": expected a table']),
        ({"numbers": Untyped("a=1")}, ['o.numbers = "a=1": expected a table']),
    ):  # fmt: skip
        with pytest.raises(ConfigError) as raised:
            validate_options(WithTables, values, "o")
        assert list(raised.value.mistakes) == sentences


def test_a_table_of_texts_has_a_flag_and_other_tables_have_none() -> None:
    [flag] = flags_of(WithTables)
    assert (flag.name, flag.is_table, flag.is_list, flag.is_switch) == ("--folders", True, False, False)
