"""The options of the http protocol."""

from __future__ import annotations

import os
import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal
from urllib.parse import unquote_to_bytes

from corepool import Duration, DurationOrOff, Size, SizeOrOff
from corepool.files.lines import examine
from corepool.spec.fields import AfterValidator, BeforeValidator, Field
from corepool.spec.model import Model
from corepool_http.access_atoms import judge
from corepool_http.patterns import PathPattern
from corepool_http.targets import split_target


def _network(value: object) -> object:
    if isinstance(value, str) and value not in {"unix", "*"}:
        try:
            return ip_network(value)
        except ValueError as error:
            raise ValueError(f'{error}; expected a network such as 10.0.0.0/8, an address, "unix" or "*"') from None
    return value


Network = Annotated[IPv4Network | IPv6Network | Literal["unix", "*"], BeforeValidator(_network)]


def _folder(path: str) -> str:
    if not os.path.isdir(path):  # noqa: PTH112  # pathlib raises what isn't allowed to be looked at
        raise ValueError("there is no such folder")
    return path


def _folder_or_none(path: str) -> str:
    return _folder(path) if path else path


def _mount_point(root_path: str) -> str:
    """Return a mount point as ASGI has it: decoded, empty or with one slash before it and none behind."""
    if re.search("%(?![0-9A-Fa-f]{2})", root_path):
        raise ValueError("each % has to be followed by two hexadecimal digits, as in /a%20b")
    if re.search("[?#]", root_path):
        raise ValueError("a path is expected, without a query or a fragment")
    try:
        decoded = unquote_to_bytes(root_path).decode()
    except UnicodeError:
        raise ValueError("its percent-encoded bytes are not UTF-8") from None
    if re.search("[\\x00-\\x1f\\x7f]", decoded):
        raise ValueError("it has a control character in it")
    stripped = decoded.strip("/")
    return f"/{stripped}" if stripped else ""


def _prefixes(folders: dict[str, str]) -> dict[str, str]:
    """Write the prefixes of folders as mount points are written.

    :raises ValueError: one is no path, or two are the same.
    """
    found: dict[str, str] = {}
    written: dict[str, str] = {}
    for each, folder in folders.items():
        try:
            prefix = _mount_point(each)
        except ValueError as error:
            raise ValueError(f"{each!r}: {error}") from None
        if not each.startswith("/") or {"", ".", ".."}.intersection(prefix.split("/")[1:]):
            raise ValueError(f"{each!r}: a prefix is a path from its first slash on, such as /static/")
        if prefix in found:
            raise ValueError(f"{written[prefix]!r} and {each!r} are the same prefix")
        found[prefix], written[prefix] = folder, each
    return found


def _whole_seconds(seconds: float) -> float:
    if seconds % 1:
        raise ValueError("Cache-Control has whole seconds; 0 has caches ask each time")
    return seconds


def _pattern(text: str) -> str:
    PathPattern(text)
    return text


def _log_format(text: str) -> str:
    try:
        judge(text)
    except ValueError as error:
        raise ValueError(f"expected off, common, combined, json, or a format of your own; {error}") from None
    return text


