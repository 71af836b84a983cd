"""Compiles the .pyx files for a wheel, where a C compiler and Python's headers are at hand.

Without them the wheel is pure and corepool does the same, slower. COREPOOL_COMPILE=1 makes a missing compiler an error,
COREPOOL_COMPILE=0 leaves it alone. A checkout (`pip install -e`) is compiled only if asked to: machine code that is
older than the source beside it would go unnoticed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_MARK = "corepool/compiled.txt"
"""Its presence says that corepool was compiled; it names the modules."""

_C_FLAGS = [
    "-O2",
    "-g0",
    "-Werror=incompatible-pointer-types",  # what Cython makes of a method taken for a function, and gcc only warns of
]


class CompileHook(BuildHookInterface[Any]):
    """Runs in: the build of a wheel, editable or not."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and add the results to the wheel or lay them beside their sources.

        :raises ValueError: COREPOOL_COMPILE is neither 0 nor 1.
        """
        root = Path(self.root)
        wish = os.environ.get("COREPOOL_COMPILE", "")
        if wish not in {"", "0", "1"}:
            raise ValueError(f"COREPOOL_COMPILE is {wish!r}: expected 0, 1, or nothing")
        is_editable = version == "editable"
        if is_editable:
            _remove_all(root)
        if wish == "0" or (is_editable and not wish):
            return
        self._folder = Path(tempfile.mkdtemp(prefix="corepool-build-"))
        try:
            compiled = _compile(root, self._folder)
        except Exception as error:
            shutil.rmtree(self._folder)
            if wish:
                raise
            self.app.display_warning(f"not compiled, corepool will be slower: {type(error).__name__}: {error}")
            return
        if is_editable:
            for source, place in compiled.items():
                shutil.copyfile(source, root / place)
        mark = root / _MARK if is_editable else self._folder / "mark"
        mark.write_text("".join(f"{place.with_suffix('').with_suffix('')}\n" for place in compiled.values()))
        if is_editable:
            return
        packages = [Path(each) for each in self.build_config.packages]
        places = {str(mark): _MARK}
        for source, place in compiled.items():
            [package] = [each for each in packages if each in place.parents]
            places[str(source)] = str(place.relative_to(package.parent))
        build_data["force_include"].update(places)
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Remove the temporary files."""
        if hasattr(self, "_folder"):
            shutil.rmtree(self._folder, ignore_errors=True)


def _compile(root: Path, folder: Path) -> dict[Path, Path]:
    """Return the extension modules, each with its place below `root`.

    :raises Exception: of any class, as Cython, setuptools or the compiler says it.
    """
    from Cython.Build import cythonize  # noqa: PLC0415 - not there with `--no-build-isolation`, perhaps
    from setuptools import Distribution, Extension  # noqa: PLC0415

    extensions = []
    places: dict[str, Path] = {}
    for source in _sources(root):
        place = source.relative_to(root).with_suffix("")
        parts = place.parts if place.parts[0] == "corepool" else place.parts[1:]
        name = ".".join(parts)
        places[name] = place.parent
        extensions.append(Extension(name, [str(source)], extra_compile_args=_C_FLAGS))
    modules = cythonize(extensions, build_dir=str(folder / "c"), quiet=True, language_level=3)
    command = Distribution({"ext_modules": modules}).get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(folder / "lib"), str(folder / "temp")
    command.ensure_finalized()
    command.run()
    return {
        Path(command.get_ext_fullpath(name)): place / Path(command.get_ext_fullpath(name)).name
        for name, place in places.items()
    }


def _sources(root: Path) -> list[Path]:
    return sorted(each for top in ("corepool", "plugins", "transports") for each in (root / top).rglob("_*.pyx"))


def _remove_all(root: Path) -> None:
    """Remove what an earlier build has laid beside the sources."""
    (root / _MARK).unlink(missing_ok=True)
    for source in _sources(root):
        for module in source.parent.glob(f"{source.stem}.*.so"):
            module.unlink()
