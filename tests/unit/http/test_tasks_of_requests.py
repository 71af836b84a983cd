"""A request has a task and a context of its own, and its calls are coroutines, on both builds."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from framed_client import from_http1
from http_client import APPLICATIONS, request

from corepool_http import Http, HttpOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool.testing.conversation import Conversations

    Ask = Callable[[str], Any]


@pytest.fixture
def ask(connection: Conversations) -> Ask:
    return asks(connection, "app")


def asks(connection: Conversations, name: str) -> Ask:
    options = HttpOptions.model_validate({"target": f"tasks:{name}", "directory": str(APPLICATIONS)})
    client = connection(Http(options))

    def ask(what: str) -> Any:
        client.send(request(f"/{what}", close=False))
        return json.loads(from_http1(client.receive(), "GET").content)

    return ask


@pytest.mark.parametrize("trace", ["mark", "keep", "name", "attribute", "call_back", "cancel", "waits", "fails"])
def test_a_request_finds_no_trace_of_the_one_before(ask: Ask, trace: str) -> None:
    ask("task")
    ask(trace)
    assert ask("task") == [True, None, False, 0, "", False]


def test_the_callback_of_a_task_is_called_when_its_request_has_ended(ask: Ask) -> None:
    before = ask("kept")
    ask("call_back")
    assert ask("kept") == before + 1


def test_a_task_that_cancels_itself_is_cancelled_where_it_waits(ask: Ask) -> None:
    assert ask("cancel_and_wait") == "cancelled"
    assert ask("time_out") == "timed out"
    assert ask("task") == [True, None, False, 0, "", False]


def test_a_context_goes_on_when_its_request_has_waited(ask: Ask) -> None:
    assert ask("waits") == ["before", True, True, True]
    assert ask("groups") == [True, ""]


def test_calls_are_coroutines_and_their_functions_coroutine_functions(ask: Ask) -> None:
    kinds, functions, parameters, message = ask("called")
    assert kinds[:3] == [True] * 3
    assert kinds[3:] == ["Cycle.receive", "cannot reuse already awaited coroutine"]
    assert (functions, parameters, message) == ([True, True], ["message"], "http.request")


def test_calls_may_be_tasks_and_be_cancelled(ask: Ask) -> None:
    assert ask("wrapped") == [None, "http.request", ["CancelledError"]]


def test_mistakes_are_raised_where_a_call_is_awaited(ask: Ask) -> None:
    assert ask("fails") == ["RuntimeError", *["ResponseError"] * 4]


def test_throw_takes_what_that_of_a_coroutine_takes(ask: Ask) -> None:
    assert ask("throws") == "as of Python"


def test_calls_can_not_be_copied(ask: Ask) -> None:
    assert ask("copies") == "no copy"


def test_calls_may_be_yielded_from(ask: Ask) -> None:
    assert ask("yields_from") == "http.request"


def test_content_is_whole_that_its_message_loses_meanwhile(ask: Ask) -> None:
    assert ask("changing") == "a" * 100


def test_the_coroutine_of_a_request_has_nothing_to_do_with_the_next(ask: Ask) -> None:
    ask("task")
    ask("keep_coroutine")
    assert ask("close_kept") is None


def test_a_request_whose_coroutine_is_closed_is_answered(connection: Conversations) -> None:
    options = HttpOptions.model_validate({"target": "tasks:app", "directory": str(APPLICATIONS)})
    client = connection(Http(options))
    client.send(request("/close"))
    assert client.receive().startswith(b"HTTP/1.1 500")


def test_an_application_may_be_any_callable(connection: Conversations) -> None:
    ask = asks(connection, "Called")
    assert ask("waits") == ["before", True, True, True]


def test_a_call_that_is_never_awaited_does_nothing_and_is_warned_of(ask: Ask) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert ask("forgets") == "nothing was sent"
    assert [str(each.message) for each in told] == ["coroutine 'Cycle.send' was never awaited"]
