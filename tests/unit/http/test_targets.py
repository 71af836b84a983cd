"""Targets of the http protocol: modules, attributes, factories and calls of them."""

from __future__ import annotations

import functools

import pytest

from corepool_http.apps.loading import is_factory
from corepool_http.targets import split_target


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        ("shop:app", ("shop", "app", None)),
        ("shop.wsgi", ("shop.wsgi", "", None)),
        ("shop:make()", ("shop", "make", ((), {}))),
        ("shop:a.make('prod', debug=True)", ("shop", "a.make", (("prod",), {"debug": True}))),
        ('shop:make("a:b")', ("shop", "make", (("a:b",), {}))),
    ],
)
def test_a_target_is_taken_apart(written: str, parts: tuple[object, ...]) -> None:
    assert tuple(split_target(written)) == parts


@pytest.mark.parametrize(
    "written",
    ["shop:", ":app", "shop/app.py:app", "shop:make(x)", "shop:make(", "shop:(1)", "shop:make(**{'a': 1})", "a b"],
)
def test_any_other_text_is_a_mistake_in_words(written: str) -> None:
    with pytest.raises(ValueError, match="expected MODULE:ATTRIBUTE"):
        split_target(written)


def test_a_file_is_answered_with_the_name_of_its_module() -> None:
    with pytest.raises(ValueError, match=r"a module is named without \.py: site\.main"):
        split_target("site/main.py:app")


def wsgi(environ: object, start_response: object) -> None: ...
async def asgi(scope: object, receive: object, send: object) -> None: ...
async def anything(*args: object) -> None: ...
def make() -> None: ...
def make_with_default(name: str = "dev") -> None: ...
def wrapped(*args: object, **kwargs: object) -> None: ...


class Wsgi:
    def __init__(self, environ: object, start_response: object) -> None: ...


class Made:
    def __call__(self, environ: object, start_response: object) -> None: ...


@pytest.mark.parametrize("factory", [make, make_with_default, Made, functools.partial(lambda name: name, "x")])
def test_a_callable_that_no_server_could_call_is_a_factory(factory: object) -> None:
    assert is_factory(factory)


@pytest.mark.parametrize("application", [wsgi, asgi, anything, wrapped, Wsgi, Made(), dict, None])
def test_an_application_is_none(application: object) -> None:
    assert not is_factory(application)
