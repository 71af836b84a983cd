"""Files of a folder: sendfile(2), ranges, conditions (RFC 9110, 13 and 14), precompressed neighbours.

Names that lead up are refused, and so is what symbolic links lead to outside of the folder: the kernel tells where
an opened file really is, and that is what counts.
"""

from __future__ import annotations

import html
import mimetypes
import os
import re
import secrets
import stat
import time
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote

from corepool_http.responses import reason_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corepool_http.exchange import Exchange
    from corepool_http.service import Service

_RANGE = re.compile(r"(\d*)-(\d*)")
_MOST_RANGES = 16
_CODINGS = (("br", ".br"), ("gzip", ".gz"))

Headers = list[tuple[str, str]]


class Files:
    """Serves the files of a folder."""

    def __init__(self, service: Service) -> None:
        """Take the folder of the options.

        :raises NotADirectoryError: it is none.
        """
        options = service.options
        self._heads = service.heads
        self._root = Path(options.root).resolve()
        if not self._root.is_dir():
            raise NotADirectoryError(f"root = {options.root!r}: {self._root} is no folder")
        self._index = options.index
        self._lists = options.listing
        self._follows = options.follow_links
        self._types = mimetypes.MimeTypes()

    def serve(self, exchange: Exchange) -> None:
        request = exchange.request
        if request.method not in {"GET", "HEAD"}:
            if request.body is not None:
                exchange.closes = True
            exchange.fail(405, [("Allow", "GET, HEAD")])
            return
        parts = _parts(request.path)
        if parts is None:
            exchange.fail(404)
            return
        path = self._root.joinpath(*parts)
        if not self._may_serve(path):
            exchange.fail(404)
        elif path.is_dir():
            self._serve_folder(exchange, path)
        elif request.path.endswith(b"/"):
            exchange.fail(404)
        else:
            self._serve_file(exchange, path)

    def close(self) -> None:
        """Nothing is held."""

    def _may_serve(self, path: Path) -> bool:
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError):
            return False
        return self._follows or real.is_relative_to(self._root)

    def _serve_folder(self, exchange: Exchange, path: Path) -> None:
        request = exchange.request
        if not request.path.endswith(b"/"):
            # A second slash at the front would name a host.
            location = "/" + quote(request.path.lstrip(b"/")) + "/"
            location += f"?{request.query.decode('latin-1')}" if request.query else ""
            self._answer(exchange, 301, [("Location", location)], b"")
            return
        for name in self._index:
            if (path / name).is_file() and self._may_serve(path / name):
                self._serve_file(exchange, path / name)
                return
        if not self._lists:
            exchange.fail(404)
            return
        entries = sorted(each.name + ("/" if each.is_dir() else "") for each in path.iterdir())
        title = html.escape(request.path.decode("utf-8", "replace"))
        links = "".join(f'<li><a href="{quote("./" + name)}">{html.escape(name)}</a></li>\n' for name in entries)
        page = f"<!doctype html><meta charset=utf-8><title>{title}</title><h1>{title}</h1>\n<ul>\n{links}</ul>\n"
        self._answer(exchange, 200, [("Content-Type", "text/html; charset=utf-8")], page.encode("utf-8", "replace"))

    def _serve_file(self, exchange: Exchange, path: Path) -> None:
        headers: Headers = []
        kind, _ = self._types.guess_type(path.name)
        kind = kind or "application/octet-stream"
        if kind.startswith("text/"):
            kind += "; charset=utf-8"
        chosen, varies = self._neighbour(exchange, path, headers)
        try:
            # Opening a fifo would wait for its other end.
            fd = os.open(chosen, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except PermissionError:
            exchange.fail(403)
            return
        except OSError:
            exchange.fail(404)
            return
        with os.fdopen(fd, "rb") as file:
            status = os.fstat(fd)
            # Where it really is, looked at when it can't be exchanged for another any more.
            is_inside = self._follows or Path(f"/proc/self/fd/{fd}").readlink().is_relative_to(self._root)
            if not (stat.S_ISREG(status.st_mode) and is_inside):
                exchange.fail(404)
                return
            etag = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
            headers += [("ETag", etag), ("Last-Modified", formatdate(status.st_mtime, usegmt=True))]
            if varies:
                headers.append(("Vary", "Accept-Encoding"))
            self._answer_conditions(exchange, file, headers, kind, status)

    def _neighbour(self, exchange: Exchange, path: Path, headers: Headers) -> tuple[Path, bool]:
        """Choose a precompressed neighbour that the client takes, if there is one."""
        accepted = exchange.request.fields.get(b"accept-encoding", b"").decode("latin-1").lower()
        varies = False
        for coding, suffix in _CODINGS:
            neighbour = path.with_name(path.name + suffix)
            if neighbour.is_file() and self._may_serve(neighbour):
                varies = True
                if _accepts(accepted, coding):
                    headers.append(("Content-Encoding", coding))
                    return neighbour, True
        return path, varies

    def _answer_conditions(
        self, exchange: Exchange, file: BinaryIO, headers: Headers, kind: str, status: os.stat_result
    ) -> None:
        fields = {name: value.decode("latin-1") for name, value in exchange.request.fields.items()}
        etag, modified = headers[-1][1] if headers[-1][0] == "ETag" else dict(headers)["ETag"], int(status.st_mtime)
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
        if b"range" in fields and exchange.request.method == "GET" and self._range_holds(fields, etag, modified):
            ranges = parse_ranges(fields[b"range"], size)
        if ranges is None:
            headers += [("Content-Type", kind), ("Content-Length", str(size))]
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


def _parts(path: bytes) -> list[str] | None:
    """Split a decoded path into names; None if it leads anywhere but down."""
    if b"\0" in path or not path.startswith(b"/"):
        return None
    parts = [part for part in path.decode("utf-8", "surrogateescape").split("/") if part and part != "."]
    return None if ".." in parts else parts


def parse_ranges(text: str, size: int) -> list[tuple[int, int]] | None:
    """Read a Range header.

    :returns: first and last byte of each range; none when none can be satisfied; None when it is to be ignored.
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
