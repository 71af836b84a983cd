"""Strategies of commands: words, groups of words, and choices between them."""

from __future__ import annotations

from hypothesis import strategies as st

Words = tuple[str, ...]


def words(*parts: str | st.SearchStrategy[str] | st.SearchStrategy[Words]) -> st.SearchStrategy[Words]:
    """Join constants, values and groups of values to one command."""
    strategies = [st.just(part) if isinstance(part, str) else part for part in parts]

    def join(drawn: tuple[str | Words, ...]) -> Words:
        return tuple(word for part in drawn for word in ((part,) if isinstance(part, str) else part))

    return st.tuples(*strategies).map(join)


def one_of(*choices: Words) -> st.SearchStrategy[Words]:
    return st.sampled_from(choices)


def some(*choices: str, at_least: int = 0, at_most: int = 3) -> st.SearchStrategy[Words]:
    """Choose some words, in any order, the same more than once."""
    return st.lists(st.sampled_from(choices), min_size=at_least, max_size=at_most).map(tuple)
