"""The protocol `admin`: probes and metrics of a pool over HTTP, for load balancers, Kubernetes and Prometheus.

It asks the master, so the answer does not depend on the workers that it reports on. To answer while all of those are
blocked, it must itself run elsewhere: in a [[pool]] of its own, with one worker.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

from pydantic import Field

from corepool_admin.probes import Probes
from corepool_admin.question import MasterOptions
from corepool_http import HttpServer, ServerOptions

_SERVER = ServerOptions(
    server="", max_request_line=8192, max_head=8192, keep_alive=30.0, header_timeout=30.0, body_timeout=30.0
)


class Admin(HttpServer):
    """Answer /livez, /readyz, /status and /metrics."""

    default_port = 9007

    try_it = "curl http://{host}:{port}/status"

    class Options(MasterOptions):
        """Which pool, and how patient."""

        min_ready: Annotated[int, Field(ge=1)] = 1
        """Workers that must be ready for /readyz. Those of its own pool don't count if there are other pools."""

    def __init__(self, options: Options) -> None:
        super().__init__(
            _SERVER,
            partial(Probes, control=options.control, timeout_s=options.timeout, min_ready=options.min_ready),
        )
