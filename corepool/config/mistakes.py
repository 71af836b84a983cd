"""What pydantic found wrong, as sentences for an operator: `listener[0].backlog = 0: expected at least 1`.

Each sentence begins with the key path as the TOML spells it. Pydantic reports a union once per member,
with the member's name in the path; here the model is walked along the path, so that such names are
dropped and all errors of one value become one sentence. The same walk knows which keys a misspelt one
could have meant.
"""

from __future__ import annotations

import re
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Union, get_args, get_origin

from pydantic import BaseModel

from corepool.config.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

KeyPath = tuple[str | int, ...]

# By pydantic's error type, filled in from the error's context. Types that are not here (a plugin's own
# validators, the exotic ones) keep pydantic's message, less its "Input should be".
_EXPECTED: Mapping[str, str] = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a table",
    "enum": "{expected}",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller number",
    "int_type": "a whole number",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "list_type": "an array",
    "literal_error": "{expected}",
    "model_type": "a table",
    "multiple_of": "a multiple of {multiple_of}",
    "string_pattern_mismatch": "text that matches {pattern}",
    "string_too_long": "at most {max_length} characters",
    "string_too_short": "at least {min_length} characters",
    "string_type": "text in quotes",
    "too_long": "at most {max_length} items",
    "too_short": "at least {min_length} items",
    "tuple_type": "an array",
}

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SHOWN = 60  # characters of a wrong value: enough to find it in the file, short enough for one line


@dataclass(frozen=True, slots=True)
class Mistake:
    """One wrong value: where it is, and a sentence that begins with that place."""

    path: KeyPath
    sentence: str


def describe_mistakes(error: ValidationError, model: type[BaseModel], where: str) -> list[str]:
    """Put every mistake in `error` into one sentence.

    :param model: what was validated.
    :param where: key path of what was validated; "" for the whole configuration.
    """
    return [mistake.sentence for mistake in find_mistakes(error, model, where)]


def find_mistakes(error: ValidationError, model: type[BaseModel], where: str = "") -> list[Mistake]:
    """Group the errors in `error` by the value they are about, in the order of the first of each."""
    grouped: dict[KeyPath, tuple[type[BaseModel] | None, list[ErrorDetails]]] = {}
    for detail in error.errors(include_url=False):
        if not _is_echo(detail):
            path, table = _locate(detail["loc"], model)
            grouped.setdefault(path, (table, []))[1].append(detail)
    return [
        Mistake(path, _sentence(join_path(where, path), details, _hint(path, table, model, where)))
        for path, (table, details) in grouped.items()
    ]


def join_path(where: str, path: KeyPath) -> str:
    """Spell a key path: `listener[0].options."a key"`."""
    spelt = where
    for part in path:
        if isinstance(part, int):
            spelt += f"[{part}]"
        else:
            key = part if _BARE_KEY.fullmatch(part) else spell_value(part)
            spelt += f".{key}" if spelt else key
    return spelt


def spell_value(value: object) -> str:
    """Spell a value roughly as TOML does, cut to what fits on a line."""
    match value:
        case bool():
            spelt = str(value).lower()
        case str():
            spelt = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value)
            spelt = '"' + spelt.replace('"', '\\"') + '"'
        case list() | tuple():
            spelt = "[" + ", ".join(spell_value(item) for item in value[:_SHOWN]) + "]"
        case dict():
            spelt = "{...}" if value else "{}"
        case int() if value.bit_length() > 4 * _SHOWN:
            # Python itself refuses to write out one of thousands of digits.
            return f"a number of {value.bit_length()} bits"
        case _:
            spelt = str(value)
    return spelt if len(spelt) <= _SHOWN else f"{spelt[: _SHOWN - 3]}..."


def _sentence(place: str, details: Sequence[ErrorDetails], hint: str) -> str:
    kinds = {detail["type"] for detail in details}
    if "extra_forbidden" in kinds:
        return f"{place}: unknown key{hint}"
    if "missing" in kinds:
        return f"{place}: missing; it has no default"
    value = details[0]["input"]
    shown = place if isinstance(value, dict | BaseModel) else f"{place} = {spell_value(value)}"
    # A dict for an ordered set: members of a union often expect the same.
    expected = dict.fromkeys(text for detail in details if (text := _expectation(detail)))
    if expected:
        return f"{shown}: expected {' or '.join(expected)}"
    return f"{shown}: {'; '.join(dict.fromkeys(map(_plain, details)))}"


