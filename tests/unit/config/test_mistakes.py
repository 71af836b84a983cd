"""The mistakes that pydantic finds, in the words of this project."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from corepool.config.mistakes import describe_mistakes, spell_value
from corepool.config.settings import Settings

A_DURATION = 'expected a duration such as "250ms", "30s" or "5m", or a number of seconds'
LISTENER: dict[str, object] = {"name": "a", "bind": ["tcp://127.0.0.1:0"], "protocol": "echo"}


def mistakes(raw: dict[str, Any], model: type[BaseModel] = Settings, where: str = "") -> list[str]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(raw)
    return describe_mistakes(caught.value, model, where)


@pytest.mark.parametrize(
    ("section", "key", "value", "sentence"),
    [
        ("pool", "workers", "many", 'pool.workers = "many": expected a whole number or "auto" or a table'),
        ("pool", "workers", 0, 'pool.workers = 0: expected at least 1 or "auto" or a table'),
        ("pool", "workers", 1.5, 'pool.workers = 1.5: expected a whole number or "auto" or a table'),
        ("pool", "workers", True, 'pool.workers = true: expected a whole number or "auto" or a table'),
        ("pool", "max_connections", "10", 'pool.max_connections = "10": expected a whole number'),
        ("pool", "max_connections", 2_000_000, "pool.max_connections = 2000000: expected at most 1000000"),
        ("pool", "dispatcher_options", 3, "pool.dispatcher_options = 3: expected a table"),
        ("pool", "boot_timeout", -1, "pool.boot_timeout = -1: expected more than 0"),
        ("pool", "boot_timeout", float("inf"), "pool.boot_timeout = inf: expected a finite number"),
        (
            "pool",
            "drain_timeout",
            "fast",
            f'pool.drain_timeout = "fast": {A_DURATION}',
        ),
        ("pool", "wrokers", 4, "pool.wrokers: unknown key (did you mean 'workers'?)"),
        ("pool", "idle_timeout", 3, "pool.idle_timeout: unknown key here; it belongs in [[listener]]"),
        ("pool", "bind", [], "pool.bind: unknown key here; it belongs in [[listener]]"),
        ("control", "xyz", 1, "control.xyz: unknown key; known here: socket"),
        ("control", "socket", "", 'control.socket = "": expected at least 1 character'),
        (
            "log",
            "level",
            "loud",
            'log.level = "loud": expected "debug", "info", "warning" or "error"',
        ),
    ],
)
def test_each_kind_of_mistake_is_one_plain_sentence(section: str, key: str, value: object, sentence: str) -> None:
    assert mistakes({section: {key: value}, "listener": [LISTENER]}) == [sentence]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"bind": {}}, "listener[0].bind: expected an array"),
        ({"bind": 8000}, "listener[0].bind[0] = 8000: expected text in quotes"),
        ({"extensions": {}}, "listener[0].extensions: expected an array"),
        ({"bind": []}, "listener[0].bind = []: expected at least 1 item"),
        ({"bind": ["a", 2]}, "listener[0].bind[1] = 2: expected text in quotes"),
        ({"extension_options": {"a b": 3}}, 'listener[0].extension_options."a b" = 3: expected a table'),
        ({"protcol": "echo"}, "listener[0].protcol: unknown key (did you mean 'protocol'?)"),
        (
            {"name": "a b"},
            'listener[0].name = "a b": expected text that matches ^[A-Za-z0-9][A-Za-z0-9_.-]*$',
        ),
    ],
)
def test_a_mistake_in_a_listener_names_it_by_its_place(change: dict[str, object], sentence: str) -> None:
    assert mistakes({"listener": [LISTENER | change]}) == [sentence]


def test_a_misspelt_section_is_suggested_and_a_missing_one_named() -> None:
    assert mistakes({"listner": [LISTENER]}) == [
        "listener: missing; at least one [[listener]] is needed",
        "listner: unknown key (did you mean 'listener'?)",
    ]


def test_one_table_in_the_place_of_several_is_told_how_to_write_it() -> None:
    assert mistakes({"listener": LISTENER}) == ["listener: expected an array of tables; write [[listener]]"]
    assert mistakes({"listener": 3}) == ["listener = 3: expected an array"]


def test_too_few_items_are_not_reported_when_the_items_themselves_are_wrong() -> None:
    assert mistakes({"listener": [{"name": "a", "bind": [1]}]}) == [
        "listener[0].bind[0] = 1: expected text in quotes",
        "listener[0].protocol: missing; it has no default",
    ]


def test_a_section_that_is_no_table_is_one_mistake() -> None:
    assert mistakes({"pool": 3, "listener": [LISTENER]}) == ["pool = 3: expected a table"]


class Secret(BaseModel):
    model_config = ConfigDict(extra="forbid")
    token: SecretStr | None = None
    tokens: list[SecretStr] = []
    by_name: dict[str, SecretStr | int] = {}

    @field_validator("token")
    @classmethod
    def _is_secret(cls, token: SecretStr) -> SecretStr:
        if token.get_secret_value() == "hunter2":
            raise ValueError("too well known")
        return token


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        ({"token": "hunter2"}, "o.token: too well known"),
        ({"token": ["hunter2"]}, "o.token: expected text in quotes"),
        ({"tokens": "hunter2"}, "o.tokens: expected an array"),
        ({"tokens": [7772]}, "o.tokens[0]: expected text in quotes"),
        ({"by_name": {"a": ["hunter2"]}}, "o.by_name.a: expected text in quotes or a whole number"),
        ({"tokne": "hunter2"}, "o.tokne: unknown key (did you mean 'token'?)"),
    ],
)
def test_a_mistake_in_a_secret_does_not_tell_it(raw: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Secret.model_validate(raw)
    assert describe_mistakes(caught.value, Secret, "o") == [sentence]


class Backend(BaseModel):
    model_config = ConfigDict(extra="forbid")
    port: int


class SomePluginsOptions(BaseModel):
    model_config = ConfigDict(extra="forbid")
    backends: int | list[Backend] | None = None
    named: dict[str, Backend] = {}
    by_number: dict[int, float] = {}
    pair: tuple[int, Annotated[str, Field(max_length=2)]] = (1, "a")
    mode: Literal["fast", "safe"] = "safe"
    file: str = Field("", alias="path")

    @field_validator("file")
    @classmethod
    def _exists(cls, value: str) -> str:
        if value != "here":
            raise ValueError("no such file")
        return value


@pytest.mark.parametrize(
    ("raw", "sentences"),
    [
        ({"backends": "x"}, ['o.backends = "x": expected a whole number or an array']),
        (
            {"named": {"a b": {"prt": 1}}},
            [
                'o.named."a b".port: missing; it has no default',
                "o.named.\"a b\".prt: unknown key (did you mean 'port'?)",
            ],
        ),
        ({"by_number": {"x": 1}}, ['o.by_number.x = "x": expected a whole number']),
        ({"pair": [1, "abc"]}, ['o.pair[1] = "abc": expected at most 2 characters']),
        ({"mode": 1}, ['o.mode = 1: expected "fast" or "safe"']),
        ({"path": "there"}, ['o.path = "there": no such file']),
        ({"pth": "there"}, ["o.pth: unknown key (did you mean 'path'?)"]),
    ],
)
def test_options_of_a_plugin_are_explained_the_same_way(raw: dict[str, object], sentences: list[str]) -> None:
    assert mistakes(raw, SomePluginsOptions, "o") == sentences


def test_a_mistake_below_a_member_of_a_union_has_the_path_of_the_file() -> None:
    found = mistakes({"backends": [{"port": 1}, {"prt": 2}]}, SomePluginsOptions, "o")

    assert "o.backends[1].port: missing; it has no default" in found
    assert "o.backends[1].prt: unknown key (did you mean 'port'?)" in found


@pytest.mark.parametrize(
    ("value", "spelt"),
    [
        (True, "true"),
        ('say "hi"\n', '"say \\"hi\\"\\n"'),
        ([1, "a", {"b": 1}], '[1, "a", {...}]'),
        ("x" * 100, '"' + "x" * 56 + "..."),
    ],
)
def test_values_are_spelt_as_in_the_file_and_cut_to_a_line(value: object, spelt: str) -> None:
    assert spell_value(value) == spelt


def test_a_number_of_thousands_of_digits_is_not_written_out() -> None:
    assert spell_value(10**5000) == "a number of 16610 bits"
