"""What the annotation of a field says beside its type, in pydantic's words, which is imported only when it is needed.

They are for the settings, http's options, and types that both kinds of models use, such as `Duration`. `model.py` reads
these notes itself where a value is plainly right; pydantic reads them, too: each expands to its namesake there, by the
protocol of annotated-types for grouped metadata.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

__all__ = ["AfterValidator", "BeforeValidator", "Discriminator", "Field", "PlainSerializer", "Tag"]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, PlainSerializer, Tag

else:

    class Note:
        """A note, by the name that pydantic has for it."""

        __is_annotated_types_grouped_metadata__ = True

        def __init__(self, *positional: object, **named: object) -> None:
            self.positional = positional
            self.named = named

        def __iter__(self) -> Iterator[object]:
            import pydantic  # noqa: PLC0415

            made = getattr(pydantic, type(self).__name__)(*self.positional, **self.named)
            return iter(made.metadata if isinstance(self, Field) else [made])

    class AfterValidator(Note): ...

    class BeforeValidator(Note): ...

    class Discriminator(Note): ...

    class Field(Note):
        """The bounds of a field.

        :raises TypeError: for another argument, which the plain way would overlook.
        """

        bounds: Mapping[str, Callable[..., bool]] = {
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

        def __init__(self, **named: object) -> None:
            super().__init__(**named)
            if unknown := named.keys() - self.bounds.keys():
                raise TypeError(f"Field({', '.join(sorted(unknown))}): known to pydantic's Field alone")

        def admits(self, value: object) -> bool:
            """Return whether a value of the right type is within the bounds."""
            return all(self.bounds[name](value, bound) for name, bound in self.named.items())

    class PlainSerializer(Note): ...

    class Tag(Note): ...
