"""environ (PEP 3333): a request as a WSGI application sees it."""

from __future__ import annotations

import sys
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any

from corepool_http.apps.paths import below
from corepool_http.apps.tls import variables_of
from corepool_http.apps.wsgi_files import FileWrapper
from corepool_http.client import decimal
from corepool_http.message import HTTP_1_1
from corepool_http.noting import NotingExchange

if TYPE_CHECKING:
    import io

    from corepool import Worker
    from corepool_http.client import Client
    from corepool_http.exchange import Exchange
    from corepool_http.message import RequestLine, Section
    from corepool_http.options import HttpOptions

__all__ = ["Environments", "NotingEnvironments", "Variables", "add_request", "add_request_in_python"]

_ENDS = dict.fromkeys(("SERVER_NAME", "SERVER_PORT", "REMOTE_ADDR", "REMOTE_PORT", "wsgi.url_scheme"))
_OF_LINE = dict.fromkeys(("REQUEST_METHOD", "PATH_INFO", "RAW_URI", "REQUEST_URI", "QUERY_STRING"))

_MAX_NAMES = 1000
_MAX_NAME_BYTES = 64


_MET_ONCE: dict[str, Any] = {}
"""Of a section: it came in one request."""


class Variables(dict[bytes, str]):
    """The variables of headers, by their names in lower case; empty for a header that is left out. A bounded table."""

    def __missing__(self, name: bytes) -> str:
        if 0x5F in name:
            # HTTP_X_Y could be X-Y or X_Y: an old way past a proxy's rules. nginx drops it, too.
            return ""
        text = name.decode("latin-1").upper().replace("-", "_")
        key = text if text in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{text}"
        if len(self) < _MAX_NAMES and len(name) <= _MAX_NAME_BYTES:  # clients choose them
            self[name] = key
        return key


def add_request_in_python(
    environ: dict[str, Any],
    ends: dict[str, Any],
    line: RequestLine,
    section: Section,
    mount: bytes,
    variables: Variables,
) -> None:
    """Add the variables of both ends, of a request line, and of a header section (RFC 3875, 4.1).

    :param mount: the path of the application: its root, without a slash behind it.
    :param variables: those of headers.
    """
    environ.update(ends)
    environ.update(_line_variables(line, mount))
    for name, value in section.headers:
        key = variables[name]
        if not key:
            continue
        if key in environ:
            separator = "; " if key == "HTTP_COOKIE" else ","
            environ[key] = f"{environ[key]}{separator}{value.decode('latin-1')}"
        else:
            environ[key] = value.decode("latin-1")


def _line_variables(line: RequestLine, mount: bytes) -> dict[str, object]:
    if line.prepared is None:
        target = line.target.decode("latin-1")
        rest = below(line.path, mount) if mount else None  # a proxy may have taken the prefix off, or not
        line.prepared = {
            "REQUEST_METHOD": line.method,
            "PATH_INFO": (line.path if rest is None else rest).decode("latin-1"),
            "RAW_URI": target,
            "REQUEST_URI": target,
            "QUERY_STRING": line.query.decode("latin-1"),
        }
    return line.prepared


try:
    from corepool_http.apps._environ import add_request
except ImportError:  # corepool was installed without a compiler
    add_request = add_request_in_python


class Environments:
    """Makes the environ of each request out of parts that many requests share."""

    def __init__(self, options: HttpOptions, worker: Worker) -> None:
        self._variables = Variables()
        # PEP 3333, "Unicode Issues": strings hold the bytes of a request, as latin-1.
        self._mount = options.root_path.encode()
        # All keys of a request without headers: with these a dict has room for twenty more, and copies keep it.
        self._base: dict[str, Any] = {
            **_ENDS,
            **_OF_LINE,
            "wsgi.input": None,
            "wsgi.version": (1, 0),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": options.threads > 1,
            "wsgi.multiprocess": worker.workers > 1,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
            "wsgi.early_hints": None,
            "wsgi.input_terminated": True,
            "corepool.worker": worker,
            "SCRIPT_NAME": self._mount.decode("latin-1"),
            "SERVER_SOFTWARE": options.server or "corepool",
            "SERVER_PROTOCOL": "HTTP/1.1",
        }

    def of(self, exchange: Exchange, content: io.IOBase) -> dict[str, Any]:
        """Return the environ of a request, whose content is read from `content`."""
        request, client = exchange.request, exchange.client
        ends = client.prepared
        if ends is None:
            ends = client.prepared = self._environ_of(client)
        line, section = request.line, request.section
        last = section.prepared
        if last is None:
            # Most are never met again: no copy is kept of the first.
            section.prepared = _MET_ONCE
            environ = self._made(ends, line, section)
        else:
            if last is _MET_ONCE:
                # Without the ends: another client must get nothing that is this one's, such as a certificate.
                last = section.prepared = self._made(_ENDS, line, section)
            # Nearly all have the same keys, and a copy with other values takes less time than a dict that has to grow.
            environ = last.copy()
            environ.update(ends)
            environ.update(_line_variables(line, self._mount))
        environ["wsgi.input"] = content
        if request.version != HTTP_1_1:
            environ["SERVER_PROTOCOL"] = request.protocol
        if request.body is not None and "CONTENT_LENGTH" not in environ and isinstance(content, SpooledTemporaryFile):
            # It was chunked, and is complete: applications that know nothing of chunks can read it by its length.
            environ["CONTENT_LENGTH"] = str(request.body.received)
            environ.pop("HTTP_TRANSFER_ENCODING", None)
        return environ

    def _made(self, ends: dict[str, Any], line: RequestLine, section: Section) -> dict[str, Any]:
        environ = self._base.copy()
        add_request(environ, ends, line, section, self._mount, self._variables)
        return environ

    def _environ_of(self, client: Client) -> dict[str, Any]:
        name, port = client.server_name
        ends: dict[str, Any] = {
            "SERVER_NAME": name,
            "SERVER_PORT": port,
            "REMOTE_ADDR": client.host,
            "REMOTE_PORT": decimal(client.port),
            "wsgi.url_scheme": client.scheme,
        }
        if client.scheme == "https":
            ends["HTTPS"] = "on"
        if client.tls is not None:
            ends |= variables_of(client.tls)
        if client.proxy_header is not None:
            ends["corepool.proxy_header"] = client.proxy_header
        return ends


class NotingEnvironments(Environments):
    """As above, for an access log that has variables of the environ."""

    def of(self, exchange: Exchange, content: io.IOBase) -> dict[str, Any]:
        environ = super().of(exchange, content)
        assert isinstance(exchange, NotingExchange)
        exchange.note(environ)
        return environ
