"""Options of plugins, from sources where values have a type, and from sources where all is text.

In TOML 8, "8" and ["8"] are three things: `threads = "8"` is a mistake to report, as it is in the settings. A flag,
`-o threads=8`, and the query of a URL can't tell them apart: their text becomes a value of the model's type.
From either, a text that stands where a list is wanted is a list of one: `allow = "10.0.0.0/8"`. Only from the latter,
texts that stand where a table of texts is wanted are its pairs: `-o static=/static/=./public`.

Pydantic's strict mode can't report the former: given Python's values it wants instances (a tuple for an array, an
IPv4Network for its text), and given JSON it refuses the instances that a plugin's own validators make. So a model
validates as its author expects; a strict validation, as JSON, only finds numbers and booleans that were made from
something else.
"""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, TypeGuard, TypeVar

from corepool.config.annotations import is_table_of_texts, typed
from corepool.config.mistakes import NO_ARRAY, Mistake, details_of, find_mistakes, join_path, spell_value
from corepool.config.suggest import nearest
from corepool.errors import ConfigError
from corepool.spec.model import Model
from corepool.spec.plain_values import taken_plainly

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel

    ModelT = TypeVar("ModelT", bound=BaseModel)

_NO_SCALAR = frozenset({"bool_type", "float_type", "int_type"})
_WORD = re.compile(r"\w+")


class Untyped(str):
    """Text from a source where nothing has a type."""

    __slots__ = ()


def is_options(model: object) -> TypeGuard[type[BaseModel]]:
    """Return whether an object is a class of options: it derives from `corepool.Options`, or is http's own."""
    if not isinstance(model, type):
        return False
    module = sys.modules.get("corepool.spec.options")  # of pydantic; a class that derives from it has imported it
    return issubclass(model, Model) or (module is not None and issubclass(model, module.Options))


def validate_options(model: type[ModelT], values: Mapping[str, object], where: str) -> ModelT:
    """Make options from values.

    :param where: their key path, for messages.
    :raises ConfigError: with every mistake.
    """
    is_untyped = any(map(_is_untyped, values.values()))
    plain = {key: _plain(value) for key, value in values.items()}
    others = _read_pairs(model, values, plain, where) if is_untyped else []
    if issubclass(model, Model) and not others:
        fields = model.model_fields
        sure = {
            key: typed(fields[key].annotation, each) if isinstance(each, str) and is_untyped and key in fields else each
            for key, each in plain.items()
        }
        if (taken := taken_plainly(model, sure)) is not None:
            return taken
    try:
        made = _convert(model, plain)
    except ValueError as error:
        others += find_mistakes(error, model, where)
    found = [] if is_untyped else _conversions(model, plain, where)
    if others:
        paths = {mistake.path for mistake in others}
        found = [*others, *(mistake for mistake in found if mistake.path not in paths)]
        found += _of_the_whole(model, plain, found, where)
    if found:
        raise ConfigError([mistake.sentence for mistake in found])
    return made


def _read_pairs(
    model: type[BaseModel], values: Mapping[str, object], plain: dict[str, object], where: str
) -> list[Mistake]:
    """Put tables into `plain` for texts written as KEY=VALUE, and return the mistakes of those that are not."""
    mistakes: list[Mistake] = []
    for key, field in model.model_fields.items():
        value = values.get(key)
        if not (_is_untyped(value) and is_table_of_texts(field.annotation)):
            continue
        texts = [str(each) for each in (value if isinstance(value, list) else [value])]
        plain[key] = dict(text.split("=", 1) for text in texts if "=" in text)
        mistakes += (
            Mistake((key,), f"{join_path(where, (key,))} = {spell_value(text)}: expected KEY=VALUE")
            for text in texts
            if "=" not in text
        )
    return mistakes


def _of_the_whole(
    model: type[BaseModel],
    values: Mapping[str, object],
    found: Sequence[Mistake],
    where: str,
) -> list[Mistake]:
    """Find the mistakes that the model's own validators find, for which pydantic calls them with right fields only.

    The refused keys give way to their defaults. A mistake that names one of them, or one that was misspelt, may only
    follow from that, and is left out.
    """
    refused = {str(mistake.path[0]) for mistake in found if mistake.path}
    if not all(mistake.path for mistake in found):  # it has called them
        return []
    try:
        _convert(model, {key: value for key, value in values.items() if key not in refused})
    except ValueError as error:
        meant = {*refused, *(near for key in refused for near in nearest(key, model.model_fields))}
        return [
            mistake
            for mistake in find_mistakes(error, model, where)
            if not mistake.path and not meant.intersection(_WORD.findall(mistake.sentence.removeprefix(where)))
        ]
    return []


def _conversions(model: type[BaseModel], values: Mapping[str, object], where: str) -> list[Mistake]:
    """Find numbers and booleans that would be made from something else."""
    try:
        text = json.dumps(values)
    except (TypeError, ValueError):  # a date, or a number of thousands of digits: for the model to judge
        return []
    try:
        model.model_validate_json(text, strict=True)
    except ValueError as error:
        return find_mistakes(error, model, where, only=_NO_SCALAR)
    return []


def _convert(model: type[ModelT], values: dict[str, object]) -> ModelT:
    """Make options; a text that stands where a list is wanted becomes a list of one, in `values`, too."""
    try:
        return model.model_validate(values)
    except ValueError as error:
        alone = {
            key
            for detail in details_of(error)
            if detail["type"] in NO_ARRAY and isinstance(values.get(key := str(detail["loc"][0])), str)
        }
        if not alone:
            raise
    values |= {key: [values[key]] for key in alone}
    return model.model_validate(values)


def _is_untyped(value: object) -> bool:
    return isinstance(value, Untyped) or (isinstance(value, list) and any(map(_is_untyped, value)))


def _plain(value: object) -> object:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Untyped) else value
