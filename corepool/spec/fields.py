"""What the annotation of a field says beside its type, in pydantic's words, which is imported only when it is needed.

A start that has no mistake needs none of pydantic, whose import and models took 120 of 370 ms of CPU. `model.py` reads
these notes itself where a value is plainly right; pydantic reads them, too: each expands to its namesake there, by the
protocol of annotated-types for grouped metadata.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["AfterValidator", "BeforeValidator", "Discriminator", "Field", "PlainSerializer", "Tag"]

if TYPE_CHECKING:
    from collections.abc import Iterator

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

    class Field(Note): ...

    class PlainSerializer(Note): ...

    class Tag(Note): ...
