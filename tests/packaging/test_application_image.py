"""The Dockerfile for an application of one's own: its instructions run one by one, as plain commands."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from wheels import build_wheel, pure_wheel

from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(900)  # an environment is made, and packages are installed into it

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
IMAGE = DEPLOY / "application"

APPLICATION = """
import greetings


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [greetings.HELLO]
"""


def instructions(file: Path) -> list[tuple[str, str]]:
    lines = file.read_text().replace("\\\n", " ").splitlines()
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines if line and not line.startswith("#")]


def instruction(name: str) -> str:
    return [rest for its_name, rest in instructions(IMAGE / "Dockerfile") if its_name == name][-1]


@pytest.mark.parametrize("file", [DEPLOY / "Dockerfile", IMAGE / "Dockerfile"], ids=["demo", "application"])
def test_hadolint_finds_nothing(file: Path) -> None:
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    done = subprocess.run(  # noqa: S603
        [hadolint, "--no-color", file], capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_it_has_two_stages_and_the_last_is_not_root_and_has_no_shell_between() -> None:
    stages = [rest for name, rest in instructions(IMAGE / "Dockerfile") if name == "FROM"]
    after = [name for name, _ in instructions(IMAGE / "Dockerfile")]

    assert [stage.partition(" AS ")[2] for stage in stages] == ["build", ""]
    assert instruction("USER") == "10001:10001"
    assert "RUN" not in after[after.index("USER") :]
    assert json.loads(instruction("ENTRYPOINT")) == ["corepool"]
    assert json.loads(instruction("CMD"))[0] == "run"
    assert instruction("STOPSIGNAL") == "SIGTERM"
    config = (IMAGE / "corepool.toml").read_text()
    assert f"tcp://0.0.0.0:{instruction('EXPOSE')}" in config


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build corepool, and a package that an application needs."""
    folder = tmp_path_factory.mktemp("wheels")
    other = tmp_path_factory.mktemp("greetings")
    (other / "greetings.py").write_text("HELLO = b'hello'\n")
    (other / "pyproject.toml").write_text(
        '[project]\nname = "greetings"\nversion = "1"\n[build-system]\nrequires = ["hatchling"]\n'
        'build-backend = "hatchling.build"\n'
    )
    build_wheel(other, folder)
    shutil.copy(pure_wheel(tmp_path_factory), folder)
    return folder


