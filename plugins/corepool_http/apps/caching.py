"""Cache-Control of files (RFC 9111, 5.2.2; immutable: RFC 8246)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_http.patterns import PathPattern

if TYPE_CHECKING:
    from collections.abc import Sequence

_IMMUTABLE = [("Cache-Control", "public, max-age=31536000, immutable")]
"""A year: longer ages mean nothing more to caches."""


class Caching:
    """Decides by the path of a file."""

    def __init__(self, max_age_s: float | None, immutable: Sequence[str]) -> None:
        """Prepare the headers.

        :param max_age_s: of files that may change, in whole seconds; None: nothing is said of these.
        :param immutable: patterns of paths of files that never change.
        """
        self._usual: list[tuple[str, str]] = []
        if max_age_s is not None:
            self._usual = [("Cache-Control", f"public, max-age={int(max_age_s)}" if max_age_s else "no-cache")]
        self._immutable = list(map(PathPattern, immutable))

    def headers_of(self, path: str) -> list[tuple[str, str]]:
        """Return the headers of a file.

        :param path: below its folder.
        """
        if any(each.matches(path) for each in self._immutable):
            return _IMMUTABLE
        return self._usual
