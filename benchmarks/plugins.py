"""A plugin from a source folder, made findable for one run without installing it anywhere."""

from __future__ import annotations

import os
import tomllib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def expose(source: Path, folder: Path) -> str:
    """Write into `folder` the metadata that an installer would, so that entry points are found.

    The environment that the benchmarks run in stays as it is, and no build backend is needed.

    :param source: a folder with a pyproject.toml and the packages beside it.
    :returns: the folders to put on $PYTHONPATH, joined as it wants them.
    """
    project = tomllib.loads((source / "pyproject.toml").read_text())["project"]
    metadata = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    groups = [
        f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (metadata / "entry_points.txt").write_text("\n".join(groups))
    return os.pathsep.join([str(folder), str(source)])
