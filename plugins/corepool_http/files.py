"""Files of a folder: sendfile(2), ranges, conditions (RFC 9110, 13 and 14), precompressed neighbours.

Names that lead up are refused, and so is what symbolic links lead to outside of the folder: the kernel tells where
an opened file really is, and that is what counts.
"""

from __future__ import annotations

import errno
import html
import itertools
import logging
import mimetypes
import os
import re
import secrets
import stat
import time
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple
from urllib.parse import quote

from corepool import SetupError
from corepool.complaint import Complaint
from corepool_http.responses import reason_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corepool_http.exchange import Exchange
    from corepool_http.service import Service

log = logging.getLogger(__name__)

_RANGE = re.compile(r"(\d*)-(\d*)")
_MOST_RANGES = 16
_MOST_KEPT = 1000
_MOST_LISTED = 10_000
"""How many names of a folder are listed. The loop does nothing else meanwhile, for some 50 ms with so many."""

_CONDITIONS = frozenset(
    (b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since", b"if-range", b"range")
)
_LISTS = frozenset((b"if-match", b"if-none-match"))
_CODINGS = (("br", ".br"), ("gzip", ".gz"))

Headers = list[tuple[str, str]]

# Opening a fifo would wait for its other end.
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


_ABSENT = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.ENXIO, errno.ENODEV))
"""Errors of open(2) that say that there is no such file, or none that could be served."""


class Recent(NamedTuple):
    """What was found out about a file that was served whole."""

    path: str
    identity: tuple[int, ...]
    headers: Headers
    varies: bool