def _expectation(detail: ErrorDetails) -> str | None:
    """Say what is allowed, if this error tells."""
    template = _EXPECTED.get(detail["type"])
    if template is None:
        plain = _plain(detail)
        return plain.removeprefix("expected ") if plain.startswith("expected ") else None
    # Pydantic quotes the members of a Literal as Python does; the file's quotes are double.
    text = template.format_map(detail.get("ctx", {})).replace("'", '"')
    return re.sub(r" 1 (item|character)s$", r" 1 \1", text)


def _plain(detail: ErrorDetails) -> str:
    """Give a validator's own words, without what pydantic wraps around them."""
    raised = detail.get("ctx", {}).get("error")
    message = str(raised) if isinstance(raised, Exception) else detail["msg"]
    return message.replace("Input should be", "expected").replace("Input should", "it should")


def _is_echo(detail: ErrorDetails) -> bool:
    """Tell a "too few items" that only leaves out items which are reported as wrong themselves."""
    value = detail["input"]
    return (
        detail["type"] == "too_short"
        and isinstance(value, list | tuple | dict)
        and len(value) >= detail.get("ctx", {}).get("min_length", 0)
    )


def _hint(path: KeyPath, table: type[BaseModel] | None, root: type[BaseModel], where: str) -> str:
    """Say which key was meant: a similar one in the same table, else the same one in another table."""
    if table is None or not isinstance(path[-1], str):
        return ""
    known = _keys(table)
    near = did_you_mean(path[-1], known)
    if near:
        return near
    homes = [home for home, keys in _tables(root, (), ()) if path[-1] in keys] if not where else []
    if homes:
        return f" here; it belongs in {' or '.join(homes)}"
    return f"; known here: {', '.join(known)}" if known else "; there are no keys here"


# --- walking the model along a path --------------------------------------------------------------


def _locate(loc: tuple[str | int, ...], model: type[BaseModel]) -> tuple[KeyPath, type[BaseModel] | None]:
    """Turn pydantic's location into the key path, and find the model of the table that holds its last key."""
    path: list[str | int] = []
    holder: object = None
    here: object = model
    for index, part in enumerate(loc):
        members = _members(here)
        if len(members) > 1:  # pydantic puts the member's name between the value and what is below it
            below = loc[index + 1] if index + 1 < len(loc) else None
            here = _chosen(members, part, below)
        elif part != "[key]":  # pydantic's mark of a wrong key rather than a wrong value
            path.append(part)
            holder, here = members[0], _below(members[0], part)
    return tuple(path), holder if isinstance(holder, type) and issubclass(holder, BaseModel) else None


def _members(annotation: object) -> list[object]:
    """List what a value may be, None aside: one thing, or the members of a union."""
    if hasattr(annotation, "__value__"):  # type X = ...
        return _members(annotation.__value__)
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [part for arg in get_args(annotation) if arg is not types.NoneType for part in _members(arg)]
    return [annotation]


def _chosen(members: list[object], tag: str | int, below: str | int | None) -> object:
    """Find the member of a union that pydantic means by `tag`, or else one that has something at `below`."""
    for member in members:
        if getattr(member, "__name__", None) == tag:
            return member
    return next((member for member in members if below is not None and _below(member, below) is not None), None)


def _below(annotation: object, part: str | int) -> object:
    """Give the annotation of the element or key `part` of a value; None where that can't be known."""
    arguments = get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            if part in (name, field.alias):
                return field.annotation
        return None
    origin = get_origin(annotation)
    if isinstance(part, str) and origin is dict:
        return arguments[1]
    if isinstance(part, int) and origin in (list, set, frozenset):
        return arguments[0]
    if isinstance(part, int) and origin is tuple:
        if arguments[-1] is Ellipsis:
            return arguments[0]
        return arguments[part] if part < len(arguments) else None
    return None


def _keys(table: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in table.model_fields.items()]


def _tables(
    table: type[BaseModel], home: tuple[str, ...], inside: tuple[type[BaseModel], ...]
) -> Iterator[tuple[str, list[str]]]:
    """List each table of the model as the file writes its heading, with its keys."""
    if home:
        yield f"[{'.'.join(home)}]", _keys(table)
    for name, field in table.model_fields.items():
        told: list[object] = []  # of a table that may also be one of several, the simple form is told
        for member in _members(field.annotation):
            element = _below(member, 0)
            nested = member if element is None else element
            if isinstance(nested, type) and issubclass(nested, BaseModel) and nested not in (*inside, *told):
                told.append(nested)
                below = (*home, field.alias or name)
                for heading, keys in _tables(nested, below, (*inside, table)):
                    yield heading if element is None else f"[{heading}]", keys
