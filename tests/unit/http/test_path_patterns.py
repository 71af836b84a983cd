"""Patterns of paths: a part is never left by `*` or `?`, and a pattern that no file can match is a mistake."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from corepool_http.options import HttpOptions
from corepool_http.patterns import PathPattern

_HASH = "[0-9a-f]" * 12


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("assets/*", ["assets/app-3f2a.js", "assets/.x"], ["assets/fonts/a.woff", "x/assets/a.js", "assetsx/a", "a"]),
        ("assets/**", ["assets/a", "assets/fonts/a.woff"], ["assets", "x/assets/a"]),
        ("**/fonts/*", ["fonts/a", "x/y/fonts/a"], ["fonts/x/a", "a"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["a/x", "b"]),
        ("**", ["a", "a/b"], []),
        ("*.css", ["a.css", "x/y/a.css"], ["a.css/b", "a.css.map"]),
        ("*.????.*", ["a.1234.js", "x/a.12.4.js"], ["a.b/123.js", "a.123/.js", "a.12345.js"]),
        ("a[!b]c", ["a-c"], ["abc", "a/c"]),
        ("[[]a]", ["[a]"], ["a]"]),
        (f"*.{_HASH}.*", ["css/app.55e7cbb9ba48.css"], ["jquery.validate.min.js", "a.b/cccccccccc.js"]),
    ],
)
def test_paths(pattern: str, matching: list[str], others: list[str]) -> None:
    judged = PathPattern(pattern)
    assert [path for path in [*matching, *others] if judged.matches(path)] == matching


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("/assets/*", "'/assets/*': paths below a folder begin without a slash: 'assets/*'"),
        ("assets/", "all files below it are 'assets/**'"),
        ("", "a part that is empty"),
        ("a//b", "a part that is empty"),
        ("./a", "`.` or `..`"),
        ("[!", "ends with ]"),
        ("a[b/c]d", "has no slash"),
        ("x[z-a]", "a set of characters is empty"),
    ],
)
def test_one_that_matches_nothing_is_a_mistake_of_the_options(pattern: str, words: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(words)):
        HttpOptions(target="a:b", static_immutable=[pattern])


@pytest.mark.parametrize("age", [0.5, "250ms", "1.5s"])
def test_an_age_that_no_header_can_say_is_a_mistake(age: object) -> None:
    with pytest.raises(ValidationError, match="whole seconds"):
        HttpOptions(target="a:b", static_max_age=age)


@pytest.mark.parametrize(("age", "seconds"), [(0, 0), ("1h", 3600), (None, None)])
def test_other_ages(age: object, seconds: float | None) -> None:
    assert HttpOptions(target="a:b", static_max_age=age).static_max_age == seconds
