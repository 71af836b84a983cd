# ruff: noqa: INP001 - Sphinx reads it by its path
"""How the site is built: `sphinx-build -n -W docs docs/_build`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import corepool

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "corepool"
author = "the corepool authors"
project_copyright = "2026, the corepool authors"
release = version = corepool.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build", "making"]

html_theme = "furo"
html_title = f"corepool {release}"

myst_heading_anchors = 3  # as GitHub has them: pages are read there, too
default_role = "code"  # docstrings write `conn.session`

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_class_signature = "separated"
add_module_names = False
autodoc_preserve_defaults = True
# The types of other projects are documented there; every reference to one of ours has to resolve.
nitpick_ignore_regex = [("py:.*", r"(?!corepool\.).*|corepool\.spec\.(connection\.SessionT|durations\..*|sizes\..*)")]

_LABEL = re.compile(r"^(Runs in|May|Must not|If it raises|If a protocol)\b")


def _begin_paragraphs(_app: Sphinx, _what: str, _name: str, _obj: object, _options: object, lines: list[str]) -> None:
    """Let each label of a docstring begin a paragraph: in the source they are lines that follow each other."""
    for index in range(len(lines) - 1, 0, -1):
        if _LABEL.match(lines[index]) and lines[index - 1]:
            lines.insert(index, "")


def setup(app: Sphinx) -> None:
    """Take part in reading docstrings."""
    app.connect("autodoc-process-docstring", _begin_paragraphs)
