"""Pydantic's errors as sentences for an operator: `listener[0].backlog = 0: expected at least 1`.

Each sentence begins with the key path as the TOML spells it. Pydantic reports a union once per member,
with the member's name in the path; here the model is walked along the path, so that such names are
dropped and all errors of one value become one sentence. The same walk knows which keys a misspelt one
could have meant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from corepool.config.annotations import below, holds_secret, members_of, without_password
from corepool.config.suggest import did_you_mean
from corepool.spec.plain_values import is_table

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

    from pydantic import BaseModel
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
    "frozen_set_type": "an array",
    "list_type": "an array",
    "literal_error": "{expected}",
    "model_type": "a table",
    "multiple_of": "a multiple of {multiple_of}",
    "set_type": "an array",
    "string_pattern_mismatch": "text that matches {pattern}",
    "string_too_long": "at most {max_length} characters",
    "string_too_short": "at least {min_length} characters",
    "string_type": "text in quotes",
    "too_long": "at most {max_length} items",
    "too_short": "at least {min_length} items",
    "tuple_type": "an array",
}

NO_ARRAY = frozenset({"list_type", "set_type", "frozen_set_type", "tuple_type"})
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SHOWN = 60  # characters of a wrong value: enough to find it in the file, short enough for one line


@dataclass(frozen=True, slots=True)
class Mistake:
    """One wrong value: where it is, and a sentence that begins with that place."""

    path: KeyPath
    sentence: str


def describe_mistakes(error: ValueError, model: type[BaseModel], where: str) -> list[str]:
    """Put every mistake in `error` into one sentence.

    :param model: the model that validated.
    :param where: key path of the validated value; "" for the whole configuration.
    """
    return [mistake.sentence for mistake in find_mistakes(error, model, where)]


def find_mistakes(
    error: ValueError, model: type[BaseModel], where: str = "", only: Container[str] | None = None
) -> list[Mistake]:
    """Group the errors in `error` by the value they are about, in the order of the first of each.

    :param only: types of errors; values with any other error are left out.
    """
    grouped: dict[KeyPath, tuple[_Place, list[ErrorDetails]]] = {}
    for detail in details_of(error):
        if not _is_echo(detail):
            place = _locate(detail["loc"], model)
            grouped.setdefault(place.path, (place, []))[1].append(detail)
    return [
        Mistake(
            path,
            _shape(join_path(where, path), details, place)
            or _sentence(join_path(where, path), details, place, _hint(path, place.table, model, where)),
        )
        for path, (place, details) in grouped.items()
        if only is None or all(detail["type"] in only for detail in details)
    ]


def details_of(error: ValueError) -> list[ErrorDetails]:
    """Return the errors in pydantic's ValidationError; imported only here, where there is one."""
    from pydantic import ValidationError  # noqa: PLC0415

    if not isinstance(error, ValidationError):
        raise error
    return error.errors(include_url=False)


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
    """Spell a value roughly as TOML does, cut to fit on a line."""
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


def _shape(where: str, details: Sequence[ErrorDetails], place: _Place) -> str | None:
    """Describe how TOML writes an array, also of one element, if that is the mistake."""
    kind, value, key = details[0]["type"], details[0]["input"], place.path[-1] if place.path else None
    if len(details) > 1 or place.table is None or place.is_secret or not isinstance(key, str):
        return None
    element = next((each for member in members_of(below(place.table, key)) if (each := below(member, 0))), None)
    if is_table(element):
        heading = f"[[{where}]]"
        if kind == "missing":
            return f"{where}: missing; at least one {heading} is needed"
        return f"{where}: expected an array of tables; write {heading}" if isinstance(value, dict) else None
    if kind in NO_ARRAY and isinstance(value, str | int | float):
        return f"{where} = {spell_value(value)}: expected an array; write {key} = [{spell_value(value)}]"
    return None


def _sentence(where: str, details: Sequence[ErrorDetails], place: _Place, hint: str) -> str:
    kinds = {detail["type"] for detail in details}
    if "extra_forbidden" in kinds:
        return f"{where}: unknown key{hint}"
    if "missing" in kinds:
        return f"{where}: missing; it has no default"
    value = details[0]["input"]
    shown = (
        where
        if place.is_secret or isinstance(value, dict) or is_table(type(value))
        else f"{where} = {without_password(spell_value(value))}"
    )
    # A dict for an ordered set: members of a union often expect the same.
    expected = dict.fromkeys(text for detail in details if (text := _expectation(detail)))
    if expected:
        return f"{shown}: expected {' or '.join(expected)}"
    return f"{shown}: {'; '.join(dict.fromkeys(map(_plain, details)))}"


