"""Compiles the hot modules for a wheel, where a C compiler and Python's headers are at hand.

These are the `_*.pyx` files, and each .py file with a .pxd file of the same name beside it, which gives its classes and
functions C types: the .py file is the truth, and runs as it is where nothing was compiled.

Without a compiler the wheel is pure and corepool does the same, slower. COREPOOL_COMPILE=1 makes a missing compiler an
error, COREPOOL_COMPILE=checked likewise, and the compiled code checks what it otherwise takes for granted; with
COREPOOL_COMPILE=0 nothing is compiled. A checkout (`pip install -e`) is compiled only if asked to: machine code that is
older than the source beside it would go unnoticed. COREPOOL_COMPILE=kept is for tests of wheels: as 1, but machine code
that was made for the checkout, and not for the wheel, is taken as it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

if TYPE_CHECKING:
    from collections.abc import Sequence

_MARK = "corepool/compiled.txt"
"""Its presence says that corepool was compiled; it names the modules."""

_WISHES = {"", "0", "1", "checked", "kept"}

_C_FLAGS = [
    "-O2",
    "-g0",
    "-fno-plt",  # each module that a connection runs would touch a table of calls: 25 of its 450 pages
    "-Werror=incompatible-pointer-types",  # what Cython makes of a method taken for a function, and gcc only warns of
]

_DIRECTIVES = {
    "language_level": 3,
    "annotation_typing": False,  # an annotation says what mypy proves; `float` as a C double would be another program
    "binding": True,  # functions look like Python's to inspect, and so to pluggy
    "nonecheck": True,  # else an attribute of a None ends the worker. Costs nothing that could be measured
}

_DIRECTIVES_PYX = {"boundscheck": False, "wraparound": False, "initializedcheck": False, "cdivision": True}
"""Of the .pyx files, which are written for it. A .py file keeps Python's meaning of each operation."""

_CHECKED = {"boundscheck": True, "initializedcheck": True, "overflowcheck": True}


class CompileHook(BuildHookInterface[Any]):
    """Runs in: the build of a wheel, editable or not."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and add the results to the wheel or lay them beside their sources.

        :raises ValueError: COREPOOL_COMPILE has another value than those above.
        """
        root = Path(self.root)
        packages = [root / each for each in self.build_config.packages]
        wish = os.environ.get("COREPOOL_COMPILE", "")
        if wish not in _WISHES:
            raise ValueError(f"COREPOOL_COMPILE is {wish!r}: expected 0, 1, checked, kept, or nothing")
        is_editable = version == "editable"
        if is_editable:
            _remove_all(root, packages)
        if wish == "0" or (is_editable and not wish):
            return
        self._temporary = Path(tempfile.mkdtemp(prefix="corepool-build-"))
        is_checked = wish == "checked"
        try:
            is_kept = is_editable or wish == "kept"
            folder = _kept_folder(root, is_checked=is_checked) if is_kept else self._temporary
            compiled = _compile(packages, folder, is_checked=is_checked)
        except Exception as error:
            shutil.rmtree(self._temporary)
            if wish:
                raise
            self.app.display_warning(f"not compiled, corepool will be slower: {type(error).__name__}: {error}")
            return
        mark = root / _MARK if is_editable else self._temporary / "mark"
        mark.write_text("".join(f"{each.name}\n" for each in compiled))
        if is_editable:
            for each in compiled:
                shutil.copyfile(each.file, each.package.parent / each.place)
            return
        build_data["force_include"].update({str(mark): _MARK} | {str(each.file): str(each.place) for each in compiled})
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Remove the temporary files."""
        if hasattr(self, "_temporary"):
            shutil.rmtree(self._temporary, ignore_errors=True)


class _Compiled(NamedTuple):
    name: str
    """Of the module, with dots."""
    package: Path
    file: Path
    """As the compiler has made it."""
    place: Path
    """Below the folder of its package, and so in a wheel."""


def _compile(packages: Sequence[Path], folder: Path, *, is_checked: bool) -> list[_Compiled]:
    """Return the extension modules, made in `folder`; one that is newer there than its source is not made again.

    :raises Exception: of any class, as Cython, setuptools or the compiler says it.
    """
    from Cython.Build import cythonize  # noqa: PLC0415 - not there with `--no-build-isolation`, perhaps
    from setuptools import Extension  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / "probe.c"
    probe.write_text("#include <Python.h>\nPyMODINIT_FUNC PyInit_probe(void) { return NULL; }\n")
    _build([Extension("probe", [str(probe)])], folder)  # fails at once, where there is no compiler
    extensions: dict[str, list[Any]] = {".py": [], ".pyx": []}
    found = []
    tree = _tree(packages, folder / "source")
    for package in packages:
        for source in _sources(package):
            relative = source.relative_to(package.parent)
            name = ".".join(relative.with_suffix("").parts)
            extensions[source.suffix].append(Extension(name, [str(relative)], extra_compile_args=_C_FLAGS))
            found.append((name, package, relative))
    with contextlib.chdir(tree):  # tracebacks name files as the compiler was given them: as they lie in an installation
        modules = []
        for suffix, each in extensions.items():
            directives = _DIRECTIVES | (_DIRECTIVES_PYX if suffix == ".pyx" else {}) | (_CHECKED if is_checked else {})
            modules += cythonize(
                each,
                build_dir=str(folder / "c"),
                quiet=True,
                include_path=["."],
                nthreads=os.cpu_count() or 0,
                compiler_directives=directives,
            )
        files = _build(modules, folder)
    return [
        _Compiled(name, package, files[name], relative.with_name(files[name].name)) for name, package, relative in found
    ]


def _build(extensions: Sequence[Any], folder: Path) -> dict[str, Path]:
    """Compile C, and return the file of each module."""
    from setuptools import Distribution  # noqa: PLC0415 - as above

    command = Distribution({"ext_modules": list(extensions)}).get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(folder / "lib"), str(folder / "temp")
    command.parallel = os.cpu_count()
    command.ensure_finalized()
    command.run()
    return {each.name: Path(command.get_ext_fullpath(each.name)) for each in extensions}


def _tree(packages: Sequence[Path], tree: Path) -> Path:
    """Return a folder in which the packages lie side by side, as in an installation."""
    tree.mkdir(parents=True, exist_ok=True)
    for package in packages:
        link = tree / package.name
        link.unlink(missing_ok=True)
        link.symlink_to(package, target_is_directory=True)
    return tree


def _sources(package: Path) -> list[Path]:
    sources = {*package.rglob("_*.pyx")} | {
        each.with_suffix(".py") for each in package.rglob("*.pxd") if each.with_suffix(".py").exists()
    }
    return sorted(sources)


def _kept_folder(root: Path, *, is_checked: bool) -> Path:
    """Return the folder for the objects of a checkout, so that only changed sources are compiled again."""
    import Cython  # noqa: PLC0415 - as above

    tag = f"{sys.implementation.cache_tag}{'-checked' if is_checked else ''}-"
    recipe = Path(__file__).read_bytes() + Cython.__version__.encode()
    folder = root / "build" / f"{tag}{hashlib.sha256(recipe).hexdigest()[:12]}"
    for each in (root / "build").glob(f"{tag}[0-9a-f]*"):
        if each != folder:
            shutil.rmtree(each)
    return folder


def _remove_all(root: Path, packages: Sequence[Path]) -> None:
    """Remove what an earlier build has laid beside the sources, also if a source is gone by now."""
    (root / _MARK).unlink(missing_ok=True)
    for package in packages:
        for module in package.rglob("*.so"):
            module.unlink()
