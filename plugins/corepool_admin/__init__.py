"""The protocol `admin`: probes and metrics of a pool over HTTP, for load balancers, Kubernetes and Prometheus.

It asks the master, so the answer does not depend on the workers that it reports on. To answer while all of those are
blocked, it must itself run elsewhere: in a [[pool]] of its own, with one worker.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

from pydantic import Field

import corepool
from corepool import Duration
from corepool_admin.probes import Probes
from corepool_http import HttpServer, ServerOptions

_SERVER = ServerOptions(
    server="", max_request_line=8192, max_head=8192, keep_alive=30.0, header_timeout=30.0, body_timeout=30.0
)


class Admin(HttpServer):
    """Answer /livez, /readyz, /status and /metrics."""

    default_port = 9007

    try_it = "curl http://{host}:{port}/status"

    class Options(corepool.Options):
        """Which pool, and how patient."""

        control: Annotated[str, Field(min_length=1)] | None = None
        """Path of the control socket of another master to report on; unset: its own."""

        timeout: Annotated[Duration, Field(le=60)] = 1.0
        """After how long a master that doesn't answer is taken for dead; a minute at most."""

        min_ready: Annotated[int, Field(ge=1)] = 1
        """Workers that must be ready for /readyz. Those of its own pool don't count if there are other pools."""

    def __init__(self, options: Options) -> None:
        super().__init__(
            _SERVER,
            partial(Probes, control=options.control, timeout_s=options.timeout, min_ready=options.min_ready),
        )
