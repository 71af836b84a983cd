"""Names for listeners that the configuration doesn't name."""

from __future__ import annotations

import itertools

_MAX_MADE_NAME = 60
"""Characters of a name made of several protocols: a number still fits behind it."""


def name_listeners(table: object) -> object:
    """Name listeners that have no name after their protocols: http, http-2; http-kv."""
    listeners = table.get("listener") if isinstance(table, dict) else None
    if not isinstance(table, dict) or not isinstance(listeners, list | tuple):
        return table  # reported as a mistake
    names = [each.get("name") for each in listeners if isinstance(each, dict)]
    taken = {name for name in names if isinstance(name, str)}
    named: list[object] = []
    for each in listeners:
        listener = {"protocol": None, **each} if isinstance(each, dict) and "protocols" in each else each
        protocol = _protocols_of(listener) if isinstance(listener, dict) else ""
        if not isinstance(listener, dict) or "name" in listener or not protocol:
            named.append(listener)
            continue
        numbered = (f"{protocol}-{number}" for number in itertools.count(2))
        name = next(each for each in itertools.chain([protocol], numbered) if each not in taken)
        taken.add(name)
        named.append({"name": name, **listener})
    return {**table, "listener": named}


def _protocols_of(listener: dict[str, object]) -> str:
    protocol, protocols = listener.get("protocol"), listener.get("protocols")
    if isinstance(protocol, str):
        return protocol
    if not isinstance(protocols, list | tuple) or not all(isinstance(each, str) for each in protocols):
        return ""
    return "-".join(map(str, protocols))[:_MAX_MADE_NAME].rstrip("-")
