"""The page that lists a folder."""

from __future__ import annotations

import html
import itertools
import os
from urllib.parse import quote

_MAX_LISTED = 10_000
"""How many names of a folder are listed. The loop does nothing else meanwhile, for some 50 ms with so many."""


def page_of(fd: int, path: bytes) -> bytes:
    """Make the page of an opened folder; its path may lead to another one by now.

    :param path: the one that was asked for.
    :raises OSError: the folder can't be read.
    """
    with os.scandir(fd) as entries:
        names = [
            entry.name + "/" if _is_folder(entry) else entry.name
            for entry in itertools.islice(entries, _MAX_LISTED + 1)
        ]
    title = html.escape(path.decode("utf-8", "replace"))
    # "./": a name such as "a:b" would be read as a URL with a scheme.
    links = "".join(
        f'<li><a href="{quote(os.fsencode("./" + name))}">{html.escape(name)}</a></li>\n'
        for name in sorted(names[:_MAX_LISTED])
    )
    if len(names) > _MAX_LISTED:
        links += "<li>and more\n"
    page = f"<!doctype html><meta charset=utf-8><title>{title}</title><h1>{title}</h1>\n<ul>\n{links}</ul>\n"
    return page.encode("utf-8", "replace")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link, to where we may not look
