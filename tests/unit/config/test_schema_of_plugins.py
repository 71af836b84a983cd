"""The options of plugins in the JSON Schema."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

import corepool
from corepool.cli.schema import build_schema
from corepool.plugins.registry import Registry


class Backend(BaseModel):
    port: int


class ProxyOptions(corepool.Options):
    backends: list[Backend]


class Proxy:
    Options = ProxyOptions


class TokenOptions(corepool.Options):
    token: str


class Auth:
    Options = TokenOptions


def listener(**keys: object) -> dict[str, object]:
    return {"listener": [{"name": "a", "bind": ["tcp://h:1"], "protocol": "proxy"} | keys]}


@pytest.mark.parametrize(
    ("file", "right"),
    [
        (listener(options={"backends": [{"port": 1}]}), True),
        (listener(options={"backends": [{"port": "x"}]}), False),
        (listener(options={"backend": []}), False),
        (listener(protocol="other", options={"anything": 1}), True),
        (listener(protocol="broken", options={"anything": 1}), True),
        (listener(protocol="other", extensions=["auth"], extension_options={"auth": {"token": "x"}}), True),
        (listener(protocol="other", extensions=["auth"], extension_options={"auth": {"token": 1}}), False),
    ],
)
def test_the_name_of_a_plugin_decides_which_options_are_right(file: dict[str, object], right: bool) -> None:  # noqa: FBT001
    schema = build_schema(
        Registry(
            [
                EntryPoint("proxy", f"{__name__}:Proxy", "corepool.protocols"),
                EntryPoint("broken", "no_such_module:Broken", "corepool.protocols"),
                EntryPoint("auth", f"{__name__}:Auth", "corepool.extensions"),
            ]
        )
    )

    Draft202012Validator.check_schema(schema)
    assert Draft202012Validator(schema).is_valid(file) is right
