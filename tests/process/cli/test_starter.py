"""`corepool init` and `corepool schema`, which must agree with `check`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import tomli
from jsonschema import Draft202012Validator

from corepool.config.settings import ControlSettings, ListenerSettings, LogSettings, PoolSettings, ProcessSettings

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Corepool


@pytest.fixture
def schema(corepool: Corepool) -> dict[str, Any]:
    printed: dict[str, Any] = json.loads(corepool("schema").stdout)
    Draft202012Validator.check_schema(printed)
    return printed


def test_the_starter_passes_the_check(corepool: Corepool) -> None:
    assert "wrote corepool.toml" in corepool("init").stdout

    assert corepool("check").returncode == 0


def test_init_never_overwrites(corepool: Corepool, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("precious")

    done = corepool("init", "mine.toml")

    assert done.returncode == 2
    assert done.stderr == "corepool: mine.toml: already exists; left untouched\n"
    assert (tmp_path / "mine.toml").read_text() == "precious"


def test_init_says_why_it_cannot_write(corepool: Corepool) -> None:
    done = corepool("init", "no/such/folder.toml")

    assert done.returncode == 2
    assert "no/such/folder.toml: can't be written: No such file or directory" in done.stderr


def test_the_starter_shows_every_key_with_its_default(corepool: Corepool, tmp_path: Path) -> None:
    corepool("init")
    lines = (tmp_path / "corepool.toml").read_text().splitlines()
    # The commented-out keys are part of it: with their mark taken away the whole is still right.
    shown = tomli.loads("\n".join(line.removeprefix("# ") if " = " in line else line for line in lines))

    listener = shown["listener"][0]
    assert set(shown["pool"]) == set(PoolSettings.model_fields)
    assert set(shown["control"]) == set(ControlSettings.model_fields)
    assert set(shown["log"]) == set(LogSettings.model_fields)
    assert set(listener) == set(ListenerSettings.model_fields)
    assert PoolSettings.model_validate(shown["pool"] | {"name": None}) == PoolSettings()
    assert LogSettings.model_validate(shown["log"] | {"file": None, "config": None}) == LogSettings()
    assert set(shown["process"]) == set(ProcessSettings.model_fields)
    unset = dict.fromkeys(("name", "user", "group", "umask", "nice", "pidfile"))
    assert ProcessSettings.model_validate(shown["process"] | unset) == ProcessSettings()
    required = {"name", "bind", "protocol"}
    assert ListenerSettings.model_validate(
        listener | {"dispatcher": None, "pool": None, "protocols": [], "default": None}
    ) == ListenerSettings.model_validate({key: listener[key] for key in required})


def test_the_schema_accepts_the_starter(corepool: Corepool, tmp_path: Path, schema: dict[str, Any]) -> None:
    corepool("init")

    Draft202012Validator(schema).validate(tomli.loads((tmp_path / "corepool.toml").read_text()))


@pytest.mark.parametrize(
    "toml",
    [
        "",
        "[pool]\nworkers = 0",
        "[pool]\nwrokers = 1",
        '[pool]\nworkers = "4"',
        '[process]\numask = "0099"',
        "[process]\nnofile = 3",
        "[process]\naffinity = []",
        '[log]\nlevel = "loud"',
        '[[listener]]\nname = "a"\nbind = []\nprotocol = "echo"',
        '[[listener]]\nname = "a"\nbind = ["tcp://h:1"]\nprotocol = "echo"\noptions = { loud = true }',
        '[[listener]]\nname = "a"\nbind = ["tcp://h:1"]\nprotocol = "echo"\noptions = 1',
        '[pool]\ndispatcher = "kernel"\ndispatcher_options = { x = 1 }',
    ],
)
def test_the_schema_refuses_what_check_refuses(
    corepool: Corepool, tmp_path: Path, schema: dict[str, Any], toml: str
) -> None:
    listener = '\n[[listener]]\nname = "a"\nbind = ["tcp://127.0.0.1:0"]\nprotocol = "echo"\n'
    text = toml if "listener" in toml or not toml else toml + listener
    (tmp_path / "corepool.toml").write_text(text)

    assert corepool("check").returncode == 2
    assert not Draft202012Validator(schema).is_valid(tomli.loads(text))


def test_the_schema_explains_each_key(schema: dict[str, Any]) -> None:
    workers = schema["$defs"]["PoolSettings"]["properties"]["workers"]
    drain = schema["$defs"]["PoolSettings"]["properties"]["drain_timeout"]

    assert "How many worker processes" in workers["description"]
    assert {entry["type"] for entry in drain["anyOf"]} == {"string", "number"}
    assert "echo" in schema["$defs"]["ListenerSettings"]["properties"]["protocol"]["examples"]
