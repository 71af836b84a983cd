"""What is measured: one file a case. A case runs its servers and gives comparisons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.cases import churn, http, kept, kv, memory, ping, styles

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.results import Comparison
    from benchmarks.turns import Bench

CASES: Mapping[str, Callable[[Bench], list[Comparison]]] = {
    "ping": ping.run,
    "churn": churn.run,
    "memory": memory.run,
    "kv": kv.run,
    "http": http.run,
    "kept": kept.run,
    "styles": styles.run,
}

BY_DEFAULT = ("ping", "churn", "memory", "kv")
"""What runs when no case is named; the others have peers that need more than a package of Python."""
