"""Facts that a field's annotation has about its value: the members of a union, the types of elements, the secrets."""

from __future__ import annotations

import re
import types
from typing import Annotated, Union, get_args, get_origin

from corepool.spec.plain_values import is_table

_SECRETS = ("SecretStr", "SecretBytes")
"""Classes of pydantic's, known by their names: a model without a secret does not import them."""

_HIDDEN = "*" * 10

# Up to the last @: one that its author has forgotten to write as %40, or a slash, is a part of it.
_PASSWORD = re.compile(r"(\b[a-z][a-z0-9+.-]*:/*[^/@:\s]*:)\S+(?=@)", re.IGNORECASE)


def members_of(annotation: object) -> list[object]:
    """List the types that a value may have, None aside: one, or the members of a union."""
    if hasattr(annotation, "__value__"):  # type X = ...
        return members_of(annotation.__value__)
    if get_origin(annotation) is Annotated:
        return members_of(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [part for arg in get_args(annotation) if arg is not types.NoneType for part in members_of(arg)]
    return [annotation]


def below(annotation: object, part: str | int) -> object:
    """Return the annotation of the element or key `part` of a value; None where that can't be known."""
    arguments = get_args(annotation)
    if is_table(annotation):
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


def is_table_of_texts(annotation: object) -> bool:
    """Return whether a value is a table with keys that its author chooses, each of them with a text."""
    members = members_of(annotation)
    return (
        len(members) == 1
        and get_origin(members[0]) is dict
        and all(members_of(argument) == [str] for argument in get_args(members[0]))
    )


def typed(annotation: object, text: str) -> object:
    """Return the number or boolean that a text can only mean where a value has this annotation; else the text."""
    members = members_of(annotation)
    if int in members and str not in members and text.isascii() and text.isdigit() and text == str(int(text[:18])):
        return int(text)
    return text == "true" if members == [bool] and text in ("true", "false") else text


def holds_secret(annotation: object) -> bool:
    """Return whether a value, or a part of it, must not be shown. Tables in it answer for themselves."""
    return any(
        _is_secret(member) or any(holds_secret(argument) for argument in get_args(member))
        for member in members_of(annotation)
    )


def without_secrets(value: object, annotation: object) -> object:
    """Return a value as it may be shown: asterisks for each secret in it, as pydantic shows those."""
    members = members_of(annotation)
    if value and any(map(_is_secret, members)):
        return _HIDDEN
    if isinstance(value, dict):
        return {key: without_secrets(each, _below_one_of(members, key)) for key, each in value.items()}
    if isinstance(value, str):
        return without_password(value)
    if isinstance(value, list | tuple):
        return [without_secrets(each, _below_one_of(members, index)) for index, each in enumerate(value)]
    return value


def without_password(text: str) -> str:
    """Return a text as it may be shown: asterisks for the password of a URL, SCHEME://[USER]:PASSWORD@HOST."""
    return _PASSWORD.sub(rf"\g<1>{_HIDDEN}", text)


def _is_secret(member: object) -> bool:
    return getattr(member, "__name__", None) in _SECRETS and getattr(member, "__module__", None) == "pydantic.types"


def _below_one_of(members: list[object], part: str | int) -> object:
    """Return the annotation that `part` has in a member of the union; of several, a secret one if there is any."""
    found = [each for member in members if (each := below(member, part)) is not None]
    return next(filter(holds_secret, found), found[0] if found else None)
