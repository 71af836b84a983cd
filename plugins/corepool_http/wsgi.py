"""WSGI (PEP 3333): the application runs in the loop itself, or in threads of its own.

In the loop it costs least, and everybody waits for it: right for what answers in a millisecond. While it runs
there, the loop is hidden from it: asyncio.run, async_to_sync and Django's ORM refuse to work under a running loop.

A request's content is received before the application is called, into memory or a file, so that a slow client
occupies no thread. Only one that waits for "100 Continue" is read while the application runs, and only by a thread.
"""

from __future__ import annotations

import io
import logging
import sys
import threading
from asyncio import _set_running_loop
from collections import deque
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from corepool.streams import Mailbox, Threads
from corepool_http.responses import ResponseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    from corepool_http.exchange import Exchange
    from corepool_http.proxies import Client
    from corepool_http.requests import RequestLine
    from corepool_http.responses import Head, Heads
    from corepool_http.sections import Section
    from corepool_http.service import Service

    ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]
    Application = Callable[[dict[str, Any], Callable[..., Callable[[bytes], None]]], Iterable[bytes]]

log = logging.getLogger(__name__)

_IN_MEMORY = 512 * 1024
"""Bytes of a request's content that are kept in memory; more goes to a temporary file."""

_PIECES_PER_TURN = 16
"""Pieces of a response that are sent before the others have their turn."""


class FileWrapper:
    """wsgi.file_wrapper: a file that is sent by sendfile(2), if it has a descriptor."""

    def __init__(self, file: BinaryIO, block_size: int = 65_536) -> None:
        self.file = file
        self._block_size = block_size
        if hasattr(file, "close"):
            self.close = file.close

    def __iter__(self) -> Iterator[bytes]:
        while block := self.file.read(self._block_size):
            yield block


class Wsgi:
    """Serves requests with a WSGI application."""

    serves_websockets = False

    def __init__(self, service: Service, application: Application) -> None:
        options = service.options
        self._service = service
        self._application = application
        self._loop = service.worker.loop
        self.heads = service.heads
        self._names: dict[bytes, str] = {}
        self._mailbox = Mailbox(self._loop)
        gauge = service.worker.gauge_threads(options.threads)
        self._threads = Threads("http", self._mailbox, gauge) if options.threads else None
        self._base: dict[str, Any] = {
            "wsgi.version": (1, 0),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": options.threads > 1,
            "wsgi.multiprocess": service.worker.workers > 1,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
            "wsgi.input_terminated": True,
            "corepool.worker": service.worker,
            "SCRIPT_NAME": options.root_path,
            "SERVER_SOFTWARE": options.server or "corepool",
        }

    def serve(self, exchange: Exchange) -> None:
        body = exchange.request.body
        if body is None:
            self._begin(exchange, io.BytesIO())
        elif exchange.request.expects_continue and self._threads is not None:
            self._begin(exchange, StreamedInput(exchange, self._mailbox))
        else:
            exchange.want_body()
            Reception(exchange, self._begin)

    def close(self) -> None:
        if self._threads is not None:
            self._threads.stop(0)

    def _begin(self, exchange: Exchange, content: io.IOBase) -> None:
        environ = self._environ(exchange, content)
        if self._threads is None:
            run: Run = InlineRun(exchange, self.heads)
            _set_running_loop(None)
            try:
                run.call(self._application, environ)
            finally:
                _set_running_loop(self._loop)
            return
        thread_run = ThreadRun(exchange, self.heads, self._mailbox)
        self._threads.submit(partial(thread_run.call, self._application, environ))

    def _environ(self, exchange: Exchange, content: io.IOBase) -> dict[str, Any]:
        request, session = exchange.request, exchange.session
        base = session.prepared
        if base is None or exchange.client is not session.client:
            base = self._environ_of(exchange.client)
            if exchange.client is session.client:
                session.prepared = base
        line, section = request.line, request.section
        if line.prepared is None:
            line.prepared = self._environ_of_line(line)
        if section.prepared is None:
            section.prepared = self._environ_of_section(section)
        environ = {**base, **line.prepared, **section.prepared, "wsgi.input": content}
        if request.version == "1.0":
            environ["SERVER_PROTOCOL"] = "HTTP/1.0"
        if request.body is not None and "CONTENT_LENGTH" not in environ and isinstance(content, SpooledTemporaryFile):
            # It was chunked, and is complete: applications that know nothing of chunks can read it by its length.
            environ["CONTENT_LENGTH"] = str(request.body.received)
            environ.pop("HTTP_TRANSFER_ENCODING", None)
        return environ

    def _environ_of_line(self, line: RequestLine) -> dict[str, object]:
        target = line.target.decode("latin-1")
        path = line.path.decode("latin-1")
        root = self._base["SCRIPT_NAME"]
        return {
            "REQUEST_METHOD": line.method,
            "PATH_INFO": path[len(root) :] if root and path.startswith(root) else path,
            "RAW_URI": target,
            "REQUEST_URI": target,
            "QUERY_STRING": line.query.decode("latin-1"),
        }

    def _environ_of_section(self, section: Section) -> dict[str, object]:
        environ: dict[str, object] = {}
        names = self._names
        for name, value in section.headers:
            key = names.get(name) or self._key(name)
            if not key:
                continue
            if key in environ:
                separator = "; " if key == "HTTP_COOKIE" else ","
                environ[key] = f"{environ[key]}{separator}{value.decode('latin-1')}"
            else:
                environ[key] = value.decode("latin-1")
        return environ

    def _environ_of(self, client: Client) -> dict[str, Any]:
        environ = self._base.copy()
        environ["SERVER_PROTOCOL"] = "HTTP/1.1"
        environ["SERVER_NAME"], environ["SERVER_PORT"] = client.server_name
        environ["REMOTE_ADDR"] = client.host
        environ["REMOTE_PORT"] = str(client.port)
        environ["wsgi.url_scheme"] = client.scheme
        return environ

    def _key(self, name: bytes) -> str:
        if b"_" in name:
            # HTTP_X_Y could be X-Y or X_Y: an old way past a proxy's rules. nginx drops it, too.
            return ""
        text = name.decode("latin-1").upper().replace("-", "_")
        key = text if text in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{text}"
        if len(self._names) < 1000 and len(name) <= 64:  # clients choose them
            self._names[name] = key
        return key


