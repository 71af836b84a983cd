"""Which page is made from what."""

from __future__ import annotations

from pathlib import Path

from corepool.plugins.registry import Registry
from docs.making import commands, events, fleet, hooks, metrics, plugins, settings, signals, strategies

FOLDER = Path(__file__).parents[1]


def made() -> dict[str, str]:
    """Make everything: path below docs/ to text."""
    pages = {
        "reference/settings.md": settings.page(),
        "reference/plugins.md": plugins.page(Registry()),
        "reference/hooks.md": hooks.page(),
        "reference/commands.md": commands.page(),
        "reference/signals.md": signals.page(),
        "reference/metrics.md": metrics.page(),
        "reference/events.md": events.page(),
        "images/reconnects.svg": fleet.picture([fleet.storm(each) for each in fleet.POLICIES]),
        "images/waves.svg": fleet.wave_picture(),
    }
    return pages | {f"images/dispatch-{name}.svg": picture for name, picture in strategies.pictures().items()}
