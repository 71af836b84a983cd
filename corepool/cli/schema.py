"""JSON Schema of the configuration file, with the options of every installed plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from corepool.config.settings import Settings
from corepool.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.plugins.registry import Kind, Registry

Schema = dict[str, Any]

_NO_OPTIONS: Schema = {"type": "object", "maxProperties": 0, "description": "It takes no options."}


def build_schema(registry: Registry) -> Schema:
    """Make the schema. A plugin that can't be loaded leaves its options unchecked."""
    schema = Settings.model_json_schema()
    definitions: Schema = schema["$defs"]
    listener, pool = definitions["ListenerSettings"], definitions["PoolSettings"]
    protocols = dict(_options(registry, "protocols", definitions))
    dispatchers = dict(_options(registry, "dispatchers", definitions))
    _depend(listener, "protocol", "options", protocols)
    _depend(listener, "dispatcher", "dispatcher_options", dispatchers)
    _depend(pool, "dispatcher", "dispatcher_options", dispatchers)
    _depend(pool, "scaler", "scaler_options", dict(_options(registry, "scalers", definitions)))
    extensions = dict(_options(registry, "extensions", definitions))
    listener["properties"]["extension_options"]["properties"] = extensions
    listener["properties"]["protocol_options"]["properties"] = protocols
    listener["properties"]["protocols"]["items"]["examples"] = list(protocols)
    listener["required"].remove("protocol")
    listener["oneOf"] = [{"required": ["protocol"]}, {"required": ["protocols"]}]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema


def _options(registry: Registry, kind: Kind, definitions: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield each plugin's name with a reference to its options, and put those into `definitions`."""
    for name in registry.names(kind):
        try:
            plugin = registry.load(kind, name)
        except PluginError:
            continue  # `corepool plugins` reports it
        place = f"{kind}.{name}"
        model = getattr(plugin, "Options", None)
        if model is None:
            definitions[place] = _NO_OPTIONS
        else:
            its_own: Schema = model.model_json_schema(ref_template=f"#/$defs/{place}.{{model}}")
            for inner, definition in its_own.pop("$defs", {}).items():
                definitions[f"{place}.{inner}"] = definition
            for each in its_own.get("properties", {}).values():
                _allow_alone(each)
            definitions[place] = its_own
        yield name, {"$ref": f"#/$defs/{place}"}


def _allow_alone(key: Schema) -> None:
    """Allow a text in the place of a list of one, as `corepool.config.plugin_options` does."""
    if key.get("type") == "array":
        rest = {word: key.pop(word) for word in list(key) if word not in ("default", "description", "title")}
        key["anyOf"] = [rest, {"type": "string"}]


def _depend(table: Schema, selector: str, options: str, by_name: dict[str, Schema]) -> None:
    """Let the value of `selector` say which schema `options` has to meet; editors offer its names."""
    table["properties"][selector]["examples"] = list(by_name)
    rules = [
        {
            "if": {"properties": {selector: {"const": name}}, "required": [selector]},
            "then": {"properties": {options: reference}},
        }
        for name, reference in by_name.items()
    ]
    if rules:  # JSON Schema has no empty allOf
        table["allOf"] = [*table.get("allOf", []), *rules]