class Reception:
    """Receives the content of one request, then has it served."""

    def __init__(self, exchange: Exchange, begin: Callable[[Exchange, io.IOBase], None]) -> None:
        assert exchange.request.body is not None
        self._exchange = exchange
        self._body = exchange.request.body
        self._begin = begin
        self._content = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  # the application's, then closed
        self._body.on_change = self._on_change
        self._on_change()

    def _on_change(self) -> None:
        body, exchange = self._body, self._exchange
        if body.pieces:
            try:
                self._content.write(body.take())
            except OSError as error:
                log.error("%s: its content can't be kept: %s", exchange.describe(), error)  # noqa: TRY400
                body.on_change = None
                self._content.close()
                exchange.fail(507)
                return
            exchange.session.body_was_taken()
        if body.failed or exchange.ended:
            body.on_change = None
            self._content.close()
            if not exchange.ended:
                refusal = exchange.session.parser.refusal
                exchange.closes = True
                exchange.fail(400 if refusal is None else refusal.status)
        elif body.complete:
            body.on_change = None
            self._content.seek(0)
            try:
                self._begin(exchange, cast("io.IOBase", self._content))
            except Exception:
                log.exception("%s failed", exchange.describe())
                exchange.fail()


class StreamedInput(io.RawIOBase):
    """wsgi.input of a request whose content is received when the application reads it. For threads."""

    def __init__(self, exchange: Exchange, mailbox: Mailbox) -> None:
        self._exchange = exchange
        self._mailbox = mailbox
        self._arrived = threading.Condition()
        self._pieces: deque[bytes] = deque()
        self._is_over = False
        self._is_asked_for = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with self._arrived:
            if not self._is_asked_for:
                self._is_asked_for = True
                self._mailbox.post(self._ask)
            while not self._pieces and not self._is_over:
                self._arrived.wait()
            if not self._pieces:
                return 0
            piece = self._pieces.popleft()
            size = min(len(buffer), len(piece))
            buffer[:size] = piece[:size]
            if size < len(piece):
                self._pieces.appendleft(piece[size:])
            elif not self._pieces:
                self._mailbox.post(self._ask)
            return size

    def _ask(self) -> None:
        body = self._exchange.request.body
        assert body is not None
        body.on_change = self._take
        self._exchange.want_body()
        self._take()

    def _take(self) -> None:
        body = self._exchange.request.body
        assert body is not None
        with self._arrived:
            if self._pieces:
                return
            if body.pieces:
                self._pieces.append(body.take())
            elif body.complete or body.failed or self._exchange.ended:
                self._is_over = True
            self._arrived.notify()
        self._exchange.session.body_was_taken()


