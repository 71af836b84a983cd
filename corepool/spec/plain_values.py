"""Values that are plainly right for a model: each has exactly the type of its field, and keeps the bounds of its notes.

Whatever is not plain is left to pydantic, which finds that it is right after all, or the mistake.
"""

from __future__ import annotations

import types
import typing
from copy import deepcopy
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypeGuard, TypeVar, Union, get_args, get_origin

from corepool.spec import fields as _fields

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic import BaseModel

    ModelT = TypeVar("ModelT")

KEPT = "_kept"
"""The beginning of the names of attributes that are a class's own: its counterpart in pydantic does not get them."""

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
_CLASSES = (object, bool, int, float, str, types.NoneType, IPv4Network, IPv6Network)
_READ = (_notes.BeforeValidator, _notes.AfterValidator, _notes.Field)
_OVERLOOKED = (_notes.Discriminator, _notes.PlainSerializer, _notes.Tag)
"""Of no meaning for a value that is plainly right."""
_KNOWN_CONFIG: Mapping[str, object] = {"extra": "forbid", "frozen": True, "strict": True, "defer_build": True}


def taken_plainly(model: type[ModelT], values: object) -> ModelT | None:
    """Make a model of values that are plainly right; None: pydantic has to judge them."""
    try:
        made: ModelT = _taken(model, values)
    except NotPlainError:
        return None
    return made


def is_plainly_right(model: type[Any], key: str, value: object) -> bool:
    """Return whether a value is plainly right for one field."""
    try:
        _value(model.model_fields[key].noted, value, strict=bool(model.model_config.get("strict")))
    except NotPlainError:
        return False
    return True


def _taken(model: type[Any], values: object) -> Any:
    if type(values) is not dict:
        raise NotPlainError
    fields = model.model_fields
    values = model.model_prepare(dict(values))  # pydantic may have to prepare them again
    if type(values) is not dict or values.keys() - fields.keys():
        raise NotPlainError
    strict = bool(model.model_config.get("strict"))
    state: dict[str, object] = {}
    for name, field in fields.items():
        if name in values:
            state[name] = _value(field.noted, values[name], strict=strict)
        elif field.default is _REQUIRED:
            raise NotPlainError
        else:
            state[name] = deepcopy(field.default)
    made = model.model_made(state, set(values))
    _judged(made.model_check)
    return made


def refuse_unknown(model: type[Any]) -> None:
    """Refuse a class body that says something in pydantic's own objects, such as a validator: they would be overlooked.

    :raises TypeError: it does.
    """
    unknown = [name for name, value in vars(model).items() if type(value).__module__.partition(".")[0] == "pydantic"]
    unknown += [name for name, value in model.model_config.items() if _KNOWN_CONFIG.get(name) != value]
    unknown += [str(base) for base in model.__bases__ if not hasattr(base, "model_made")]
    if unknown:
        raise TypeError(
            f"{model.__module__}.{model.__qualname__}: {', '.join(unknown)}: only a model of pydantic has that, such "
            "as one that derives from corepool.Options; from corepool_http.HttpOptions in the place of Http.Options"
        )


def plain_fields(model: type[Any]) -> Mapping[str, PlainField]:
    """Return the fields of a model.

    :raises TypeError: one of them says something that is not known here.
    """
    fields: dict[str, PlainField] = {}
    for name, noted in typing.get_type_hints(model, include_extras=True).items():
        if name.startswith("_") or not _is_known(noted):
            raise TypeError(f"{model.__module__}.{model.__qualname__}.{name}: {noted} is known to pydantic alone")
        annotation = get_args(noted)[0] if get_origin(noted) is Annotated else noted
        fields[name] = PlainField(annotation, noted, getattr(model, name, _REQUIRED))
    return fields


def _is_known(annotation: Any) -> bool:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _is_known(arguments[0]) and all(isinstance(note, (*_READ, *_OVERLOOKED)) for note in arguments[1:])
    if origin is Literal:
        return True
    if origin is tuple and arguments[1:] != (Ellipsis,):
        return False
    if origin in (Union, types.UnionType, tuple, list, dict):
        return all(_is_known(each) for each in arguments if each is not Ellipsis)
    return annotation in _CLASSES or (isinstance(annotation, type) and hasattr(annotation, "model_made"))


def _value(annotation: Any, value: Any, *, strict: bool) -> object:
    """Return a value as its annotation takes it, if that is plain."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _noted(arguments[0], arguments[1:], value, strict=strict)
    if isinstance(annotation, type) and origin is None:
        if annotation is object or type(value) is annotation:
            return value
        if type(value) is dict and hasattr(annotation, "model_made"):
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
    elif origin is tuple:
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
        elif isinstance(note, _notes.Field) and not note.admits(value):
            raise NotPlainError
    return value


def _judged(judge: Callable[..., Any], *value: object) -> Any:
    try:
        return judge(*value)
    except (ValueError, AssertionError):
        raise NotPlainError from None
