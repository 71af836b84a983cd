"""Settings as they are shown: plain values, the secrets among the options of plugins hidden."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from corepool.config.annotations import without_secrets

if TYPE_CHECKING:
    from corepool.config.settings import Settings
    from corepool.plugins.registry import Kind, Registry

Table = dict[str, object]


def shown(settings: Settings, registry: Registry) -> dict[str, Table | list[Table]]:
    """Return every table of settings that have no mistakes.

    URLs are shown as they are: a transport that needs a secret takes it from a file.
    """
    tables: dict[str, Table | list[Table]] = settings.model_dump(mode="json")

    def hide(table: Table, key: str, kind: Kind, name: str) -> None:
        table[key] = without_secrets(table[key], getattr(registry.load(kind, name), "Options", None))

    pools = tables["pool"]
    for pool, its in zip(pools if isinstance(pools, list) else [pools], settings.pools, strict=True):
        hide(pool, "scaler_options", "scalers", its.scaler)
        hide(pool, "dispatcher_options", "dispatchers", its.dispatcher)
    for listener, of in zip(cast("list[Table]", tables["listener"]), settings.listener, strict=True):
        if of.protocol is not None:
            hide(listener, "options", "protocols", of.protocol)
        of_protocols = cast("Table", listener["protocol_options"])
        for name in of_protocols:
            hide(of_protocols, name, "protocols", name)
        if of.dispatcher is not None:
            hide(listener, "dispatcher_options", "dispatchers", of.dispatcher)
        for name in of.extensions:
            options = cast("Table", listener["extension_options"])
            if name in options:
                hide(options, name, "extensions", name)
    return tables
