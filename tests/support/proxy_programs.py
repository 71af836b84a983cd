"""nginx and HAProxy, run with the configurations of a page of the documentation: `shop.conf`, `haproxy.cfg`."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import TYPE_CHECKING

from corepool.testing.sockets import connect
from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What a distribution's nginx.conf says around conf.d/*.conf.
_NGINX = """
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/proxied;
    include {folder}/shop.conf;
}}
"""


def nginx(folder: Path, port: int) -> contextlib.AbstractContextManager[None]:
    """Run nginx with the folder's shop.conf, until it is no longer needed; `port` is where it listens."""
    # One that is root runs its workers as another user, who may not use our folder.
    user = "user root root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, user=user))
    return _program(["nginx", "-c", str(folder / "nginx.conf")], folder, port)


def haproxy(folder: Path, port: int) -> contextlib.AbstractContextManager[None]:
    """Run HAProxy with the folder's haproxy.cfg, until it is no longer needed; `port` is where it listens."""
    return _program(["haproxy", "-db", "-f", str(folder / "haproxy.cfg")], folder, port)


PROXIES = {"nginx": nginx, "haproxy": haproxy}


@contextlib.contextmanager
def _program(command: list[str], folder: Path, port: int) -> Iterator[None]:
    """Run a proxy until it is no longer needed."""
    with (folder / "proxy.txt").open("wb") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - our own words

    def listens() -> bool:
        assert running.poll() is None, (folder / "proxy.txt").read_text()
        with contextlib.suppress(ConnectionRefusedError):
            connect(f"tcp://127.0.0.1:{port}").close()
            return True
        return False

    try:
        wait_until(listens, what=f"{command[0]} listens")
        yield
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(DEADLINE_S)