def _expectation(detail: ErrorDetails) -> str | None:
    """Describe the allowed values, if the error names them."""
    template = _EXPECTED.get(detail["type"])
    if template is None:
        plain = _plain(detail)
        return plain.removeprefix("expected ") if plain.startswith("expected ") else None
    # Pydantic quotes the members of a Literal as Python does; the file's quotes are double.
    text = template.format_map(detail.get("ctx", {})).replace("'", '"')
    return re.sub(r" 1 (item|character)s$", r" 1 \1", text)


def _plain(detail: ErrorDetails) -> str:
    """Return a validator's own words, without pydantic's wrapping."""
    raised = detail.get("ctx", {}).get("error")
    message = str(raised) if isinstance(raised, Exception) else detail["msg"]
    return message.replace("Input should be", "expected").replace("Input should", "it should")


def _is_echo(detail: ErrorDetails) -> bool:
    """Return whether it is a "too few items" caused only by items that are reported themselves."""
    value = detail["input"]
    return (
        detail["type"] == "too_short"
        and isinstance(value, list | tuple | dict)
        and len(value) >= detail.get("ctx", {}).get("min_length", 0)
    )


def _hint(path: KeyPath, table: type[BaseModel] | None, root: type[BaseModel], where: str) -> str:
    """Suggest the key that was meant: the same one in another table, else a similar one in the same table."""
    if table is None or not isinstance(path[-1], str):
        return ""
    homes = [home for home, keys in _tables(root, (), ()) if path[-1] in keys] if not where else []
    if homes:
        return f" here; it belongs in {' or '.join(homes)}"
    known = _keys(table)
    near = did_you_mean(path[-1], known)
    if near:
        return near
    return f"; known here: {', '.join(known)}" if known else "; there are no keys here"


# --- walking the model along a path --------------------------------------------------------------


class _Place(NamedTuple):
    """Where a value is: its key path, the model of the table that holds its last key, whether it may be shown."""

    path: KeyPath
    table: type[BaseModel] | None
    is_secret: bool


def _locate(loc: tuple[str | int, ...], model: type[BaseModel]) -> _Place:
    """Turn pydantic's location into that of the file."""
    path: list[str | int] = []
    holder: object = None
    here: object = model
    is_secret = False
    for index, part in enumerate(loc):
        members = members_of(here)
        if len(members) > 1:  # pydantic puts the member's name between the value and its parts
            here = _chosen(members, part, loc[index + 1] if index + 1 < len(loc) else None)
        elif part != "[key]":  # pydantic's mark of a wrong key rather than a wrong value
            path.append(part)
            holder, here = members[0], below(members[0], part)
            is_secret = is_secret or holds_secret(here)
    table = holder if is_table(holder) else None
    return _Place(tuple(path), table, is_secret)


def _chosen(members: list[object], tag: str | int, part: str | int | None) -> object:
    """Find the member of a union that pydantic means by `tag`, or else one that has something at `part`."""
    for member in members:
        if getattr(member, "__name__", None) == tag:
            return member
    return next((member for member in members if part is not None and below(member, part) is not None), None)


def _keys(table: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in table.model_fields.items()]


def _tables(
    table: type[BaseModel], home: tuple[str, ...], inside: tuple[type[BaseModel], ...]
) -> Iterator[tuple[str, list[str]]]:
    """List each table of the model as the file writes its heading, with its keys."""
    if home:
        yield f"[{'.'.join(home)}]", _keys(table)
    for name, field in table.model_fields.items():
        told: list[object] = []  # for a table that may also be one of several, the simple form is given
        for member in members_of(field.annotation):
            element = below(member, 0)
            nested = member if element is None else element
            if is_table(nested) and nested not in (*inside, *told):
                told.append(nested)
                its_home = (*home, field.alias or name)
                for heading, keys in _tables(nested, its_home, (*inside, table)):
                    yield heading if element is None else f"[{heading}]", keys