class Files:
    """Serves the files of a folder."""

    serves_websockets = False

    def __init__(self, service: Service) -> None:
        """Take the folder of the options.

        :raises SetupError: there is none of that name any more.
        """
        options = service.options
        self._heads = service.heads
        self._root = Path(options.root).resolve()
        if not self._root.is_dir():
            raise SetupError(f"root = {options.root!r}: {self._root} is not a folder")
        self._index = options.index
        self._lists = options.listing
        self._follows = options.follow_links
        self._prefix = str(self._root).rstrip("/")
        self._types = mimetypes.MimeTypes()
        self._kinds: dict[str, str] = {}
        self._dates: dict[int, str] = {}
        self._complaint = Complaint(log)
        self._second = -1
        self._recent: dict[bytes, Recent] = {}
        """Files that were served whole within this second, by the path that was asked for."""

    def serve(self, exchange: Exchange) -> None:
        request = exchange.request
        if request.line.method not in {"GET", "HEAD"}:
            if request.body is not None:
                exchange.closes = True
            exchange.fail(405, [("Allow", "GET, HEAD")])
            return
        if self._serve_again(exchange):
            return
        parts = _parts(request.line.path)
        if parts is None:
            exchange.fail(404)
            return
        path = "/".join([self._prefix, *parts])
        fd = self._open(exchange, path)
        if fd < 0:
            return
        status = os.fstat(fd)
        if stat.S_ISREG(status.st_mode) and not request.line.path.endswith(b"/"):
            with os.fdopen(fd, "rb", 0) as file:
                self._serve_file(exchange, path, file, status)
            return
        try:
            if stat.S_ISDIR(status.st_mode):
                self._serve_folder(exchange, path, fd)
            else:
                exchange.fail(404)
        finally:
            os.close(fd)

    def close(self) -> None:
        """Nothing is held."""

    def _serve_again(self, exchange: Exchange) -> bool:
        """Serve what was served within this second, unless the file or what is asked for differs: in half the time."""
        second = int(exchange.began_s)
        if second != self._second:
            self._second = second
            self._recent.clear()
            return False
        recent = self._recent.get(exchange.request.line.path)
        section = exchange.request.section
        if recent is None or section.has_any(_CONDITIONS) or (recent.varies and b"accept-encoding" in section):
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
            os.close(fd)
        return True

    def _open(self, exchange: Exchange, path: str) -> int:
        """Open what is there and may be served, or answer that it may not; -1 then."""
        try:
            fd = os.open(path, _OPEN)
        except PermissionError:
            exchange.fail(403)
            return -1
        except ValueError:
            exchange.fail(404)
            return -1
        except OSError as error:
            if error.errno in _ABSENT:
                exchange.fail(404)
            else:  # it may be there: whoever keeps a 404 would go without it
                self._complaint.warn("%s: can't open %s: %s", exchange.describe(), path, error.strerror)
                exchange.fail(500)
            return -1
        if self._is_inside(fd):
            return fd
        os.close(fd)
        exchange.fail(404)
        return -1

    def _is_inside(self, fd: int) -> bool:
        # Where it really is, looked at when it can't be exchanged for another any more.
        return self._follows or f"{os.readlink(f'/proc/self/fd/{fd}')}/".startswith(f"{self._prefix}/")  # noqa: PTH115

    def _serve_folder(self, exchange: Exchange, path: str, fd: int) -> None:
        request = exchange.request
        if not request.line.path.endswith(b"/"):
            # A second slash at the front would name a host.
            location = "/" + quote(request.line.path.lstrip(b"/")) + "/"
            location += f"?{request.line.query.decode('latin-1')}" if request.line.query else ""
            self._answer(exchange, 301, [("Location", location)], b"")
            return
        for name in self._index:
            try:
                if not stat.S_ISREG(os.stat(name, dir_fd=fd).st_mode):
                    continue
            except PermissionError:
                exchange.fail(403)  # it may be read, but nothing in it reached
                return
            except OSError:
                continue
            index = f"{path}/{name}"
            index_fd = self._open(exchange, index)
            if index_fd >= 0:
                with os.fdopen(index_fd, "rb", 0) as file:
                    self._serve_file(exchange, index, file, os.fstat(index_fd))
            return
        if not self._lists:
            exchange.fail(404)
            return
        names = _names_in(fd)
        title = html.escape(request.line.path.decode("utf-8", "replace"))
        links = "".join(
            f'<li><a href="{quote(os.fsencode("./" + name))}">{html.escape(name)}</a></li>\n'
            for name in sorted(names[:_MOST_LISTED])
        )
        if len(names) > _MOST_LISTED:
            links += "<li>and more\n"
        page = f"<!doctype html><meta charset=utf-8><title>{title}</title><h1>{title}</h1>\n<ul>\n{links}</ul>\n"
        self._answer(exchange, 200, [("Content-Type", "text/html; charset=utf-8")], page.encode("utf-8", "replace"))

    def _serve_file(self, exchange: Exchange, path: str, file: BinaryIO, status: os.stat_result) -> None:
        headers: Headers = []
        varies = False
        accepted = (exchange.request.section.joined(b"accept-encoding") or b"").decode("latin-1").lower()
        for coding, suffix in _CODINGS:
            if not os.path.exists(path + suffix):  # noqa: PTH110  # pathlib costs as much as sending the file
                continue
            varies = True
            if not _accepts(accepted, coding):
                continue
            fd = self._open(exchange, path + suffix)
            if fd < 0:
                return
            with os.fdopen(fd, "rb", 0) as packed:
                headers += [("Content-Encoding", coding), ("Vary", "Accept-Encoding")]
                self._answer_conditions(exchange, path, packed, headers, os.fstat(fd))
            return
        if varies:
            headers.append(("Vary", "Accept-Encoding"))
        self._answer_conditions(exchange, path, file, headers, status)

    def _type_of(self, path: str) -> str:
        suffix = path[path.rfind(".") :] if "." in path[path.rfind("/") :] else ""
        kind = self._kinds.get(suffix)
        if kind is None:
            kind = self._types.guess_type(f"a{suffix}")[0] or "application/octet-stream"
            if kind.startswith("text/"):
                kind += "; charset=utf-8"
            if len(self._kinds) < _MOST_KEPT:
                self._kinds[suffix] = kind
        return kind

    def _date_of(self, seconds: int) -> str:
        date = self._dates.get(seconds)
        if date is None:
            date = formatdate(seconds, usegmt=True)
            if len(self._dates) < _MOST_KEPT:
                self._dates[seconds] = date
        return date

    def _answer_conditions(
        self, exchange: Exchange, path: str, file: BinaryIO, headers: Headers, status: os.stat_result
    ) -> None:
        kind = self._type_of(path)
        section = exchange.request.section
        # Each of the others has one value, and is ignored if there are two (RFC 9110, 13.1.3 and 13.1.4).
        values = {name: section.joined(name) if name in _LISTS else section.single(name) for name in _CONDITIONS}
        fields = {name: value.decode("latin-1") for name, value in values.items() if value is not None}
        etag, modified = f'"{status.st_mtime_ns:x}-{status.st_size:x}"', int(status.st_mtime)
        headers += [("ETag", etag), ("Last-Modified", self._date_of(modified))]
        if b"if-match" in fields:
            if not _matches(fields[b"if-match"], etag, weak=False):
                exchange.fail(412)
                return
        elif b"if-unmodified-since" in fields and _is_after(modified, fields[b"if-unmodified-since"]):
            exchange.fail(412)
            return
        if b"if-none-match" in fields:
            unchanged = _matches(fields[b"if-none-match"], etag, weak=True)
        else:
            unchanged = b"if-modified-since" in fields and _is_not_after(modified, fields[b"if-modified-since"])
        if unchanged:
            self._answer(exchange, 304, headers, b"")
            return
        headers.append(("Accept-Ranges", "bytes"))
        size = status.st_size
        ranges: list[tuple[int, int]] | None = None
        if b"range" in fields and exchange.request.line.method == "GET" and self._range_holds(fields, etag, modified):
            ranges = parse_ranges(fields[b"range"], size)
        if ranges is None:
            headers += [("Content-Type", kind), ("Content-Length", str(size))]
            if len(self._recent) < _MOST_KEPT and not any(name == "Content-Encoding" for name, _ in headers):
                varies = headers[0][0] == "Vary"
                self._recent[exchange.request.line.path] = Recent(path, _identity(status), headers, varies)
            exchange.start(self._heads.of_text("200 OK", headers))
            exchange.send_file(file, 0, size)
            exchange.finish()
        elif not ranges:
            self._answer(exchange, 416, [("Content-Range", f"bytes */{size}")], b"")
        elif len(ranges) == 1:
            first, last = ranges[0]
            headers += [("Content-Type", kind), ("Content-Range", f"bytes {first}-{last}/{size}")]
            headers.append(("Content-Length", str(last - first + 1)))
            exchange.start(self._heads.of_text("206 Partial Content", headers))
            exchange.send_file(file, first, last - first + 1)
            exchange.finish()
        else:
            self._send_parts(exchange, file, headers, kind, size, ranges)

    def _range_holds(self, fields: dict[bytes, str], etag: str, modified: int) -> bool:
        condition = fields.get(b"if-range")
        if condition is None:
            return True
        if condition.startswith(('"', "W/")):
            return condition == etag
        # A date is a strong validator only if a change within its second could not be missed (RFC 9110, 8.8.2.2).
        return formatdate(modified, usegmt=True) == condition and time.time() - modified > 1

    def _send_parts(
        self,
        exchange: Exchange,
        file: BinaryIO,
        headers: Headers,
        kind: str,
        size: int,
        ranges: Sequence[tuple[int, int]],
    ) -> None:
        boundary = secrets.token_hex(16)
        heads = [
            f"--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: bytes {first}-{last}/{size}\r\n\r\n".encode()
            for first, last in ranges
        ]
        end = f"--{boundary}--\r\n".encode()
        total = sum(len(head) + last - first + 3 for head, (first, last) in zip(heads, ranges, strict=True)) + len(end)
        headers += [("Content-Type", f"multipart/byteranges; boundary={boundary}"), ("Content-Length", str(total))]
        exchange.start(self._heads.of_text("206 Partial Content", headers))
        for head, (first, last) in zip(heads, ranges, strict=True):
            exchange.write(head)
            exchange.send_file(file, first, last - first + 1)
            exchange.write(b"\r\n")
        exchange.write(end)
        exchange.finish()

    def _answer(self, exchange: Exchange, status: int, headers: Headers, content: bytes) -> None:
        exchange.send_whole(self._heads.of_text(f"{status} {reason_of(status)}", headers), content)


