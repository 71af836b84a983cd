"""The keys of a model in words: JSON Schema for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from corepool.spec.durations import format_duration
from corepool.spec.sizes import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import BaseModel

Schema = dict[str, Any]

_DURATION = 'a duration: `"30s"`'
_SIZE = 'a size: `"64MiB"`'


def keys_of(model: type[BaseModel]) -> Iterator[tuple[str, str, str, str]]:
    """Yield key, allowed values, default and meaning of each field; code is in backquotes, as in Markdown."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    required = schema.get("required", [])
    for key, its in schema.get("properties", {}).items():
        words = _words(its, definitions)
        default = "required" if key in required else _written(its.get("default"), words)
        yield key, words, default, " ".join(its.get("description", "").split())


def _written(default: object, words: str) -> str:
    match default:
        case float() if words == _DURATION:
            return f'`"{format_duration(default)}"`'
        case int() if words == _SIZE:
            return f"`{json.dumps(format_size(default))}`"
        case None:
            return "unset"
        case {} | []:
            return "empty"
        case "":
            return "empty"
        case _:
            return f"`{json.dumps(default, ensure_ascii=False)}`"


def _words(schema: Schema, definitions: Mapping[str, Schema]) -> str:
    """Describe in words which values are allowed."""
    match schema:
        case {"$ref": str(reference)}:
            return _words(definitions[reference.rpartition("/")[2]], definitions)
        case {"const": value}:
            return f"`{json.dumps(value)}`"
        case {"enum": values}:
            return ", ".join(f"`{json.dumps(value)}`" for value in values)
        case {"anyOf": [{"type": "string"}, {"type": "number"}]}:
            return _DURATION
        case {"anyOf": [{"type": "string"}, {"type": "integer"}]}:
            return _SIZE
        case {"anyOf": [one, {"type": "array", "items": items}]} if _words(one, definitions) == _words(
            items, definitions
        ):
            return f"{_words(one, definitions)}, or a list of such"
        case {"anyOf": [*several]}:
            words = [_words(each, definitions) for each in several if each.get("type") != "null"]
            return " or ".join(dict.fromkeys(words))
        case {"type": "array"}:
            items = schema.get("items")
            return "a list" if not items else f"a list, each {_words(items, definitions)}"
        case {"type": "object", "properties": {**keys}}:
            return "a table of " + ", ".join(f"`{key}`" for key in keys)
        case {"type": "object"}:
            return "a table"
        case {"type": "boolean"}:
            return "`true`, `false`"
        case {"type": "integer" | "number" as kind}:
            return _number("a whole number" if kind == "integer" else "a number", schema)
        case {"format": "ipv4network" | "ipv6network"}:
            return "a network"
        case {"type": "string"}:
            return "a name" if "pattern" in schema and "maxLength" in schema else "a text"
    return "any"


def _number(kind: str, schema: Schema) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f"{kind}, {least:,} to {most:,}"
    if least is not None:
        return f"{kind}, {least:,} or more"
    if schema.get("exclusiveMinimum") is not None:
        return f"{kind} above {schema['exclusiveMinimum']:,}" + ("" if most is None else f", {most:,} at most")
    return kind
