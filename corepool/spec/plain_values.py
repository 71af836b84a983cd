"""Values that are plainly right for a model: each has exactly the type of its field, and keeps the bounds of its notes.

Whatever is not plain is left to pydantic, which finds that it is right after all, or the mistake.
"""

from __future__ import annotations

import math
import re
import types
import typing
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypeGuard, TypeVar, Union, get_args, get_origin

from corepool.spec import fields as _fields

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic import BaseModel

    ModelT = TypeVar("ModelT")

KEPT = "_kept"
"""The beginning of the names of attributes that are a class's own: its counterpart in pydantic does not get them."""

PRIVATE = f"{KEPT}_private_attributes"

_notes: Any = _fields  # what they are at runtime, not what they look like to a type checker


def is_table(annotation: object) -> TypeGuard[type[BaseModel]]:
    """Return whether an annotation is a model, of pydantic's or of this kind."""
    return isinstance(annotation, type) and hasattr(annotation, "model_fields")


class NotPlainError(Exception):
    """A value is not plainly right, which does not mean that it is wrong."""


class PlainField(NamedTuple):
    """A field: its type without notes, as pydantic tells it, the whole annotation, and the default."""

    annotation: object
    noted: object
    default: object
    alias: None = None
    description: None = None


_REQUIRED = object()
_IGNORED = (_notes.BeforeValidator, _notes.Discriminator, _notes.PlainSerializer, _notes.Tag)
"""Read before, or of no meaning for a value that is plainly right."""
_KNOWN_CONFIG = {"extra": "forbid", "frozen": True, "defer_build": True}


def taken_plainly(model: type[ModelT], values: object) -> ModelT | None:
    """Make a model of values that are plainly right; None: pydantic has to judge them."""
    try:
        made: ModelT = _taken(model, values)
    except NotPlainError:
        return None
    return made


def _taken(model: type[Any], values: object) -> Any:
    fields = model.model_plain_fields
    values = model.model_prepare(values)
    if fields is None or type(values) is not dict or values.keys() - fields.keys():
        raise NotPlainError
    strict = bool(model.model_config.get("strict"))
    state: dict[str, object] = {}
    for name, field in fields.items():
        if name in values:
            state[name] = _value(field.noted, values[name], strict=strict)
        elif field.default is _REQUIRED:
            raise NotPlainError
        else:
            state[name] = dict(field.default) if type(field.default) is dict else field.default
    made = object.__new__(model)
    object.__setattr__(made, "__dict__", state)
    object.__setattr__(made, "__pydantic_fields_set__", set(values))
    object.__setattr__(made, "__pydantic_private__", None)
    _judged(made.model_check)
    return made


def plain_fields(model: type[Any]) -> Mapping[str, PlainField] | None:
    """Return the fields of a model that says nothing in pydantic's own objects; None: it does."""
    config = {key: value for key, value in model.model_config.items() if key != "strict"}
    if any(_KNOWN_CONFIG.get(key) != value for key, value in config.items()):
        return None
    bases = [each for each in model.__mro__ if PRIVATE in vars(each)]
    own = [value for each in bases for key, value in vars(each).items() if not key.startswith(KEPT)]
    if any(type(value).__module__.partition(".")[0] == "pydantic" for value in own):
        return None
    if any(vars(each)[PRIVATE] for each in bases):
        return None
    try:
        hints = typing.get_type_hints(model, include_extras=True)
    except NameError:  # of the function that defines it
        return None
    fields: dict[str, PlainField] = {}
    for name, noted in hints.items():
        default = getattr(model, name, _REQUIRED)
        if name.startswith("_") or get_origin(noted) is typing.ClassVar or type(default) in (list, set):
            return None
        fields[name] = PlainField(get_args(noted)[0] if get_origin(noted) is Annotated else noted, noted, default)
    return fields


def _value(annotation: Any, value: Any, *, strict: bool) -> object:
    """Return a value as its annotation takes it, if that is plain."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _noted(arguments[0], arguments[1:], value, strict=strict)
    if isinstance(annotation, type) and origin is None:
        if annotation is object or type(value) is annotation:
            return value
        if type(value) is dict and hasattr(annotation, "model_plain_fields"):
            return _taken(annotation, value)
    elif origin is Literal:
        if any(type(value) is type(each) and value == each for each in arguments):
            return value
    elif origin in (Union, types.UnionType):
        for member in arguments:
            try:
                return _value(member, value, strict=strict)
            except NotPlainError:
                continue
    elif origin is tuple and arguments[-1] is Ellipsis:
        if type(value) is tuple or (type(value) is list and not strict):
            return tuple(_value(arguments[0], each, strict=strict) for each in value)
    elif origin is list and type(value) is list:
        return [_value(arguments[0], each, strict=strict) for each in value]
    elif origin is dict and type(value) is dict:
        of_key, of_value = arguments
        return {
            _value(of_key, key, strict=strict): _value(of_value, each, strict=strict) for key, each in value.items()
        }
    raise NotPlainError


def _noted(annotation: object, notes: Sequence[Any], value: Any, *, strict: bool) -> object:
    for note in reversed(notes):
        if isinstance(note, _notes.BeforeValidator):
            value = _judged(note.positional[0], value)
        elif isinstance(note, _notes.Field):
            strict = note.named.get("strict", strict)
    value = _value(annotation, value, strict=strict)
    for note in notes:
        if isinstance(note, _notes.AfterValidator):
            value = _judged(note.positional[0], value)
        elif isinstance(note, _notes.Field):
            if not all(_BOUNDS[name](value, bound) for name, bound in note.named.items()):
                raise NotPlainError
        elif not isinstance(note, _IGNORED):
            raise NotPlainError
    return value


def _judged(judge: Callable[..., Any], *value: object) -> Any:
    try:
        return judge(*value)
    except (ValueError, AssertionError):
        raise NotPlainError from None


_BOUNDS: Mapping[str, Callable[[Any, Any], bool]] = {
    "ge": lambda value, bound: value >= bound,
    "gt": lambda value, bound: value > bound,
    "le": lambda value, bound: value <= bound,
    "lt": lambda value, bound: value < bound,
    "min_length": lambda value, bound: len(value) >= bound,
    "max_length": lambda value, bound: len(value) <= bound,
    # A line break, which Python's $ overlooks, is left to pydantic.
    "pattern": lambda value, bound: "\n" not in value and re.search(bound, value) is not None,
    "allow_inf_nan": lambda value, bound: bound or math.isfinite(value),
    "strict": lambda _value, _bound: True,
}
