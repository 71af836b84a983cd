"""Tries out an installed corepool: `python installed.py BUILD`, by the interpreter that has it; no test, no pytest.

BUILD is what `corepool --version` has to say of it, "compiled" or "pure Python". The version is told, every compiled
module is imported, and a pool is started, asked and stopped. The exit status is 0 if all of that went well.
"""

from __future__ import annotations

import importlib
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PATIENCE_S = 60
APPLICATION = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""


def corepool(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "corepool", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S, check=True)  # noqa: S603
    return done.stdout


def import_compiled(build: str) -> int:
    """Import all modules that were compiled, and return their number."""
    mark = Path(importlib.import_module("corepool").__file__ or "").with_name("compiled.txt")
    names = mark.read_text().split() if mark.exists() else []
    for name in names:
        file = importlib.import_module(name).__file__ or ""
        assert file.endswith(".so"), f"{name} is imported from {file}"
    assert bool(names) == (build == "compiled"), f"{len(names)} modules are compiled"
    return len(names)


def serve(folder: Path) -> None:
    """Start a pool, ask it, stop it."""
    (folder / "hello.py").write_text(APPLICATION)
    flags = ["-b", f"unix:{folder}/hello.sock", "-w", "2", "--control", "control"]
    command = [sys.executable, "-m", "corepool", "serve", "http", "hello:app", *flags]
    with subprocess.Popen(command, cwd=folder) as pool:  # noqa: S603
        try:
            give_up_s = time.monotonic() + PATIENCE_S
            while (answer := ask(folder / "hello.sock")) is None:
                assert pool.poll() is None, "the pool has ended"
                assert time.monotonic() < give_up_s, "nothing listens"
                time.sleep(0.05)
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n"), answer
            assert answer.endswith(b"\r\n\r\nhello"), answer
            corepool(folder, "stop", "--control", "control")
            assert pool.wait(PATIENCE_S) == 0
        finally:
            pool.kill()


def ask(path: Path) -> bytes | None:
    """Return the answer to a request, or None if nothing listens yet."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE_S)
        try:
            client.connect(str(path))
        except OSError:
            return None
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        with client.makefile("rb") as answer:
            return answer.read()


def main() -> None:
    (build,) = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="corepool-") as name:
        folder = Path(name)
        version = corepool(folder, "--version")
        assert version.endswith(f"({build})\n"), version
        count = import_compiled(build)
        imported = importlib.import_module("corepool").__file__ or ""
        serve(folder)
        print(f"{version.strip()}: {count} compiled modules, a pool has served; in {Path(imported).parent}")  # noqa: T201


if __name__ == "__main__":
    main()