class SourceOptions(Model):
    """The application or the files to serve."""

    target: str = ""
    """The application, as "module:attribute"; `serve http TARGET` sets it. "module" alone: its `application` or `app`.
    A factory, `module:make` or `module:make("prod")`, is recognised by its signature or by the call."""

    interface: Literal["auto", "wsgi", "asgi"] = "auto"
    """How the application is called; auto: ASGI if it is a coroutine function, else WSGI."""

    lifespan: Literal["auto", "on", "off"] = "auto"
    """ASGI: start and end the application; auto: if it has a lifespan; on: the boot fails without one; off: never."""

    factory: bool = False
    """The attribute is a factory, even if its signature doesn't show it: called without arguments, it returns the
    application."""

    directory: str = "."
    """Where modules are imported from first."""

    threads: Annotated[int, Field(ge=0, le=1000)] = 0
    """WSGI: threads that run the application; 0: the worker's loop runs it, which is fastest for quick ones."""

    slow_call: DurationOrOff = 0.25
    """An application that keeps the worker's loop for longer, ASGI or WSGI without `threads`, is logged, once a minute;
    0: never."""

    root: Annotated[str, AfterValidator(_folder_or_none)] = ""
    """Without `target`: the folder whose files are served."""

    static: Annotated[dict[str, Annotated[str, AfterValidator(_folder)]], AfterValidator(_prefixes)] = {}
    """Beside `target`: folders whose files are served below a prefix, as { "/static/" = "./public" }; as a flag
    --static /static/=./public."""

    static_fallthrough: bool = False
    """A path below a prefix of `static` that no file has goes to the application; else it is 404."""

    static_max_age: Annotated[DurationOrOff, AfterValidator(_whole_seconds)] | None = None
    """How long caches may use a file of `root` or `static` without asking (Cache-Control: max-age), in whole seconds;
    0: they ask each time (no-cache); unset: no Cache-Control, and they guess."""

    static_immutable: tuple[Annotated[str, AfterValidator(_pattern)], ...] = ()
    """Files that never change, since their names do: patterns as .gitignore has them, such as "assets/**" (of the path
    below their folder) or "*.min.js" (of a name in any). Caches keep them for a year, and don't ask meanwhile."""

    index: tuple[str, ...] = ("index.html",)
    """Files that are served in place of their folder."""

    listing: bool = False
    """List a folder that has no index."""

    follow_links: bool = False
    """Serve files that a symbolic link leads to outside of `root`, or of a folder of `static`."""

    def model_check(self) -> None:
        """Judge the options together."""
        super().model_check()
        if self.target and self.root:
            raise ValueError(
                "`target` and `root` exclude each other; beside an application, "
                '`static = { "/static/" = "FOLDER" }` serves the files of a folder'
            )
        if not self.target and not self.root:
            raise ValueError("either `target` (an application) or `root` (a folder of files) is needed")
        if self.target:
            split_target(self.target)
        if "" in self.static and not self.static_fallthrough:
            raise ValueError(
                "static: the prefix / leaves nothing to the application; with `static_fallthrough = true` it has the "
                "paths that no file has"
            )


class ServerOptions(Model):
    """The options that do not depend on the application."""

    max_request_line: Annotated[Size, Field(ge=256)] = 8_192
    """Bytes of a request's target; more is answered with 414."""

    max_head: Annotated[Size, Field(ge=1024)] = 32_768
    """Bytes of a request's line and header section; more is answered with 431."""

    max_body: SizeOrOff = 1 << 30
    """Bytes of a request's content; more is answered with 413."""

    header_timeout: Duration = 15.0
    """How long it may take from a request's first byte to the end of its header section."""

    body_timeout: Duration = 30.0
    """How long each 64 KiB of a request's content may take."""

    keep_alive: DurationOrOff = 75.0
    """How long a connection may be idle between requests; 0: every response ends its connection."""

    http2: bool = True
    """Speak HTTP/2 as well: with TLS, to clients that choose it by ALPN (`h2`), and without, to those that begin with
    its preface (prior knowledge)."""

    http2_max_concurrent_streams: Annotated[int, Field(ge=1, le=1000)] = 128
    """Requests that a connection of HTTP/2 may have under way at once."""

    server: str = "corepool"
    """The header Server; empty: none."""

    root_path: Annotated[str, AfterValidator(_mount_point)] = ""
    """Where the application is mounted, if a proxy strips that prefix from targets: `/api`, percent-encoded if need be.
    ASGI: `root_path`, with which `path` begins; WSGI: SCRIPT_NAME."""

    trusted_proxies: tuple[Network, ...] = ()
    """Proxies that are believed about whom they forward for: networks, "unix", "*"."""

    access_log: Annotated[str, AfterValidator(_log_format)] = "off"
    """A line for each response: off, common, combined, json, or a format of your own, with the atoms of gunicorn or
    uvicorn: `%(h)s "%(r)s" %(s)s %(L)s`."""

    access_log_file: str = "-"
    """Where those lines go; "-": standard output."""

    max_message: Size = 16 * 1024 * 1024
    """Bytes of one WebSocket message."""

    deflate: bool = True
    """Offer permessage-deflate on WebSockets."""

    ping_interval: DurationOrOff = 20.0
    """The time between pings on a WebSocket; one that isn't answered before the next ends it. 0: none."""

    def model_check(self) -> None:
        """Judge the options together."""
        super().model_check()
        if self.access_log != "off":
            try:
                examine(self.access_log_file)
            except ValueError as error:
                raise ValueError(f'access_log_file = "{self.access_log_file}": {error}') from None


class HttpOptions(ServerOptions, SourceOptions):
    """[listener.options] of protocol = "http"."""
