"""Folders of files beside an application: each below a prefix of its own; everything else is the application's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_http.apps.files import METHODS, Files, NotServedError
from corepool_http.apps.paths import below

if TYPE_CHECKING:
    from corepool_http.exchange import Exchange
    from corepool_http.options import HttpOptions
    from corepool_http.service import Application, Service


Folders = list[tuple[bytes, Files]]
"""Prefixes with their folders, the longest first: /static/admin may have a folder of its own below /static."""


def folders_of(service: Service, options: HttpOptions) -> Folders:
    """Return the folders of the options.

    :raises SetupError: one is not there any more.
    """
    pages_only = options.static_fallthrough
    return [
        (
            prefix.encode(),
            Files(service.heads, options, folder, options.root_path + prefix, redirects_to_pages_only=pages_only),
        )
        for prefix, folder in sorted(options.static.items(), key=lambda each: -len(each[0]))
    ]


class Static:
    """Serves the paths below some prefixes from folders, and all others with an application."""

    def __init__(self, application: Application, folders: Folders, mount_point: str, *, falls_through: bool) -> None:
        """Take the application and the folders.

        :param mount_point: of the application, if the paths of requests may begin with it.
        :param falls_through: paths that no file has are the application's, and other methods than those for files.
        """
        self.serves_websockets = application.serves_websockets
        self._application = application
        self._folders = folders
        self._mount_point = mount_point.encode()
        self._falls_through = falls_through

    def serve(self, exchange: Exchange) -> None:
        found = None if exchange.request.upgrade else self._find(exchange.request.line.path)
        if found is None:
            self._application.serve(exchange)
            return
        files, rest = found
        if not self._falls_through:
            files.answer(exchange, rest)
            return
        if exchange.request.line.method in METHODS:
            try:
                files.send(exchange, rest)
            except NotServedError as refusal:
                if refusal.status != 404:
                    exchange.fail(refusal.status)
                    return
            else:
                return
        self._application.serve(exchange)

    def close(self) -> None:
        self._application.close()

    def _find(self, path: bytes) -> tuple[Files, bytes] | None:
        """Find the folder of a path, and the rest of the path below its prefix."""
        inside = below(path, self._mount_point) if self._mount_point else None
        for prefix, files in self._folders:
            rest = below(path if inside is None else inside, prefix)
            if rest is not None:
                return files, rest
        return None
