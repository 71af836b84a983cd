"""Options of plugins that are declared as secrets are shown nowhere."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

import pytest
from pydantic import BaseModel, SecretBytes, SecretStr

import corepool as public
from corepool.cli.shown import shown
from corepool.config.settings import Settings
from corepool.plugins.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Corepool

HIDDEN = "**********"

KV = """
[[listener]]
name = "kv"
bind = ["tcp://127.0.0.1:0"]
protocol = "kv"
options = {{ password = {value}, durability = "never" }}
"""


@pytest.mark.parametrize("arguments", [["check"], ["config"], ["config", "--json"]])
def test_a_password_is_not_printed(corepool: Corepool, tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "corepool.toml").write_text(KV.format(value='"hunter2"'))

    done = corepool(*arguments)

    assert done.returncode == 0, done.stderr
    assert "hunter2" not in done.stdout
    assert HIDDEN in done.stdout
    assert '"never"' in done.stdout


def test_a_mistake_does_not_tell_a_password(corepool: Corepool, tmp_path: Path) -> None:
    (tmp_path / "corepool.toml").write_text(KV.format(value='["hunter2"]'))

    done = corepool("check")

    mistake = "corepool.toml:6: listener[0].options.password: expected text in quotes"
    assert done.stderr == f"corepool: 1 mistake in corepool.toml:\n{mistake}\n"


@pytest.mark.parametrize("url", ["redis://:hunter2@host/x", "redis://me:hunter2/@host", "redis::hunter2@host"])
def test_a_mistake_in_a_url_does_not_tell_its_password(corepool: Corepool, tmp_path: Path, url: str) -> None:
    listener = KV.format(value='"x"').replace("durability", f'store = "{url}", durability')
    (tmp_path / "corepool.toml").write_text(listener)

    done = corepool("check")

    assert "listener[0].options.store = " in done.stderr
    assert "hunter2" not in done.stderr


class Backend(BaseModel):
    host: str = ""
    token: SecretStr | None = None


class SomeOptions(public.Options):
    key: SecretBytes = SecretBytes(b"")
    keys: tuple[SecretStr, ...] = ()
    backends: list[Backend] | None = None
    backend: Backend | str = ""
    by_name: dict[str, SecretStr] | None = None
    size: int = 0


class Some:
    Options = SomeOptions


class Plain:
    pass


def test_secrets_of_every_kind_of_plugin_are_hidden_wherever_they_are() -> None:
    options = {
        "key": "x",
        "keys": ["x", "y"],
        "backends": [{"host": "here", "token": "x"}],
        "backend": {"host": "here", "token": "x"},
        "by_name": {"a": "x"},
        "size": 3,
    }
    hidden = {
        "key": HIDDEN,
        "keys": [HIDDEN, HIDDEN],
        "backends": [{"host": "here", "token": HIDDEN}],
        "backend": {"host": "here", "token": HIDDEN},
        "by_name": {"a": HIDDEN},
        "size": 3,
    }
    kinds = ("protocols", "dispatchers", "extensions", "scalers")
    registry = Registry(
        [
            EntryPoint(name, f"{__name__}:{name.title()}", f"corepool.{kind}")
            for kind in kinds
            for name in ("some", "plain")
        ]
    )
    listener = {
        "name": "a",
        "bind": ["tcp://h:1"],
        "protocol": "some",
        "options": options,
        "dispatcher": "some",
        "dispatcher_options": options,
        "extensions": ["plain", "some"],
        "extension_options": {"some": options},
    }
    plain = {"name": "b", "bind": ["tcp://h:2"], "protocol": "plain"}
    pool = {"scaler": "some", "scaler_options": options, "dispatcher": "some", "dispatcher_options": options}

    told = shown(Settings.model_validate({"pool": pool, "listener": [listener, plain]}), registry)

    first, second = told["listener"]
    assert [told["pool"][f"{key}_options"] for key in ("scaler", "dispatcher")] == [hidden, hidden]
    assert (first["options"], first["dispatcher_options"]) == (hidden, hidden)
    assert first["extension_options"] == {"some": hidden}
    assert second["options"] == {}
    assert told["log"]["level"] == "info"
