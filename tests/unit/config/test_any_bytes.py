"""No file, whatever is in it, is answered with anything but settings or a ConfigError."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from corepool.config.load import Overrides, parse_draft
from corepool.config.settings import ControlSettings, ListenerSettings, LogSettings, PoolSettings, Settings
from corepool.errors import ConfigError

SCALARS = st.one_of(
    st.integers().map(str),
    st.floats().map(repr),
    st.booleans().map(lambda value: str(value).lower()),
    st.text(st.characters(codec="utf-8", exclude_characters="\x7f")).map(
        lambda text: json.dumps(text, ensure_ascii=False)
    ),
    st.datetimes().map(lambda value: value.isoformat()),
    st.sampled_from(['"auto"', '"30s"', '"tcp://127.0.0.1:0"', '"echo"', "0", "1e400", "9" * 30]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(st.sampled_from(["a", "bind", '"x y"']), inner, max_size=3).map(
            lambda table: "{" + ", ".join(f"{key} = {value}" for key, value in table.items()) + "}"
        ),
    ),
    max_leaves=6,
)


def table(heading: str, keys: list[str]) -> st.SearchStrategy[str]:
    """Make a section out of its real keys, and a wrong one, with any values."""
    return st.dictionaries(st.sampled_from([*keys, "wrong"]), VALUES, max_size=5).map(
        lambda pairs: "\n".join([heading, *(f"{key} = {value}" for key, value in pairs.items()), ""])
    )


FILES = st.tuples(
    st.just("") | VALUES.map(lambda value: f"wrong = {value}\n"),
    st.just("") | table("[pool]", list(PoolSettings.model_fields)),
    st.just("") | table("[control]", list(ControlSettings.model_fields)),
    st.just("") | table("[log]", list(LogSettings.model_fields)),
    st.lists(table("[[listener]]", list(ListenerSettings.model_fields)), max_size=3).map("".join),
).map("".join)


def assert_sentences(mistakes: tuple[str, ...]) -> None:
    assert mistakes
    assert all("\n" not in mistake for mistake in mistakes), "a mistake is one line"


def settings_or_mistakes(content: bytes, overrides: Overrides) -> None:
    try:
        settings = parse_draft(content, "some.toml", overrides).finish()
    except ConfigError as error:
        assert_sentences(error.mistakes)
    else:
        assert isinstance(settings, Settings)


# No deadline: how long one example takes on a busy machine says nothing about the program.
@settings(deadline=None)
@given(st.binary())
def test_any_bytes_give_settings_or_mistakes(content: bytes) -> None:
    settings_or_mistakes(content, Overrides())


@settings(deadline=None)
@given(FILES, st.none() | st.text())
def test_any_toml_with_any_flags_gives_settings_or_mistakes(content: str, flag: str | None) -> None:
    settings_or_mistakes(content.encode(), Overrides(flag, flag, flag, flag))
