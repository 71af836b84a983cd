"""Files of a folder: sendfile(2), ranges, conditions (RFC 9110, 13 and 14), precompressed siblings.

Names that lead up are refused, and so is what symbolic links lead to outside of the folder: the kernel tells where
an opened file really is, and that is what counts.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from corepool import SetupError
from corepool.files.descriptors import release
from corepool.logs.rate_limited import RateLimitedLog
from corepool_http import events
from corepool_http.apps.caching import Caching
from corepool_http.apps.codings import preferred
from corepool_http.apps.conditions import CONDITIONS
from corepool_http.apps.file_sender import Content, FileSender, Headers
from corepool_http.apps.file_types import type_of
from corepool_http.apps.listing import page_of
from corepool_http.head import reason_of

if TYPE_CHECKING:
    from corepool_http.exchange import Exchange
    from corepool_http.options import HttpOptions
    from corepool_http.responses import Heads

log = logging.getLogger(__name__)

METHODS = frozenset(("GET", "HEAD"))
"""By which a file is asked for."""

_MAX_KEPT = 1000
_SIBLINGS = {"br": ".br", "gzip": ".gz"}
_JUDGED = CONDITIONS | {b"if-range", b"range"}

# Opening a fifo would wait for its other end, and a terminal could become ours.
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

_ABSENT = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.ENXIO, errno.ENODEV))
"""Errors of open(2) for a missing file, or one that can't be served."""


class NotServedError(Exception):
    """There is nothing to be served, and the client is told so."""

    def __init__(self, status: int) -> None:
        super().__init__(reason_of(status))
        self.status = status


class Recent(NamedTuple):
    """The facts about a file that was served whole."""

    path: str
    identity: tuple[int, ...]
    headers: Headers
    varies: bool


