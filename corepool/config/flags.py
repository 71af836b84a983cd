"""Flags of the command line made from settings and plugins' options: one for each key."""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType
from typing import TYPE_CHECKING, get_origin

from corepool.config.annotations import holds_secret, is_table_of_texts, members_of
from corepool.spec.plain_values import is_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

_LISTS = (list, tuple, set, frozenset)


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag: the key that it sets, and the form of its value."""

    key: str
    name: str
    """With its dashes, such as --idle-timeout."""
    is_switch: bool
    """It takes no value; the key is true or false."""
    is_list: bool
    """It may be repeated."""
    is_table: bool
    """Each value is one KEY=VALUE of a table; it may be repeated."""


def flags_of(model: type[BaseModel]) -> Iterator[Flag]:
    """Yield the flags of a model's keys.

    Tables have none, unless their values are texts, for a flag is one value; nor have secrets, which `ps` would show
    to every user, nor keys with an alias, which may be no word.
    """
    for key, field in model.model_fields.items():
        members = [member for member in members_of(field.annotation) if member is not NoneType]
        is_table = is_table_of_texts(field.annotation)
        if field.alias is not None or holds_secret(field.annotation) or (all(map(_is_table, members)) and not is_table):
            continue
        yield Flag(
            key,
            f"--{key.replace('_', '-')}",
            is_switch=members == [bool],
            is_list=any(get_origin(member) in _LISTS for member in members),
            is_table=is_table,
        )


def _is_table(member: object) -> bool:
    return get_origin(member) is dict or (is_table(member))
