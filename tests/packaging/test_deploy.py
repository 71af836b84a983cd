"""The image of the demo: its instructions, and its commands as process 1, as far as a machine without Docker allows."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
import tomli
from settings_of import load_settings

from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UID = 10001


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)  # noqa: S603


# --- the image


def instructions() -> list[tuple[str, str]]:
    lines = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines if line and not line.startswith("#")]


def instruction(name: str) -> str:
    return [rest for its_name, rest in instructions() if its_name == name][-1]


def test_the_image_is_not_root_and_has_no_shell_between() -> None:
    assert instruction("USER") == f"{UID}:{UID}"
    assert instruction("STOPSIGNAL") == "SIGTERM"
    assert json.loads(instruction("ENTRYPOINT")) == ["corepool"]
    assert json.loads(instruction("CMD"))[0] == "run"


def test_what_the_image_copies_exists_and_is_not_ignored() -> None:
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    sources = [source for name, rest in instructions() if name == "COPY" and "--from" not in rest
               for source in rest.split()[:-1]]  # fmt: skip

    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert source in kept
    project = tomli.loads((ROOT / "pyproject.toml").read_text())
    for package in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        assert package.split("/")[0] in sources


def test_the_image_configuration_is_right() -> None:
    (listener,) = load_settings(DEPLOY / "container.toml").listener

    assert listener.bind == (f"tcp://0.0.0.0:{instruction('EXPOSE')}",)


# As a container engine does it: namespaces of its own, a root file system that is read-only, a tmpfs, and at last a
# user that isn't root and has no capability. /tmp stays as it is: the tests themselves may live there. What an image
# would contain, the interpreter and the sources, may be in folders that only root can enter (its home): `reachable`
# puts others in their place.
CONTAINER = """
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=1777 tmpfs /run
{reachable}
cp "$1" /run/corepool.toml
chmod 644 /run/corepool.toml
mount -o remount,bind,ro /
cd /run
shift
exec setpriv --reuid={uid} --regid={uid} --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs "$@"
"""


def reachable() -> str:
    """Return the commands that put the content of an image where every user can read it, at the same path."""
    contents = sorted({Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parents[1], ROOT})
    closed = {
        path: next((above for above in reversed(path.parents) if not above.stat().st_mode & stat.S_IXOTH), None)
        for path in contents
    }
    keep = [f"mkdir -p /run/image/{n} && mount --bind '{path}' /run/image/{n}" for n, path in enumerate(contents)]
    hide = [f"mount -t tmpfs -o mode=755 tmpfs '{above}'" for above in {*closed.values()} if above is not None]
    show = [
        f"mkdir -p '{path}' && mount --bind /run/image/{n} '{path}'"
        for n, path in enumerate(contents)
        if closed[path] is not None
    ]
    return "\n".join([*keep, *hide, *show])


class Container:
    """The image's command as process 1."""

    def __init__(self, folder: Path) -> None:
        shutil.copy(DEPLOY / "container.toml", folder / "corepool.toml")
        # Ports are the machine's here, and another process may listen on this one.
        config = folder / "corepool.toml"
        config.write_text(config.read_text().replace(":7007", ":0"))
        self.log = folder / "log.txt"
        command = [*self._of_image("ENTRYPOINT"), *self._of_image("CMD")]
        namespaces = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--mount", "--ipc", "--uts")
        script = CONTAINER.format(uid=UID, reachable=reachable())
        whole = [*namespaces, "sh", "-c", script, "sh", str(config), *command]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(  # noqa: S603
                whole, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    @property
    def first(self) -> psutil.Process:
        """Process 1, as it is seen from outside."""
        return psutil.Process(self.process.pid).children()[0]

    def inside(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the container, as its user."""
        user = (f"--setuid={UID}", f"--setgid={UID}")
        return run("nsenter", f"--target={self.first.pid}", "--mount", "--pid", "--ipc", "--uts", *user, *command)

    def healthy(self) -> bool:
        check = instruction("HEALTHCHECK")
        return self.inside(*self._here(json.loads(check[check.index("CMD") + 3 :]))).returncode == 0

    def _of_image(self, name: str) -> list[str]:
        return self._here(json.loads(instruction(name)))

    def _here(self, words: list[str]) -> list[str]:
        """Replace paths of an image by those of this container, which has none."""
        config = "/run/corepool.toml"
        places = {
            "corepool": [sys.executable, "-m", "corepool"],
            "/etc/corepool/corepool.toml": [config],
        }
        return [place for word in words for place in places.get(word, [word])]


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    if os.geteuid() != 0:
        pytest.skip("only root becomes another user in namespaces of its own")
    running = Container(tmp_path)
    try:
        wait_until(lambda: running.process.poll() is not None or "worker_ready" in running.log.read_text())
        assert running.process.poll() is None, running.log.read_text()
        yield running
    finally:
        # Process 1, and with it all others. Not unshare: its --kill-child is forgotten when that becomes another user.
        with contextlib.suppress(IndexError, psutil.NoSuchProcess):
            running.first.kill()
        running.process.kill()
        running.process.wait()
        print(running.log.read_text())  # noqa: T201


def test_in_a_container_the_pool_is_process_1_and_nobody(container: Container) -> None:
    wait_until(container.healthy)
    status = Path(f"/proc/{container.first.pid}/status").read_text()
    mounts = Path(f"/proc/{container.first.pid}/mounts").read_text()

    assert re.search(r"^NSpid:.*\t1$", status, re.MULTILINE)
    assert re.search(rf"^Uid:\t{UID}\t{UID}\t{UID}\t{UID}$", status, re.MULTILINE)
    assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE)
    assert re.search(r"^\S+ / \S+ ro[, ]", mounts, re.MULTILINE)


def test_in_a_container_it_serves(container: Container) -> None:
    url = re.search(r"tcp://0\.0\.0\.0:(\d+)", container.inside(*status_command()).stdout)
    assert url is not None
    done = container.inside("sh", "-c", f"echo hello | nc -N 127.0.0.1 {url[1]}")

    assert done.stdout == "hello\n"


def status_command() -> tuple[str, ...]:
    return (sys.executable, "-m", "corepool", "status", "--control", "/run/corepool-service/control.sock")


def test_a_container_stops_by_its_signal_with_status_0(container: Container) -> None:
    container.first.send_signal(getattr(signal, instruction("STOPSIGNAL")))

    assert container.process.wait(DEADLINE_S) == 0


def test_a_container_that_does_not_answer_is_unhealthy(container: Container) -> None:
    wait_until(container.healthy)
    container.first.suspend()

    assert not container.healthy()
    container.first.resume()