class Image:
    """The instructions of the Dockerfile, carried out in a folder that stands for the root of a file system."""

    def __init__(self, root: Path, context: Path, wheels: Path) -> None:
        self.root = root
        self._context = context
        self._workdir = root
        self._path = os.environ["PATH"]
        # pip finds the packages without a network, and those of this interpreter are theirs.
        self._environment = os.environ | {
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(wheels),
            "PIP_NO_DEPS": "1",
            "PIP_IGNORE_INSTALLED": "1",
        }
        self.ran: list[str] = []

    def build(self) -> None:
        for name, rest in instructions(IMAGE / "Dockerfile"):
            match name:
                case "ENV":
                    pairs = dict(pair.split("=", 1) for pair in rest.split())
                    self._environment |= {key: self._here(value) for key, value in pairs.items()}
                    self._environment["PATH"] = self._environment["PATH"].replace("$PATH", self._path)
                case "WORKDIR":
                    self._workdir = self.root / rest.removeprefix("/")
                    self._workdir.mkdir(parents=True)
                case "COPY" if "--from" not in rest:  # both stages are one folder here
                    self._copy(*rest.split())
                case "RUN" if not rest.startswith("useradd"):  # no user is made on this machine
                    self._run(rest)

    def command(self) -> list[str]:
        words = [*json.loads(instruction("ENTRYPOINT")), *json.loads(instruction("CMD"))]
        return [self._here(word) for word in words]

    def popen(self, log: Path) -> subprocess.Popen[bytes]:
        with log.open("wb") as file:
            return subprocess.Popen(  # noqa: S603
                self._absolute(self.command()), cwd=self._workdir, env=self._environment, stdout=file, stderr=file
            )

    def healthy(self) -> bool:
        check = instruction("HEALTHCHECK")
        words = [self._here(word) for word in json.loads(check[check.index("CMD") + 3 :])]
        done = subprocess.run(  # noqa: S603
            self._absolute(words), env=self._environment, capture_output=True, timeout=DEADLINE_S, check=False
        )
        return done.returncode == 0

    def _absolute(self, words: list[str]) -> list[str]:
        program = shutil.which(words[0], path=self._environment["PATH"])
        assert program is not None
        assert words[0] == "sh" or Path(program).is_relative_to(self.root), "the image's own"
        return [program, *words[1:]]

    def _here(self, text: str) -> str:
        return re.sub(r"(?<![\w.])/(opt|app|run|tmp)\b", lambda found: str(self.root / found[1]), text)

    def _copy(self, source: str, target: str) -> None:
        there = self.root / target.removeprefix("/")
        there.parent.mkdir(parents=True, exist_ok=True)
        ignored = shutil.ignore_patterns(*(IMAGE / "dockerignore").read_text().replace("**/", "").splitlines())
        if source == ".":
            shutil.copytree(self._context, there, dirs_exist_ok=True, ignore=ignored)
        else:
            shutil.copy(self._context / source, there)

    def _run(self, command: str) -> None:
        self.ran.append(command)
        here = self._here(command).replace("python -m venv", f"{sys.executable} -m venv")
        done = subprocess.run(  # noqa: S603
            ["/bin/sh", "-ec", here],
            cwd=self._workdir,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        if "-m venv" in command:
            (packages,) = (self.root / "opt/venv/lib").glob("python*/site-packages")
            (packages / "of_the_tests.pth").write_text(f"{sysconfig.get_path('purelib')}\n")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Image:
    context = tmp_path_factory.mktemp("context")
    (context / "app.py").write_text(APPLICATION)
    (context / ".env").write_text("SECRET=1\n")
    (context / "requirements.txt").write_text("corepool\ngreetings\n")
    for name in ("Dockerfile", "dockerignore", "corepool.toml"):
        shutil.copy(IMAGE / name, context / (".dockerignore" if name == "dockerignore" else name))
    # Ports are the machine's here, and another process may listen on this one.
    config = context / "corepool.toml"
    config.write_text(config.read_text().replace(":8000", ":0"))
    root = tmp_path_factory.mktemp("image")
    for folder in ("opt", "tmp", "run"):
        (root / folder).mkdir()
    built = Image(root, context, wheels)
    built.build()
    return built


@pytest.fixture
def running(image: Image, tmp_path: Path) -> Iterator[tuple[Image, subprocess.Popen[bytes], Path]]:
    log = tmp_path / "log.txt"
    process = image.popen(log)
    try:
        wait_until(lambda: process.poll() is not None or '"worker_ready"' in log.read_text())
        assert process.poll() is None, log.read_text()
        yield image, process, log
    finally:
        process.kill()
        process.wait()


def test_its_instructions_can_be_carried_out(image: Image) -> None:
    assert [command.split()[0] for command in image.ran] == ["python", "pip", "python"]
    assert (image.root / "opt/venv/bin/corepool").exists()
    assert list((image.root / "app/__pycache__").glob("app.*.pyc"))


def test_secrets_stay_out_of_it(image: Image) -> None:
    assert sorted(path.name for path in (image.root / "app").iterdir()) == [
        "__pycache__", "app.py", "corepool.toml", "requirements.txt",
    ]  # fmt: skip


def test_its_command_serves_the_application_and_stops_by_its_signal(
    running: tuple[Image, subprocess.Popen[bytes], Path],
) -> None:
    image, process, log = running
    wait_until(image.healthy)
    status = image.root / "opt/venv/bin/corepool"
    answer = subprocess.run(  # noqa: S603
        [status, "status", "--json", "--control", str(image.root / "run/corepool-service/control.sock")],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    port = re.search(r"tcp://0\.0\.0\.0:(\d+)", answer.stdout)
    assert port is not None, answer.stdout
    served = subprocess.run(  # noqa: S603
        ["curl", "-s", f"http://127.0.0.1:{port[1]}/"],  # noqa: S607
        capture_output=True,
        timeout=DEADLINE_S,
        check=True,
    )

    assert served.stdout == b"hello"
    process.terminate()
    assert process.wait(DEADLINE_S) == 0, log.read_text()
