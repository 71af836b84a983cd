"""The counterpart of a model in pydantic: the same class body, as a class of pydantic's, and of `corepool.Options`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, model_validator
from pydantic_core import core_schema

from corepool.spec.model import Model, full_model
from corepool.spec.options import Options
from corepool.spec.plain_values import KEPT

if TYPE_CHECKING:
    from collections.abc import Callable

_OF_THE_CLASS = frozenset({"__dict__", "__weakref__", "__slots__"})


def make(model: type[Any]) -> type[Any]:
    """Make the counterpart of a model, and of its bases."""
    bases = tuple(Options if base is Model else full_model(base) for base in model.__bases__)
    space = {key: value for key, value in vars(model).items() if key not in _OF_THE_CLASS and not key.startswith(KEPT)}
    space["__qualname__"] = model.__qualname__  # by which its source is found
    if "model_prepare" in space:
        space["_prepared"] = model_validator(mode="before")(classmethod(_prepared))  # type: ignore[arg-type]
    if "model_check" in space:
        space["_checked"] = model_validator(mode="after")(_checked)
    counterpart: Any = type(BaseModel)(model.__name__, bases, space)  # type: ignore[misc]
    counterpart.__model__ = model
    return counterpart  # type: ignore[no-any-return]


def _prepared(cls: Any, values: object) -> object:
    return cls.__model__.model_prepare(values)


def _checked(made: Any) -> Any:
    type(made).__model__.model_adopt(made).model_check()
    return made


def schema_of_part(model: type[Any], handler: Any) -> core_schema.CoreSchema:
    """Return the schema of a model that is part of another."""

    def adopt(value: object, judge: Callable[[object], object]) -> object:
        return value if isinstance(value, model) else model.model_adopt(judge(value))

    written = core_schema.plain_serializer_function_ser_schema(
        lambda value, info: value.model_dump(mode=info.mode), info_arg=True
    )
    return core_schema.no_info_wrap_validator_function(
        adopt, handler.generate_schema(full_model(model)), serialization=written
    )
