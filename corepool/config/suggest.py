"""The nearest known word to a misspelt one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return " (did you mean ...?)" if a known word is near, else ""."""
    near = nearest(word, known)
    return f" (did you mean {near[0]!r}?)" if near else ""


def nearest(word: str, known: Iterable[str]) -> list[str]:
    """Return the nearest known word, if one is near."""
    import difflib  # noqa: PLC0415 - for mistakes alone

    return difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
