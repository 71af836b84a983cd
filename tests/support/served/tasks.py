"""Looks at its own task, context, and calls of receive() and send(), and answers with what it has seen."""

import asyncio
import contextvars
import copy
import inspect
import json
from collections.abc import Coroutine

NAME = contextvars.ContextVar("name", default="")
kept = []
START = {"type": "http.response.start", "status": 200, "headers": []}
PIECE = {"type": "http.response.body", "body": b"", "more_body": True}


async def task(_receive, _send):
    """Leave every trace on the task that there may be, and tell of those of the request before."""
    current = asyncio.current_task()
    return [
        current in asyncio.all_tasks() or not current.done(),
        getattr(current, "attribute", None),
        current.get_name() == "changed",
        current.cancelling(),
        NAME.get(),
        current in kept,
    ]


async def mark(_receive, _send):
    NAME.set("of another request")


async def keep(_receive, _send):
    kept.append(asyncio.current_task())


async def name(_receive, _send):
    asyncio.current_task().set_name("changed")


async def attribute(_receive, _send):
    asyncio.current_task().attribute = "of another request"


async def call_back(_receive, _send):
    asyncio.current_task().add_done_callback(lambda done: kept.append(done.done()))


async def cancel(_receive, _send):
    asyncio.current_task().cancel()
    asyncio.current_task().uncancel()


async def cancel_and_wait(_receive, _send):
    asyncio.current_task().cancel()
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        asyncio.current_task().uncancel()
        return "cancelled"
    return "not cancelled"


async def time_out(_receive, _send):
    try:
        async with asyncio.timeout(0):
            await asyncio.sleep(60)
    except TimeoutError:
        return "timed out"
    return "not timed out"


async def groups(_receive, _send):
    async def one():
        NAME.set("of a task of its own")
        return asyncio.current_task()

    async with asyncio.TaskGroup() as group:
        made = group.create_task(one())
    return [made.result() is not asyncio.current_task(), NAME.get()]


async def waits(_receive, _send):
    NAME.set("before")
    current, before = asyncio.current_task(), list(asyncio.all_tasks())
    await asyncio.sleep(0)
    return [NAME.get(), asyncio.current_task() is current, current in asyncio.all_tasks(), len(before) >= 0]


async def called(receive, send):
    call = receive()
    kinds = [inspect.iscoroutine(call), asyncio.iscoroutine(call), isinstance(call, Coroutine), call.__qualname__]
    message = await call
    try:
        await call
    except RuntimeError as error:
        kinds.append(str(error))
    functions = [inspect.iscoroutinefunction(each) and asyncio.iscoroutinefunction(each) for each in (receive, send)]
    return [kinds, functions, list(inspect.signature(send).parameters), message["type"]]


async def wrapped(receive, send):
    await asyncio.create_task(send(START))
    done = await asyncio.wait_for(send(PIECE), 60)
    received = await asyncio.gather(receive())
    never = send({"type": "never sent"})
    never.close()
    waiting = asyncio.create_task(receive())
    await asyncio.sleep(0)
    waiting.cancel()
    ended = await asyncio.gather(waiting, return_exceptions=True)
    return [done, received[0]["type"], [type(each).__name__ for each in ended]]


async def fails(_receive, send):
    failures = []
    for message in ({"type": "http.response.trailers"}, {}, None, {"type": "http.response.start", "status": "x"}):
        try:
            await send(message)
        except Exception as error:
            failures.append(type(error).__name__)
    task = asyncio.create_task(send({}))
    await asyncio.wait({task})
    return [*failures, type(task.exception()).__name__]


async def forgets(_receive, send):
    send(START)
    return "nothing was sent"


def thrown(coroutine, arguments):
    """Return the exceptions of throw(), and of a second one."""
    told = []
    for _ in range(2):
        try:
            coroutine.throw(*arguments)
        except BaseException as error:
            told.append([type(error).__name__, str(error) if arguments else ""])
    coroutine.close()
    return told


async def throws(receive, _send):
    async def of_python():
        pass

    error = ValueError("told")
    for arguments in ((), (ValueError,), (ValueError, "told"), (ValueError, error), (error, None, None), (5,), (str,)):
        told = [thrown(each, arguments) for each in (receive(), of_python())]
        if told[0] != told[1]:
            return told
    return "as of Python"


async def copies(receive, _send):
    call = receive()
    try:
        return type(copy.copy(call)).__name__
    except TypeError:
        return "no copy"
    finally:
        call.close()


class Received:
    """An awaitable that is written without `async`."""

    def __init__(self, receive):
        self.receive = receive

    def __await__(self):
        message = yield from self.receive().__await__()
        return message["type"]


async def yields_from(receive, _send):
    waiting = asyncio.ensure_future(asyncio.wait_for(Received(receive), 60))
    return await waiting


class Changing:
    """Is false, and changes the message that it stands in."""

    def __init__(self, message):
        self.message = message

    def __bool__(self):
        size = len(self.message["body"])
        self.message.clear()
        kept.extend(b"x" * size for _ in range(100))
        return False


async def changing(_receive, send):
    await send(START)
    content = json.dumps("a" * 100)
    message = {"type": "http.response.body", "body": content.encode()}
    message["more_body"] = Changing(message)
    await send(message)


async def keep_coroutine(_receive, _send):
    kept.append(asyncio.current_task().get_coro())


async def close_kept(_receive, _send):
    kept.pop().close()


async def close(_receive, _send):
    asyncio.get_running_loop().call_soon(asyncio.current_task().get_coro().close)
    try:
        await asyncio.sleep(60)
    finally:
        raise ValueError("instead of GeneratorExit")


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise NotImplementedError
    what = scope["path"].strip("/")
    told = len(kept) if what == "kept" else await globals()[what](receive, send)
    if what == "changing":
        return
    if what != "wrapped":
        await send(START)
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})


class Called:
    """An application that is no coroutine function, and whose awaitable is no coroutine."""

    def __init__(self, scope, receive, send):
        self.scope, self.receive, self.send = scope, receive, send

    def __await__(self):
        return app(self.scope, self.receive, self.send).__await__()