class Files:
    """Serves the files of a folder."""

    serves_websockets = False

    def __init__(
        self, heads: Heads, options: HttpOptions, folder: str, mount_point: str, *, redirects_to_pages_only: bool
    ) -> None:
        """Take a folder.

        :param mount_point: the path, not encoded, at which clients see it: empty, or without a slash at its end.
        :param redirects_to_pages_only: a folder that has neither index nor listing is 404 without its slash, too.
        :raises SetupError: there is no folder of that name any more.
        """
        self._heads = heads
        root = Path(folder).resolve()
        if not root.is_dir():
            raise SetupError(f"{folder!r}: {root} is not a folder")
        self._index = options.index
        self._lists = options.listing
        self._follows = options.follow_links
        self._mount_point = quote(mount_point)
        self._redirects_to_pages_only = redirects_to_pages_only
        self._prefix = str(root).rstrip("/")
        self._sender = FileSender(heads)
        self._caching = Caching(options.static_max_age, options.static_immutable)
        self._rate_limited = RateLimitedLog(log)
        self._second = -1
        self._recent: dict[bytes, Recent] = {}
        """Files that were served whole within this second, by the path that was asked for."""

    def serve(self, exchange: Exchange) -> None:
        self.answer(exchange, exchange.request.line.path)

    def answer(self, exchange: Exchange, path: bytes) -> None:
        """Answer a request.

        :param path: the decoded path below the folder's mount point; empty: the folder itself, without its slash.
        """
        method = exchange.request.line.method
        if method == "OPTIONS":
            self._sender.answer(exchange, 204, [("Allow", "GET, HEAD, OPTIONS")], b"")
            return
        if method not in METHODS:
            exchange.fail(405, [("Allow", "GET, HEAD, OPTIONS")])
            return
        try:
            self.send(exchange, path)
        except NotServedError as refusal:
            exchange.fail(refusal.status)

    def send(self, exchange: Exchange, path: bytes) -> None:
        """Answer a GET or HEAD with what its path leads to.

        :raises NotServedError: there is nothing, or nothing that may be served, and nothing was sent.
        """
        try:
            if not self._serve_again(exchange, path):
                self._serve(exchange, path)
        except OSError as error:
            # The file may exist: a cache that keeps a 404 would go without it.
            events.file_not_read(self._rate_limited, request=exchange.describe(), reason=error)
            exchange.fail(500)

    def close(self) -> None:
        """Nothing is held."""

    def _serve_again(self, exchange: Exchange, asked: bytes) -> bool:
        """Serve a file again that was served within this second, if it and the request are the same: half the time."""
        second = int(exchange.began_s)
        if second != self._second:
            self._second = second
            self._recent.clear()
            return False
        recent = self._recent.get(asked)
        section = exchange.request.section
        if recent is None or section.has_any(_JUDGED) or (recent.varies and b"accept-encoding" in section):
            return False
        try:
            fd = os.open(recent.path, _OPEN)
        except OSError:
            return False  # the longer way has the words for it
        try:
            status = os.fstat(fd)
            if _identity(status) != recent.identity:
                return False
            exchange.start(self._heads.of_text("200 OK", recent.headers))
            exchange.send_file(fd, 0, status.st_size)
            exchange.finish()
        finally:
            release(fd)
        return True

    def _serve(self, exchange: Exchange, asked: bytes) -> None:
        """Serve what the path leads to.

        :raises NotServedError: there is nothing, or nothing that may be served.
        :raises OSError: it can't be found out.
        """
        parts, asks_for_folder = _parts(asked)
        path = "/".join([self._prefix, *parts])
        fd = self._open(path)
        try:
            status = os.fstat(fd)
            if stat.S_ISREG(status.st_mode) and not asks_for_folder:
                self._serve_file(exchange, asked, path, fd, status)
            elif not stat.S_ISDIR(status.st_mode):
                raise NotServedError(404)
            elif asks_for_folder:
                self._serve_folder(exchange, asked, path, fd)
            elif self._redirects_to_pages_only and not self._lists and self._index_of(fd) is None:
                raise NotServedError(404)
            else:
                self._redirect(exchange, parts)
        finally:
            release(fd)

    def _open(self, path: str) -> int:
        """Open a file that may be served.

        :raises NotServedError: there is nothing, or nothing that may be served.
        :raises OSError: it can't be found out.
        """
        try:
            fd = os.open(path, _OPEN)
        except PermissionError:
            raise NotServedError(403) from None
        except OSError as error:
            if error.errno in _ABSENT:
                raise NotServedError(404) from None
            raise
        try:
            is_inside = self._is_inside(fd)
        except BaseException:
            release(fd)
            raise
        if not is_inside:
            release(fd)
            raise NotServedError(404)
        return fd

    def _is_inside(self, fd: int) -> bool:
        # Where it really is, looked at when it can't be exchanged for another any more.
        return self._follows or f"{os.readlink(f'/proc/self/fd/{fd}')}/".startswith(f"{self._prefix}/")  # noqa: PTH115

    def _redirect(self, exchange: Exchange, parts: list[str]) -> None:
        """Send the client to the folder's URL with a slash: without one, relative links on its page lead elsewhere."""
        # Made of names: what the client sent may begin with two slashes, and name a host.
        location = "/".join([self._mount_point, *(quote(os.fsencode(part)) for part in parts), ""])
        query = exchange.request.line.query
        location += f"?{query.decode('latin-1')}" if query else ""
        self._sender.answer(exchange, 301, [("Location", location)], b"")

    def _serve_folder(self, exchange: Exchange, asked: bytes, path: str, fd: int) -> None:
        name = self._index_of(fd)
        if name is not None:
            index = f"{path}/{name}"
            index_fd = self._open(index)
            try:
                self._serve_file(exchange, asked, index, index_fd, os.fstat(index_fd))
            finally:
                release(index_fd)
            return
        if not self._lists:
            raise NotServedError(404)
        page = page_of(fd, exchange.request.line.path)
        self._sender.answer(exchange, 200, [("Content-Type", "text/html; charset=utf-8")], page)

    def _index_of(self, fd: int) -> str | None:
        """Return the name of the file that is served in place of an opened folder, if there is one.

        :raises NotServedError: it may not be looked for.
        :raises OSError: it can't be found out.
        """
        for name in self._index:
            try:
                if stat.S_ISREG(os.stat(name, dir_fd=fd).st_mode):
                    return name
            except PermissionError:
                raise NotServedError(403) from None  # it may be read, but nothing in it reached
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
        return None

    def _serve_file(self, exchange: Exchange, asked: bytes, path: str, fd: int, status: os.stat_result) -> None:
        """Serve a file, or the sibling of it that the client prefers: of whatever age, as nginx does."""
        if not stat.S_ISREG(status.st_mode):
            raise NotServedError(404)  # exchanged for another meanwhile
        media_type, coding = type_of(path)
        caching = self._caching.headers_of(path[len(self._prefix) + 1 :])
        siblings = [] if coding else [each for each in _SIBLINGS if _is_plain(path + _SIBLINGS[each])]
        if siblings:
            accepted = exchange.request.section.joined(b"accept-encoding") or b""
            for each in preferred(accepted.decode("latin-1"), siblings):
                try:
                    sibling = self._open(path + _SIBLINGS[each])
                except NotServedError:
                    continue  # it may not be read, or has just gone: the file itself is there
                try:
                    sibling_status = os.fstat(sibling)
                    if stat.S_ISREG(sibling_status.st_mode):
                        content = Content(sibling, sibling_status, media_type, each, True, caching)
                        self._send(exchange, asked, path, content)
                        return
                finally:
                    release(sibling)
        self._send(exchange, asked, path, Content(fd, status, media_type, coding, bool(siblings), caching))

    def _send(self, exchange: Exchange, asked: bytes, path: str, content: Content) -> None:
        headers = self._sender.send(exchange, content)
        if headers is not None and len(self._recent) < _MAX_KEPT and not (content.varies and content.coding):
            recent = Recent(path, _identity(content.status), headers, content.varies)
            self._recent[asked] = recent


def _identity(status: os.stat_result) -> tuple[int, ...]:
    # The time of its last change of state, too: a file that was moved elsewhere is no longer known.
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_mode


def _is_plain(path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116  # pathlib costs as much as sending the file
    except OSError:
        return False


def _parts(path: bytes) -> tuple[list[str], bool]:
    """Split a decoded path into names, and report whether it asks for a folder: by a slash, which an empty one lacks.

    :raises NotServedError: it leads anywhere but down.
    """
    if not path:
        return [], False
    if b"\0" in path or not path.startswith(b"/"):
        raise NotServedError(404)
    names = os.fsdecode(path).split("/")
    parts = [name for name in names if name not in {"", "."}]
    if ".." in parts:
        raise NotServedError(404)
    return parts, names[-1] in {"", "."}
