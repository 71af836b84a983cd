"""A model of pydantic that is made when it is needed: where a value is not plainly right, and for a schema or a help.

It is for the classes of the core and of http alone, whose annotations `plain_values.py` knows: another is refused. The
options of plugins are models of pydantic (`options.py`).

At runtime `Model` has the same names as pydantic's BaseModel, as far as they are used here, and each class of it has a
counterpart there, made of the same class body (`full_model.py`). Values that are plainly right are taken without
it: each has exactly the type of its field, and keeps the bounds that the field's notes (`fields.py`) tell. Everything
else, and so every mistake, is the counterpart's business; a property test compares the two.
"""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any, Self

from corepool.spec.plain_values import KEPT, plain_fields, refuse_unknown, taken_plainly

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel

    from corepool.spec.plain_values import PlainField

    class Model(BaseModel):
        """As it is below."""

        @classmethod
        def model_made(cls, values: Mapping[str, object], given: set[str]) -> Self:
            """Make one of values that are known to be right."""

        @classmethod
        def model_prepare(cls, values: object) -> object:
            """Change values before they are judged."""

        def model_check(self) -> None:
            """Judge the whole; raises ValueError."""

    full_model: Callable[[type[BaseModel]], type[BaseModel]]

else:

    class ClassFact:
        """A fact about a class, found when it is asked for and then kept with the class."""

        def __init__(self, find: Callable[[type], object]) -> None:
            self._find = find
            self._name = f"{KEPT}{find.__name__}"

        def __get__(self, instance: object, owner: type) -> object:
            if self._name not in vars(owner):
                setattr(owner, self._name, self._find(owner))
            return vars(owner)[self._name]

    def full_model(model: type[Model]) -> type:
        """Return a model's counterpart in pydantic."""
        return model.model_counterpart

    def _model_counterpart(cls: type[Model]) -> type:
        from corepool.spec.full_model import make  # noqa: PLC0415 - pydantic

        return make(cls)

    def _model_fields(cls: type[Model]) -> Mapping[str, PlainField]:
        return plain_fields(cls)

    class Model:
        """A frozen model with one attribute for each field."""

        __slots__ = ("__dict__", "__weakref__", "model_fields_set")

        model_config = types.MappingProxyType({"extra": "forbid", "frozen": True})
        model_counterpart = ClassFact(_model_counterpart)
        model_fields = ClassFact(_model_fields)

        def __init_subclass__(cls, **settings: object) -> None:
            super().__init_subclass__(**settings)
            refuse_unknown(cls)

        def __init__(self, /, **values: object) -> None:
            made = type(self).model_validate(values)
            vars(self).update(vars(made))
            object.__setattr__(self, "model_fields_set", made.model_fields_set)

        @classmethod
        def model_validate(cls, values: object) -> Self:
            """Make one of values; raises pydantic's ValidationError, a ValueError."""
            if isinstance(values, cls):
                return values
            made = taken_plainly(cls, values)
            return cls.model_adopt(full_model(cls).model_validate(values)) if made is None else made

        @classmethod
        def model_validate_json(cls, text: str, **settings: object) -> Self:
            """Make one of JSON."""
            return cls.model_adopt(full_model(cls).model_validate_json(text, **settings))

        @classmethod
        def model_json_schema(cls, **settings: object) -> dict[str, Any]:
            """Make the JSON Schema."""
            return full_model(cls).model_json_schema(**settings)

        @classmethod
        def model_made(cls, values: Mapping[str, object], given: set[str]) -> Self:
            """Make one of values that are known to be right."""
            made = object.__new__(cls)
            vars(made).update(values)
            object.__setattr__(made, "model_fields_set", given)
            return made

        @classmethod
        def model_adopt(cls, full: object) -> Self:
            """Make one of a counterpart."""
            return cls.model_made({name: vars(full)[name] for name in cls.model_fields}, full.model_fields_set)

        @classmethod
        def model_prepare(cls, values: object) -> object:
            """Change values before they are judged."""
            return values

        def model_check(self) -> None:
            """Judge the whole; raises ValueError."""

        def model_copy(self, *, update: Mapping[str, object]) -> Self:
            """Return a copy with other values, which are not judged."""
            return type(self).model_made(_values(self) | update, self.model_fields_set | update.keys())

        def model_dump(self, **settings: object) -> dict[str, Any]:
            """Return the values, as pydantic writes them."""
            full = full_model(type(self)).model_construct(self.model_fields_set, **_values(self))
            return full.model_dump(**settings)

        def __setattr__(self, name: str, value: object) -> None:
            raise AttributeError(f"{type(self).__name__}.{name}: frozen")

        __delattr__ = __setattr__

        def __eq__(self, other: object) -> bool:
            return type(other) is type(self) and _values(self) == _values(other)

        def __hash__(self) -> int:
            return hash((type(self), *_values(self).values()))

        def __repr__(self) -> str:
            return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in _values(self).items())})"

        def __reduce__(self) -> tuple[object, ...]:
            return type(self).model_made, (_values(self), self.model_fields_set)

        @classmethod
        def __get_pydantic_core_schema__(cls, source: object, handler: Callable[..., object]) -> object:
            from corepool.spec.full_model import schema_of_part  # noqa: PLC0415 - pydantic

            return schema_of_part(cls, handler)

    def _values(made: Model) -> dict[str, object]:
        return {name: vars(made)[name] for name in type(made).model_fields}
