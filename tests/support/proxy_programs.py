"""nginx and HAProxy, run with the files of a folder: `shop.conf` or `stream.conf`, `haproxy.cfg`.

Those of pages of the documentation, mostly.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from corepool.testing.sockets import connect
from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

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


_STREAM = """
{module}
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 256; }}
stream {{
    include {folder}/stream.conf;
}}
"""

_STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"
"""Debian's place for it: the package libnginx-mod-stream."""


def nginx(folder: Path, port: int) -> contextlib.AbstractContextManager[None]:
    """Run nginx with the folder's shop.conf, until it is no longer needed; `port` is where it listens."""
    # One that is root runs its workers as another user, who may not use our folder.
    user = "user root root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, user=user))
    return _program(["nginx", "-c", str(folder / "nginx.conf")], folder, port)


def why_no_stream() -> str | None:
    """Return why nginx can't be a proxy of TCP here."""
    options = subprocess.run(["nginx", "-V"], capture_output=True, text=True, check=True).stderr.split()  # noqa: S607
    if "--with-stream" in options or Path(_STREAM_MODULE).exists():
        return None
    return "nginx has no stream module: apt-get install libnginx-mod-stream"


def nginx_stream(folder: Path, port: int) -> contextlib.AbstractContextManager[None]:
    """Run nginx as a proxy of TCP, with the folder's stream.conf, until it is no longer needed."""
    user = "user root root;" if os.geteuid() == 0 else ""
    module = f"load_module {_STREAM_MODULE};" if Path(_STREAM_MODULE).exists() else ""
    (folder / "nginx.conf").write_text(_STREAM.format(folder=folder, user=user, module=module))
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
