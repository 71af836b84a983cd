"""Paths below a prefix: where an application is mounted, where a folder is."""

from __future__ import annotations


def below(path: bytes, prefix: bytes) -> bytes | None:
    """Return the rest of a path: empty, or with a slash before it. None: it is elsewhere, as /apix is not below /api.

    :param path: a decoded one. Nothing else is made of it: //api and /./api are not below /api.
    :param prefix: empty, or with a slash before it and none behind.
    """
    if path.startswith(prefix):
        rest = path[len(prefix) :]
        if not rest or rest.startswith(b"/"):
            return rest
    return None
