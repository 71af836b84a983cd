"""ASGI's lifespan: nothing that an application raises in it is lost, and each is told once, in its own words."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest
from http_client import get, http_toml

from corepool.testing.pool import PoolProcess
from corepool_http.apps.lifespan import Lifespan, LifespanError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, MutableMapping

    from corepool.testing.pools import Pools

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

BOOT_S = 1e6


class PanicError(BaseException):
    """As pyo3's PanicException."""


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Make a loop that belongs to a test."""
    made = asyncio.new_event_loop()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _every_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "corepool_http")


def application(*steps: object) -> Any:
    """Make an application: each step is `receive`, a message to send, or an exception to raise."""

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        assert scope["type"] == "lifespan"
        for step in steps:
            if isinstance(step, BaseException):
                raise step
            if isinstance(step, dict):
                await send(step)
            elif step == "receive":
                scope["state"]["received"] = (await receive())["type"]
            else:
                await asyncio.sleep(0)

    return app


def logged(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name.startswith("corepool_http")]


def told(caplog: pytest.LogCaptureFixture, word: str) -> int:
    return sum(word in caplog.handler.format(record) for record in logged(caplog))


COMPLETE = {"type": "lifespan.startup.complete"}
FAILED = {"type": "lifespan.startup.failed", "message": "the database is away"}
ENDED = {"type": "lifespan.shutdown.complete"}
END_FAILED = {"type": "lifespan.shutdown.failed", "message": "the database has gone"}
START = {"type": "http.response.start", "status": 200}


def test_start_and_end(loop: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture) -> None:
    lifespan = Lifespan(application("receive", COMPLETE, "receive", ENDED), loop, "on")
    lifespan.start_up(BOOT_S)
    assert lifespan.state == {"received": "lifespan.startup"}
    lifespan.shut_down(BOOT_S)
    assert lifespan.state == {"received": "lifespan.shutdown"}
    assert not logged(caplog)


@pytest.mark.parametrize(
    "steps",
    [
        [NotImplementedError("no lifespan")],
        [AssertionError()],
        [],
        ["receive"],
        [START],
        ["receive", START],
    ],
)
def test_an_application_without_a_lifespan(
    loop: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture, steps: list[object]
) -> None:
    """It raises, returns, or answers as if this were a request."""
    lifespan = Lifespan(application(*steps), loop, "auto")
    lifespan.start_up(BOOT_S)
    assert lifespan.state is None
    assert all(record.levelno <= logging.INFO for record in logged(caplog))
    lifespan.shut_down(BOOT_S)
    with pytest.raises(LifespanError):
        Lifespan(application(*steps), loop, "on").start_up(BOOT_S)


def test_a_lifespan_that_is_off_is_never_called(loop: asyncio.AbstractEventLoop) -> None:
    lifespan = Lifespan(application(SystemExit()), loop, "off")
    lifespan.start_up(BOOT_S)
    assert lifespan.state is None
    lifespan.shut_down(BOOT_S)


def test_a_startup_that_raises_is_served_without_but_not_silently(
    loop: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    lifespan = Lifespan(application("receive", RuntimeError("no such table")), loop, "auto")
    lifespan.start_up(BOOT_S)
    assert lifespan.state is None
    [record] = logged(caplog)
    assert "lifespan_startup_failed" in record.getMessage()
    assert record.levelno == logging.ERROR
    assert told(caplog, "no such table") == 1
    with pytest.raises(LifespanError, match="no such table") as refused:
        Lifespan(application("receive", RuntimeError("no such table")), loop, "on").start_up(BOOT_S)
    assert "test_lifespan.py" in str(refused.value)
    assert "corepool_http" not in str(refused.value), "frames of our own"


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), PanicError("at the disco")])
@pytest.mark.parametrize("first", [[], ["receive"]])
def test_exits_and_interrupts_end_the_boot(
    loop: asyncio.AbstractEventLoop, error: BaseException, first: list[object]
) -> None:
    with pytest.raises(LifespanError, match=type(error).__name__):
        Lifespan(application(*first, error), loop, "auto").start_up(BOOT_S)


def test_a_task_of_the_application_that_exits_ends_the_boot(loop: asyncio.AbstractEventLoop) -> None:
    async def exits() -> None:
        raise SystemExit("from a task")

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        tasks.append(asyncio.ensure_future(exits()))
        await receive()
        await asyncio.sleep(3600)
        await send(COMPLETE)
        del scope

    tasks: list[asyncio.Future[None]] = []

    with pytest.raises(LifespanError, match="from a task"):
        Lifespan(app, loop, "auto").start_up(BOOT_S)
    # Retrieved here, for else the collector would log it in another test: in CPython 3.11 the traceback is parsed, and
    # a parser that is interrupted so fails with "AST constructor recursion depth mismatch".
    assert isinstance(tasks[0].exception(), SystemExit)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        (["receive", FAILED], ["the database is away"]),
        (["receive", FAILED, ValueError("the database is away")], ["the database is away"]),
        (["receive", FAILED, ValueError("port 5432")], ["the database is away", "ValueError: port 5432"]),
        (["receive", {"type": FAILED["type"]}, ValueError("port 5432")], ["ValueError: port 5432"]),
        (["receive", {"type": FAILED["type"]}], ["it gave no reason"]),
    ],
)
def test_the_words_of_a_startup_that_failed(
    loop: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture, steps: list[object], words: list[str]
) -> None:
    with pytest.raises(LifespanError) as refused:
        Lifespan(application(*steps), loop, "auto").start_up(BOOT_S)
    for word in words:
        assert str(refused.value).count(word) == 1
    assert not logged(caplog), "the boot tells it"


def test_a_startup_that_never_answers(loop: asyncio.AbstractEventLoop) -> None:
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        while True:
            try:
                await receive() if scope is None else await send({"type": "what?"})
            except RuntimeError:
                pass

    with pytest.raises(LifespanError, match="has not answered"):
        Lifespan(app, loop, "auto").start_up(0.01)


def test_an_error_while_serving_is_logged_once(
    loop: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    lifespan = Lifespan(application("receive", COMPLETE, "sleep", PanicError("the work has failed")), loop, "auto")
    lifespan.start_up(BOOT_S)
    for _ in range(5):
        loop.run_until_complete(asyncio.sleep(0))
    assert told(caplog, "the work has failed") == 1
    assert lifespan.state is not None
    lifespan.shut_down(BOOT_S)
    assert told(caplog, "the work has failed") == 1


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([ValueError("the end has failed")], ["the end has failed"]),
        ([SystemExit("the end has failed")], ["the end has failed"]),
        ([END_FAILED], ["the database has gone"]),
        ([END_FAILED, ValueError("the database has gone")], ["the database has gone"]),
        ([END_FAILED, ValueError("twice")], ["the database has gone", "ValueError: twice"]),
        ([ENDED, ValueError("late")], ["late"]),
    ],
)
def test_an_error_at_the_end_is_logged_once(
    loop: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture, steps: list[object], words: list[str]
) -> None:
    lifespan = Lifespan(application("receive", COMPLETE, "receive", *steps), loop, "auto")
    lifespan.start_up(BOOT_S)
    lifespan.shut_down(BOOT_S)
    for word in words:
        assert told(caplog, word) == 1, caplog.text


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([COMPLETE, COMPLETE], "startup.complete was sent, but not when"),
        ([COMPLETE, ENDED], "shutdown.complete was sent, but not when"),
        ([ENDED], "shutdown.complete was sent, but not when"),
        ([{"type": "lifespan.startup"}], "is no message of a lifespan"),
        ([{"type": "lifespan.what.complete"}], "was sent, but not when"),
        ([{"kind": "x"}], "without a 'type'"),
    ],
)
def test_messages_out_of_turn_are_told_to_the_application(
    loop: asyncio.AbstractEventLoop, steps: list[Message], words: str
) -> None:
    caught = []

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await receive()
        try:
            for step in steps:
                await send(step)
        except Exception as error:  # noqa: BLE001  # whatever it is
            caught.append(str(error))
        if COMPLETE not in steps:
            await send(COMPLETE)
        assert (await receive())["type"] == "lifespan.shutdown"
        await send(ENDED)
        del scope

    lifespan = Lifespan(app, loop, "on")
    lifespan.start_up(BOOT_S)
    lifespan.shut_down(BOOT_S)
    assert words in caught[0]


def test_after_the_end_nothing_more_is_received(loop: asyncio.AbstractEventLoop) -> None:
    received = []

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            received.append(message["type"])
            await send({"type": f"{message['type']}.complete"})
            del scope, message
            scope = {}

    lifespan = Lifespan(app, loop, "on")
    lifespan.start_up(BOOT_S)
    lifespan.shut_down(BOOT_S)
    assert received == ["lifespan.startup", "lifespan.shutdown"]


APPLICATIONS = """
import asyncio, os

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        if os.environ.get("TEST_FAILS"):
            raise KeyboardInterrupt("not like this")
        scope["state"]["n"] = 1
        await send({"type": "lifespan.startup.complete"})
        raise ValueError("the background work has failed")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"%d" % scope["state"]["n"]})
"""


def test_requests_are_served_after_the_lifespan_has_failed(pool: Pools) -> None:
    toml = http_toml(target="application:app")
    running = pool(toml, files={"application.py": APPLICATIONS}, traceback=True)
    running.wait_logged("ValueError: the background work has failed")
    assert get(running, "/").body == b"1"
    running.send_signal(15)
    assert running.wait() == 0
    assert running.stderr.count("ValueError: the background work has failed") == 1


def test_a_boot_that_fails_shows_the_applications_traceback_once() -> None:
    toml = http_toml(target="application:app", workers=2)
    files = {"application.py": APPLICATIONS}
    with PoolProcess.run(toml, files=files, environment={"TEST_FAILS": "yes"}, wait=False) as running:
        assert running.wait() == 3
        assert running.stderr.count("KeyboardInterrupt: not like this") == 1
        assert "application.py" in running.stderr
        assert "lifespan.py" not in running.stderr, "frames of our own"