class Run:
    """One call of the application."""

    def __init__(self, exchange: Exchange, heads: Heads) -> None:
        self._exchange = exchange
        self._heads = heads
        self._head: Head | None = None
        self._is_head_sent = False

    def call(self, application: Application, environ: dict[str, Any]) -> None:
        """Call it, and answer with what it gives."""
        raise NotImplementedError

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], None]:
        if exc_info is not None:
            try:
                if self._is_head_sent and exc_info[1] is not None:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self._head is not None:
            raise AssertionError("start_response was called twice, without exc_info")
        self._head = self._heads.of_text(status, headers)
        return self._write

    def _write(self, data: bytes) -> None:
        raise NotImplementedError

    def _need_head(self) -> Head:
        if self._head is None:
            raise ResponseError("start_response was not called")
        return self._head


class InlineRun(Run):
    """A call in the loop; what the client doesn't read at once waits in the iterable."""

    def call(self, application: Application, environ: dict[str, Any]) -> None:
        exchange = self._exchange
        result: Any = None
        try:
            result = application(environ, self._start_response)
            kind = type(result)
            if not self._is_head_sent and (kind is list or kind is tuple) and len(result) == 1:
                exchange.send_whole(self._need_head(), result[0])
                return
            if isinstance(result, FileWrapper) and self._send_file(result):
                _close(result)
                return
        except ResponseError as error:
            _close(result)
            exchange.fail_badly(error)
            return
        except BaseException:  # SystemExit and CancelledError would end the worker
            log.exception("%s failed", exchange.describe())
            _close(result)
            exchange.fail()
            return
        self._stream(result)

    def _stream(self, result: Any) -> None:
        exchange = self._exchange
        pieces = iter(result)

        def go_on() -> None:
            if exchange.ended:
                end()
                return
            try:
                for _ in range(_PIECES_PER_TURN):
                    if exchange.conn.congested:
                        exchange.on_room = turn
                        return
                    piece = next(pieces, None)
                    if piece is None:
                        self._start()
                        end()
                        exchange.finish()
                        return
                    if piece:
                        self._start()
                        exchange.write(piece)
            except ResponseError as error:
                end()
                exchange.fail_badly(error)
            except BaseException:
                log.exception("%s failed", exchange.describe())
                end()
                exchange.fail()
            else:
                exchange.session.service.worker.loop.call_soon(turn)

        def end() -> None:
            exchange.on_room = exchange.on_gone = None
            _close(result)

        def turn() -> None:
            loop = exchange.session.service.worker.loop
            _set_running_loop(None)
            try:
                go_on()
            finally:
                _set_running_loop(loop)

        exchange.on_gone = turn
        go_on()

    def _start(self) -> None:
        if not self._is_head_sent:
            self._is_head_sent = True
            self._exchange.start(self._need_head())

    def _write(self, data: bytes) -> None:
        self._start()
        self._exchange.write(data)

    def _send_file(self, wrapper: FileWrapper) -> bool:
        found = _segment(wrapper)
        if found is None:
            return False
        head = self._need_head()
        offset, count = found
        exchange = self._exchange
        if not self._is_head_sent:
            self._is_head_sent = True
            exchange.start(head if head.length is not None else head.with_length(count))
        exchange.send_file(wrapper.file, offset, count)
        exchange.finish()
        return True


