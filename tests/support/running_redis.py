"""A real redis-server to compare with."""

from __future__ import annotations

import os
import socket
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kv_client import Client

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@contextmanager
def running_redis(folder: Path, *options: str, environment: Mapping[str, str] | None = None) -> Iterator[Path]:
    """Run a real redis-server; yield the path of its UNIX socket."""
    path = folder / "r.sock"
    command = ["redis-server", "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(folder)]
    # On a busy machine any command may be slow.
    command += ["--slowlog-log-slower-than", "-1", *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | dict(environment or {}))  # noqa: S603
    try:

        def listens() -> bool:  # its file is there a moment before it does
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                return sock.connect_ex(str(path)) == 0

        wait_until(listens, what="redis-server listening")
        yield path
    finally:
        process.terminate()
        process.wait()


def serve_every_slot(path: Path) -> None:
    """Make a cluster of one server, which was started with `--cluster-enabled yes`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.connect(str(path))
        admin = Client(sock)
        assert admin("CLUSTER", "ADDSLOTSRANGE", 0, 16383) == b"OK"
        wait_until(lambda: b"cluster_state:ok" in admin("CLUSTER", "INFO"), what="the cluster serves")
