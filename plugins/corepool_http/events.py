"""Events of HTTP: `request` is the method and the target."""

from __future__ import annotations

import logging

from corepool import event


@event(logging.INFO)
def factory_called(*, target: str) -> None:
    """The target is a function that returns the application: its signature is no application's."""


@event(logging.ERROR)
def request_failed(*, request: str) -> None:
    """The application has raised an exception; the request is answered with 500, or its connection is closed."""


@event(logging.WARNING)
def loop_blocked(*, request: str, seconds: float, advice: str) -> None:
    """An application has kept the worker's loop for longer than `slow_call`; logged once a minute in each worker.

    No other connection of the worker was served meanwhile. With `threads` (`--threads 4`) they are, for WSGI; a handler
    of ASGI that waits or computes belongs into a thread of its framework. Of ASGI, `request` is `unknown, one of
    GET /a, GET /b` when several were served that had waited before: which of them, or which task of the application's
    own, has kept the loop is not known.
    """


@event(logging.ERROR)
def response_invalid(*, request: str, reason: object) -> None:
    """The application's response can't be sent as it is; the request is answered with 500, or cut."""


@event(logging.ERROR)
def response_missing(*, request: str) -> None:
    """The application has returned without ending its response, or without answering the handshake of a WebSocket."""


@event(logging.ERROR)
def response_too_short(*, request: str, missing: int) -> None:
    """The content of a response is shorter than its Content-Length; the connection is closed."""


@event(logging.ERROR)
def response_too_long(*, request: str) -> None:
    """The content of a response is longer than its Content-Length; it is cut."""


@event(logging.WARNING)
def response_content_left_out(*, request: str, status: int) -> None:
    """The application sends content with a status that has none; it is left out."""


@event(logging.ERROR)
def response_close_failed(*, request: str) -> None:
    """The `close()` of the application's iterable has raised an exception."""


@event(logging.ERROR)
def request_content_not_kept(*, request: str, reason: object) -> None:
    """The content of a request can't be written to a temporary file; the request is answered with 507."""


@event(logging.DEBUG)
def client_gone(*, request: str, error: object) -> None:
    """The client has closed the connection before its request was answered."""


@event(logging.WARNING)
def file_not_read(*, request: str, reason: object) -> None:
    """A file can't be opened or read; the request is answered with 500."""


@event(logging.DEBUG)
def websocket_handshake_invalid(*, request: str, reason: object) -> None:
    """The handshake of a WebSocket is invalid, and the application is not called."""


@event(logging.DEBUG)
def websocket_pong_missing(*, request: str, interval_s: float) -> None:
    """The client has not answered a ping in time; the connection is aborted."""


@event(logging.WARNING)
def http2_abused(*, conn: int, peer: object, kind: str, reason: str) -> None:
    """A client sends more of something than any client needs, such as resets; its connection of HTTP/2 is closed.

    It is told so by GOAWAY with ENHANCE_YOUR_CALM. `kind` is counted by `corepool_http2_abuse_total`.
    """


@event(logging.DEBUG)
def http2_failed(*, conn: int, peer: object, reason: str) -> None:
    """A client breaks the rules of HTTP/2; its connection is closed."""


@event(logging.DEBUG)
def http2_stream_timed_out(*, conn: int, stream: int) -> None:
    """A client has taken none of a response for `write_timeout`; the stream is reset."""


@event(logging.WARNING)
def requests_abandoned(*, requests: int) -> None:
    """The worker ends, and tasks of the application refuse to be cancelled; they end with the worker."""


@event(logging.ERROR)
def application_task_failed() -> None:
    """A task of the application has raised an exception while the worker ends."""


@event(logging.INFO)
def lifespan_missing(*, reason: str) -> None:
    """The application has no lifespan."""


@event(logging.ERROR)
def lifespan_startup_failed() -> None:
    """The application has raised an exception at lifespan.startup, and is served without it.

    `lifespan.startup.failed`, or the option `lifespan = "on"`, would end the boot.
    """


@event(logging.ERROR)
def lifespan_failed() -> None:
    """The application's lifespan has ended with an exception; requests are still served."""


@event(logging.ERROR)
def lifespan_shutdown_overdue(*, seconds: float) -> None:
    """The application has not shut down in time."""


@event(logging.ERROR)
def lifespan_shutdown_failed(*, reason: str | None = None) -> None:
    """The application failed to shut down."""
