"""The measurements, one file per case. A case runs its servers and returns comparisons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.cases import bus, churn, coldstart, h2, http, kept, kv, memory, move, picture, ping, styles, tls

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.results import Comparison
    from benchmarks.turns import Bench

CASES: Mapping[str, Callable[[Bench], list[Comparison]]] = {
    "http": http.run,
    "ping": ping.run,
    "churn": churn.run,
    "h2": h2.run,
    "tls": tls.run,
    "kv": kv.run,
    "bus": bus.run,
    "memory": memory.run,
    "coldstart": coldstart.run,
    "styles": styles.run,
    "kept": kept.run,
    "move": move.run,
    "picture": picture.run,
}