class ThreadRun(Run):
    """A call in a thread; everything that touches the connection is done by the loop."""

    def __init__(self, exchange: Exchange, heads: Heads, mailbox: Mailbox) -> None:
        super().__init__(exchange, heads)
        self._mailbox = mailbox
        self._may_send = threading.Event()
        self._may_send.set()

    def call(self, application: Application, environ: dict[str, Any]) -> None:
        exchange = self._exchange
        content = environ["wsgi.input"]  # ours: a middleware may put another in its place
        result: Any = None
        try:
            if self._exchange.ended:
                return  # the client has gone while its request waited for a thread
            result = application(environ, self._start_response)
            kind = type(result)
            if not self._is_head_sent and (kind is list or kind is tuple) and len(result) == 1:
                self._post(exchange.send_whole, self._need_head(), result[0])
                return
            segment = _segment(result) if isinstance(result, FileWrapper) else None
            if segment is not None and not self._is_head_sent:
                self._send_file(result, *segment)
                return
            for piece in result:
                if exchange.ended:
                    break
                if piece:
                    self._write(piece)
            if not self._is_head_sent:
                self._is_head_sent = True
                self._post(exchange.start, self._need_head())
            self._post(exchange.finish)
        except ResponseError as error:
            self._post(exchange.fail_badly, error)
        except BaseException:
            if not exchange.ended:
                log.exception("%s failed", exchange.describe())
            self._post(exchange.fail)
        finally:
            try:
                _close(result)
            except Exception:
                log.exception("%s failed in close()", exchange.describe())
            content.close()

    def _write(self, data: bytes) -> None:
        if not self._is_head_sent:
            self._is_head_sent = True
            self._post(self._exchange.start, self._need_head())
        # One piece on its way at a time, and none while the client doesn't read.
        self._may_send.wait()
        if self._exchange.ended:
            raise ConnectionResetError("the client has gone")
        self._may_send.clear()
        self._post(self._send, data)

    def _send(self, data: bytes) -> None:
        exchange = self._exchange
        exchange.write(data)
        if exchange.conn.congested:
            exchange.on_room = exchange.on_gone = self._may_send.set
        else:
            self._may_send.set()

    def _send_file(self, wrapper: FileWrapper, offset: int, count: int) -> None:
        head = self._need_head()
        if head.length is None:
            head = head.with_length(count)
        self._is_head_sent = True
        sent = threading.Event()

        def send() -> None:
            try:
                self._guarded(self._transmit, head, wrapper, offset, count)
            finally:
                sent.set()

        self._mailbox.post(send)
        sent.wait()  # the file must not be closed before its descriptor is duplicated

    def _transmit(self, head: Head, wrapper: FileWrapper, offset: int, count: int) -> None:
        self._exchange.start(head)
        self._exchange.send_file(wrapper.file, offset, count)
        self._exchange.finish()

    def _post(self, call: Callable[..., None], *values: Any) -> None:
        self._mailbox.post(lambda: self._guarded(call, *values))

    def _guarded(self, call: Callable[..., None], *values: Any) -> None:
        """Do in the loop what the thread wants done, unless the client has gone."""
        exchange = self._exchange
        if exchange.ended:
            self._may_send.set()
            return
        try:
            call(*values)
        except ResponseError as error:
            exchange.fail_badly(error)
        except Exception:
            log.exception("%s failed", exchange.describe())
            exchange.fail()
        else:
            return
        self._may_send.set()  # else the thread would wait for its piece for ever


def _segment(wrapper: FileWrapper) -> tuple[int, int] | None:
    """Give the part of a regular file that is still to be read; None if it is not one."""
    try:
        fd = wrapper.file.fileno()
        offset = wrapper.file.tell()
        size = wrapper.file.seek(0, io.SEEK_END)
        wrapper.file.seek(offset)
    except (AttributeError, OSError, ValueError):
        return None
    return (offset, size - offset) if fd >= 0 else None


def _close(result: object) -> None:
    close = getattr(result, "close", None)
    if close is not None:
        close()
