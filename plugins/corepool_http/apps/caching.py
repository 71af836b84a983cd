"""Cache-Control of files (RFC 9111, 5.2.2; immutable: RFC 8246)."""

from __future__ import annotations

import re
from fnmatch import translate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_IMMUTABLE = [("Cache-Control", "public, max-age=31536000, immutable")]
"""A year: longer ages mean nothing more to caches."""


class Caching:
    """Decides by the path of a file."""

    def __init__(self, max_age_s: float | None, immutable: Sequence[str]) -> None:
        """Prepare the headers.

        :param max_age_s: of files that may change; None: nothing is said of these.
        :param immutable: patterns of paths of files that never change.
        """
        self._usual: list[tuple[str, str]] = []
        if max_age_s is not None:
            self._usual = [("Cache-Control", f"public, max-age={int(max_age_s)}" if max_age_s else "no-cache")]
        self._immutable = re.compile("|".join(map(translate, immutable))) if immutable else None

    def headers_of(self, path: str) -> list[tuple[str, str]]:
        """Return the headers of a file.

        :param path: below its folder.
        """
        if self._immutable is not None and self._immutable.match(path):
            return _IMMUTABLE
        return self._usual
