"""A model of pydantic that is made when it is needed: where a value is not plainly right, and for a schema or a help.

At runtime `Model` has the same names as pydantic's BaseModel, as far as they are used here, and each class of it has a
counterpart there, made of the same class body (`full_model.py`). Values that are plainly right are taken without
it: each has exactly the type of its field, and keeps the bounds that the field's notes (`fields.py`) tell. Everything
else, and so every mistake, is the counterpart's business; a property test compares the two.
"""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any, ClassVar, Self

from corepool.spec.plain_values import KEPT, PRIVATE, PlainField, plain_fields, taken_plainly

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel

    class Model(BaseModel):
        """As it is below."""

        model_plain_fields: ClassVar[Mapping[str, PlainField] | None]

        @classmethod
        def model_prepare(cls, values: object) -> object:
            """Change values before they are judged."""

        def model_check(self) -> None:
            """Judge the whole; raises ValueError."""

    full_model: Callable[[type[BaseModel]], type[BaseModel]]

else:
    _STATE = ("__dict__", "__pydantic_fields_set__", "__pydantic_private__")

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

    def _model_plain_fields(cls: type[Model]) -> Mapping[str, PlainField] | None:
        return plain_fields(cls)

    def _model_fields(cls: type[Model]) -> Mapping[str, object]:
        fields = cls.model_plain_fields
        return full_model(cls).model_fields if fields is None else fields

    class Model:
        """A frozen model with one attribute for each field."""

        __slots__ = ("__dict__", "__pydantic_fields_set__", "__pydantic_private__", "__weakref__")

        model_config = types.MappingProxyType({"extra": "forbid", "frozen": True})
        model_counterpart = ClassFact(_model_counterpart)
        model_plain_fields = ClassFact(_model_plain_fields)
        model_fields = ClassFact(_model_fields)

        def __init_subclass__(cls, **settings: object) -> None:
            super().__init_subclass__(**settings)
            # Out of the way of __getattr__; the counterpart has them.
            private = {key: value for key, value in vars(cls).items() if type(value).__name__ == "ModelPrivateAttr"}
            for key in private:
                delattr(cls, key)
            setattr(cls, PRIVATE, private)

        def __init__(self, /, **values: object) -> None:
            _assume(self, type(self).model_validate(values))

        @classmethod
        def model_validate(cls, values: object, **settings: object) -> Self:
            """Make one of values; raises pydantic's ValidationError, a ValueError."""
            if isinstance(values, cls):
                return values
            made = None if settings else taken_plainly(cls, values)
            return cls.model_adopt(full_model(cls).model_validate(values, **settings)) if made is None else made

        @classmethod
        def model_validate_json(cls, text: str, **settings: object) -> Self:
            """Make one of JSON."""
            return cls.model_adopt(full_model(cls).model_validate_json(text, **settings))

        @classmethod
        def model_json_schema(cls, **settings: object) -> dict[str, Any]:
            """Make the JSON Schema."""
            return full_model(cls).model_json_schema(**settings)

        @classmethod
        def model_adopt(cls, full: object) -> Self:
            """Make one of a counterpart."""
            made = object.__new__(cls)
            _assume(made, full)
            return made

        @classmethod
        def model_prepare(cls, values: object) -> object:
            """Change values before they are judged."""
            return values

        def model_check(self) -> None:
            """Judge the whole; raises ValueError."""

        def model_copy(self, *, update: Mapping[str, object]) -> Self:
            """Return a copy with other values, which are not judged."""
            copy = type(self).model_adopt(self)
            object.__setattr__(copy, "__dict__", {**self.__dict__, **update})
            object.__setattr__(copy, "__pydantic_fields_set__", self.model_fields_set | update.keys())
            return copy

        def model_dump(self, **settings: object) -> dict[str, Any]:
            """Return the values, as pydantic writes them."""
            full = full_model(type(self))
            made = full.__new__(full)
            _assume(made, self)
            object.__setattr__(made, "__pydantic_extra__", None)
            return made.model_dump(**settings)

        @property
        def model_fields_set(self) -> set[str]:
            """The names of the fields whose values were given."""
            return self.__pydantic_fields_set__

        def __getattr__(self, name: str) -> object:
            private = object.__getattribute__(self, "__pydantic_private__") or {}
            if name in private:
                return private[name]
            raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")

        def __setattr__(self, name: str, value: object) -> None:
            raise AttributeError(f"{type(self).__name__}.{name}: frozen")

        __delattr__ = __setattr__

        def __eq__(self, other: object) -> bool:
            return type(other) is type(self) and self.__dict__ == other.__dict__

        def __hash__(self) -> int:
            return hash((type(self), *self.__dict__.values()))

        def __repr__(self) -> str:
            return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self.__dict__.items())})"

        def __reduce__(self) -> tuple[object, ...]:
            return _restored, (type(self), self.__dict__, self.__pydantic_fields_set__, self.__pydantic_private__)

        def __deepcopy__(self, memo: object) -> Self:
            return self

        @classmethod
        def __get_pydantic_core_schema__(cls, source: object, handler: Callable[..., object]) -> object:
            from corepool.spec.full_model import schema_of_part  # noqa: PLC0415 - pydantic

            return schema_of_part(cls, handler)

    def _restored(model: type[Model], *state: object) -> Model:
        made = object.__new__(model)
        for name, value in zip(_STATE, state, strict=True):
            object.__setattr__(made, name, value)
        return made

    def _assume(made: object, other: object) -> None:
        for name in _STATE:
            object.__setattr__(made, name, getattr(other, name))
