"""The text below a field is its description, in help and in the JSON Schema; Field(description=...) counts as well."""

from __future__ import annotations

from pydantic import Field

import corepool
from corepool.spec.described import descriptions_of


class Base(corepool.Options):
    port: int = 1
    """The port
    that it has."""

    bare: int = 2

    host: str = Field("here", description="Said in the field.")


class Options(Base):
    port: int = 3
    """Another port."""

    named: int = Field(4, alias="other")
    """Called otherwise."""


def test_texts_are_found_in_the_model_and_in_its_bases() -> None:
    assert descriptions_of(Base) == {"port": "The port\nthat it has.", "host": "Said in the field."}
    assert descriptions_of(Options) == {
        "port": "Another port.",
        "host": "Said in the field.",
        "named": "Called otherwise.",
    }


def test_the_schema_has_them() -> None:
    properties = Options.model_json_schema()["properties"]

    assert {key: its.get("description") for key, its in properties.items()} == {
        "port": "Another port.",
        "bare": None,
        "host": "Said in the field.",
        "other": "Called otherwise.",
    }


def test_a_model_without_source_has_no_texts() -> None:
    space: dict[str, object] = {"__name__": "typed"}
    exec("import corepool\nclass Typed(corepool.Options):\n    a: int = 1\n    'Its text.'", space)  # noqa: S102

    typed = space["Typed"]
    assert isinstance(typed, type)
    assert issubclass(typed, corepool.Options)
    assert descriptions_of(typed) == {}
