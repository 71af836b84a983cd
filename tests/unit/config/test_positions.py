"""The line of each key and element of a TOML text."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
import tomli
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from corepool.config.positions import line_of, lines_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TEXT = '''# a comment with [brackets] and "quotes"
name = "a"  # = [
[pool]
workers = { min = 1, max = 2 }
"a b".c = 1

[[listener]]
bind = [  # ]
  "tcp://[::1]:1",  # , "no"
  'unix:@#',
]
text = """
[not a table]
also = "not a key" \\""" and "" """"
more = [[1,
 2], {x = [
  3 ]}]
[listener.options]
deep.deeper = 5
[[listener]]
[listener.options]
y = 1979-05-27 07:32:00
[[listener.many]]
[[listener.many]]
z = 0
'''

LINES = {
    "name": 2,
    "pool": 3,
    "pool.workers": 4,
    "pool.workers.max": 4,
    'pool."a b"': 5,
    'pool."a b".c': 5,
    "listener": 7,
    "listener[0]": 7,
    "listener[0].bind": 8,
    "listener[0].bind[0]": 9,
    "listener[0].bind[1]": 10,
    "listener[0].text": 12,
    "listener[0].more[0][0]": 15,
    "listener[0].more[0][1]": 16,
    "listener[0].more[1]": 16,
    "listener[0].more[1].x[0]": 17,
    "listener[0].options": 18,
    "listener[0].options.deep.deeper": 19,
    "listener[1]": 20,
    "listener[1].options": 21,
    "listener[1].options.y": 22,
    "listener[1].many[0]": 23,
    "listener[1].many[1].z": 25,
}


@pytest.mark.parametrize(("path", "line"), LINES.items())
def test_the_line_of_a_path_is_where_it_is_written(path: str, line: int) -> None:
    tomli.loads(TEXT)

    assert line_of(f"{path}: some mistake", lines_of(TEXT)) == line
    assert line_of(f"{path} = 3: some mistake", lines_of(TEXT)) == line


def test_the_heading_of_a_table_counts_more_than_that_of_a_table_in_it() -> None:
    assert line_of("a: x", lines_of("[a.b]\nc = 1\n[a]\n")) == 3


@pytest.mark.parametrize(
    ("mistake", "line"),
    [
        ("listener[1].protocol: missing; it has no default", 20),
        ("listener[0].options.deep.other: x", 19),
        ("listener[7].name: x", 7),
        ("lisntener: x", None),
        ("can't be read: name: x", None),
        ("larger than 3 bytes: x", None),
        ("--workers = 0: x", None),
    ],
)
def test_what_is_not_written_has_the_line_of_the_table_around_it(mistake: str, line: int | None) -> None:
    assert line_of(mistake, lines_of(TEXT)) == line


def test_a_text_that_is_nested_too_deeply_has_no_lines() -> None:
    assert lines_of(f"a = {'[' * 5000}{']' * 5000}\n") == {}


# --- any text: each scalar of it is a number that stands nowhere else

KEYS = st.sampled_from(["a", "b-c", '"d e"', "'f#'", '"g.h"', '"\\u00e9"', "true", "1"])
SPACE = st.sampled_from(["", " ", "\t "])
BREAK = st.sampled_from(["", "\n", " # = ] } ,\n", "\n\n  "])
ENDS = st.sampled_from(["\n", "\r\n", " # [x]\n", "\n\n# y = 1\n"])
SCALAR = "@"  # replaced by the next number

SCALARS = st.sampled_from(["@", '"@ = ]"', "'@ # \"'", '"""@\n[x]\n""\\""""', "'''@\ny = 1'''", '"""@"""""'])
INLINE = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(st.tuples(BREAK, inner, BREAK).map("".join), max_size=3).map(lambda each: f"[{','.join(each)}]"),
        st.dictionaries(KEYS, inner, max_size=3).map(
            lambda table: "{" + ", ".join(f"{key} = {value}" for key, value in table.items()) + "}"
        ),
    ),
    max_leaves=5,
)
PAIRS = st.lists(
    st.tuples(
        st.lists(KEYS, min_size=1, max_size=2).map(".".join), SPACE.map(lambda space: f"{space}="), SPACE, INLINE, ENDS
    ).map("".join),
    max_size=3,
).map("".join)
HEADINGS = st.tuples(st.sampled_from(["[{}]", "[[{}]]"]), st.lists(KEYS, min_size=1, max_size=3).map(" . ".join), ENDS)
TEXTS = st.tuples(
    PAIRS, st.lists(st.tuples(HEADINGS.map(lambda each: each[0].format(each[1]) + each[2]), PAIRS).map("".join))
).map(lambda each: each[0] + "".join(each[1]))


def leaves(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], object]]:
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(each, (*path, key))
    else:
        yield path, value


def paths(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if path:
        yield path
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(each, (*path, key))


@settings(deadline=None)
@given(TEXTS)
def test_any_text_has_a_line_for_each_of_its_paths(text: str) -> None:
    numbers = itertools.count(1000)
    text = "".join(str(next(numbers)) if character == SCALAR else character for character in text)
    try:
        table: Mapping[str, object] = tomli.loads(text)
    except tomli.TOMLDecodeError:  # two keys of one name
        reject()
    lines = lines_of(text)

    assert set(lines) == set(paths(table))
    for path, value in leaves(table):
        assert str(value)[:4] in text.split("\n")[lines[path] - 1]