def _identity(status: os.stat_result) -> tuple[int, ...]:
    # The time of its last change of state, too: a file that was moved elsewhere is no longer known.
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_mode


def _names_in(fd: int) -> list[str]:
    """List an opened folder (its path may lead to another one by now), up to one name more than is shown."""
    with os.scandir(fd) as entries:
        return [
            entry.name + "/" if _is_folder(entry) else entry.name
            for entry in itertools.islice(entries, _MOST_LISTED + 1)
        ]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link, to where we may not look


def _parts(path: bytes) -> list[str] | None:
    """Split a decoded path into names; None if it leads anywhere but down."""
    if b"\0" in path or not path.startswith(b"/"):
        return None
    parts = [part for part in path.decode("utf-8", "surrogateescape").split("/") if part and part != "."]
    return None if ".." in parts else parts


def parse_ranges(text: str, size: int) -> list[tuple[int, int]] | None:
    """Read a Range header.

    :returns: first and last byte of each range; [] when none can be satisfied; None when it is to be ignored.
    """
    unit, equals, specification = text.partition("=")
    if unit.strip().lower() != "bytes" or not equals:
        return None
    wanted = specification.split(",")
    if len(wanted) > _MOST_RANGES:
        return None
    ranges = []
    for each in wanted:
        found = _RANGE.fullmatch(each.strip())
        if found is None or not (found[1] or found[2]) or len(each) > 64:
            return None
        if not found[1]:
            length = min(int(found[2]), size)
            first, last = size - length, size - 1
        else:
            first, last = int(found[1]), min(int(found[2] or size), size - 1)
            if found[2] and int(found[2]) < first:
                return None
        if first <= last and first < size:
            ranges.append((first, last))
    if sum(last - first + 1 for first, last in ranges) > size + size // 2:
        return None  # overlapping again and again: more would be sent than there is
    return ranges


def _accepts(header: str, coding: str) -> bool:
    for part in header.split(","):
        name, _, parameter = part.partition(";")
        if name.strip() == coding:
            return parameter.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def _matches(header: str, etag: str, *, weak: bool) -> bool:
    if header.strip() == "*":
        return True
    tags = [tag.strip() for tag in header.split(",")]
    return any((tag.removeprefix("W/") if weak else tag) == etag for tag in tags)


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError, TypeError):
        return None


def _is_after(modified: int, text: str) -> bool:
    date = _date(text)
    return date is not None and modified > date


def _is_not_after(modified: int, text: str) -> bool:
    date = _date(text)
    return date is not None and modified <= date
