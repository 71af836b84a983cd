"""The page of the metrics."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from corepool.spec.counters import HANDSHAKE_FAILURES, SHOWN_OF_LISTENERS, SHOWN_OF_PROTOCOLS, TOTALS
from corepool_admin.metrics import OF_WORKERS, exposition
from corepool_http.counted import METRICS
from docs.making.text import MADE, table

# A pool as small as one can be, so that each metric has a sample.
_STATUS = {
    "totals": dict.fromkeys((each.name for each in TOTALS), 0),
    "uptime": 0.0,
    "generation": 0,
    "build": {"version": "", "python": "", "compiled": False},
    "pools": [{"name": "main", "wanted": 1}],
    "reload": {"failure": None, "done_at": 0.0},
    "renewal": {
        "failures": [],
        "certificates": [{"listener": "web", "names": ["shop.example"], "source": "shop.pem", "not_after": 0.0}],
    },
    "listeners": [
        {
            "name": "web",
            "active": 0,
            **dict.fromkeys((each.name for each in SHOWN_OF_LISTENERS), 0),
            "handshake_failures": dict.fromkeys(HANDSHAKE_FAILURES, 0),
            "protocols": [
                {
                    "name": "http",
                    "active": 0,
                    **dict.fromkeys((each.name for each in SHOWN_OF_PROTOCOLS), 0),
                    "metrics": [
                        {
                            "name": each.name,
                            "meaning": each.meaning,
                            "kind": each.kind,
                            "labels": each.labels,
                            "bounds": each.bounds,
                            "cells": [0] * each.size,
                        }
                        for each in METRICS
                    ],
                }
            ],
        }
    ],
    "workers": [{"pool": "main", "slot": 0, "state": "ready", **dict.fromkeys(OF_WORKERS, 0)}],
}


def page() -> str:
    """Write the page."""
    _, text = exposition(_STATUS)
    rows = [
        (
            f"`{family.name}{'_total' if family.type == 'counter' else ''}`",
            family.type,
            ", ".join(f"`{label}`" for label in family.samples[0].labels),
            family.documentation,
        )
        for family in text_string_to_metric_families(text.decode())
    ]
    head = (
        f"# Metrics\n\n{MADE}\nWhat the protocol `admin` answers to `GET /metrics`, in the text format of Prometheus "
        "([operations](../operations.md)). No counter ever goes backwards, whatever happens to workers, and "
        "over an upgrade.\n"
    )
    reasons = table(["reason", "meaning"], [(f"`{reason}`", meaning) for reason, meaning in HANDSHAKE_FAILURES.items()])
    return f"{head}\n{table(['metric', 'kind', 'labels', 'meaning'], rows)}\n{_REASONS}\n{reasons}"


_REASONS = """## Reasons of handshakes that fail

Of `corepool_listener_handshake_failures_total`, of the event `handshake_failed`, and of `status --json`:
"""
