"""A model whose fields are described by the text below each, which is looked up when a schema or a help is made.

Pydantic's own `use_attribute_docstrings` reads the source of each model when it is imported: 60 of the 500 ms of CPU
that the start of a pool took.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from itertools import pairwise
from typing import TYPE_CHECKING

from pydantic import BaseModel

from corepool.spec.model import full_model

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema


class Described(BaseModel):
    """A model whose JSON Schema has the texts below its fields as their descriptions."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Add the descriptions; pydantic calls it when it makes a JSON Schema."""
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for key, text in descriptions_of(cls).items():
            name = cls.model_fields[key].alias or key
            if name in properties:
                properties[name]["description"] = text
        return schema


def descriptions_of(model: type[BaseModel]) -> dict[str, str]:
    """Return the description of each field that has one, by its key: `Field(description=...)`, or the text below it."""
    found: dict[str, str] = {}
    model = model if issubclass(model, BaseModel) else full_model(model)
    for each in reversed(model.__mro__):
        if issubclass(each, Described) and each is not Described:
            found |= _texts_below_fields(each)
    found |= {key: field.description for key, field in model.model_fields.items() if field.description}
    return {key: text for key, text in found.items() if key in model.model_fields}


def _texts_below_fields(model: type) -> dict[str, str]:
    try:
        module = ast.parse(textwrap.dedent(inspect.getsource(model)))
    except (OSError, TypeError, SyntaxError):  # typed into an interpreter, or shipped without its source
        return {}
    (body,) = [each.body for each in module.body if isinstance(each, ast.ClassDef)]
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
