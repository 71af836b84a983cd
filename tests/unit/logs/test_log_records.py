"""Events and other records, as text and as JSON: fields are read back as they were, whatever they hold."""

from __future__ import annotations

import json
import logging
import math
import os
import re
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepool.logs.event import RESERVED, Event, EventMessage, event
from corepool.logs.formatters import JsonFormatter, TextFormatter
from corepool.logs.log import LogHandler

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

log = logging.getLogger("corepool.test")

FIELD = re.compile(r' (\w+)=("(?:[^"\\]|\\.)*"|[^\s"=\\]+)')


@event(logging.WARNING)
def worker_lost(*, slot: str, pid: int, peer: object = None, uptime_s: float = 0.0) -> None:
    """A worker has ended,
    and its connections with it.
    """


@event(logging.DEBUG)
def detail(*, value: object) -> None:
    """A detail."""


class Recorder(logging.Handler):
    """Keeps records."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


class Silent:
    """A value that can't be written."""

    def __str__(self) -> str:
        raise RuntimeError("on purpose")


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    handler = Recorder()
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield handler
    log.removeHandler(handler)
    log.setLevel(logging.NOTSET)


def parse(line: str) -> tuple[str, dict[str, str]]:
    """Read a line of text back, as docs/operations.md says that it can be."""
    _, _, _, name, *_ = line.split(" ", 4)
    rest = line[line.index(f" {name}") + 1 + len(name) :]
    found = FIELD.findall(rest)
    assert "".join(f" {key}={value}" for key, value in found) == rest
    return name, {key: json.loads(value) if value.startswith('"') else value for key, value in found}


def record_of(fields: Mapping[str, object], traceback: str | None = None) -> logging.LogRecord:
    kind: Event[...] = Event("it_happened", logging.INFO, tuple(fields), "")
    return logging.makeLogRecord({"msg": EventMessage(kind, fields, traceback), "levelname": "INFO"})


NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).filter(lambda name: name not in RESERVED)
TEXTS = st.text(st.characters(codec=None, categories=None))  # lone surrogates are in it, as of file names


@given(st.dictionaries(NAMES, TEXTS))
def test_a_line_of_text_is_read_back_as_it_was_and_is_one_line(fields: dict[str, str]) -> None:
    line = TextFormatter().format(record_of(fields))

    assert len(line.splitlines()) == 1
    assert parse(line) == ("it_happened", fields)


@given(st.dictionaries(NAMES, TEXTS | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()))
def test_an_object_is_read_back_as_it_was_and_is_one_line(fields: dict[str, object]) -> None:
    line = JsonFormatter().format(record_of(fields))

    assert len(line.splitlines()) == 1
    read = json.loads(line)
    assert {name: read[name] for name in fields} == fields
    assert list(read) == ["time", "level", "process", "logger", "event", *fields]


CIRCULAR: list[object] = []
CIRCULAR.append(CIRCULAR)
ODD = st.recursive(
    st.none() | st.floats() | st.just(Silent()) | st.binary() | st.integers() | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS | st.integers() | st.tuples(st.integers()), inner),
    max_leaves=5,
) | st.sampled_from([CIRCULAR, 10**5000])
KEYS = NAMES | st.sampled_from(RESERVED) | TEXTS


@given(st.dictionaries(KEYS, ODD), st.booleans())
def test_what_an_application_adds_are_keys_that_replace_none_and_break_no_line(
    extra: dict[str, object],
    has_message: bool,  # noqa: FBT001
) -> None:
    of_logging = {*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName"}
    extra = {name: value for name, value in extra.items() if name not in of_logging}
    record = logging.makeLogRecord({"levelname": "INFO", "name": "app", "msg": "said" if has_message else ""})
    record.__dict__.update(extra)

    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is no JSON")

    line = JsonFormatter().format(record)

    assert len(line.splitlines()) == 1
    read = json.loads(line, parse_constant=refuse)
    assert read["logger"] == "app"
    assert read["level"] == "info"
    assert read["message"] == record.getMessage()
    assert len(read) == 5 + len(extra)
    assert set(read) >= extra.keys() - set(RESERVED)


def test_values_that_json_does_not_have_are_text() -> None:
    record = logging.makeLogRecord({"msg": "m", "one": math.nan, "two": {1}, "three": Silent(), "four": [{2}]})

    read = json.loads(JsonFormatter().format(record))

    assert read["one"] == "nan"
    assert read["two"] == "{1}"
    assert read["three"] == "<Silent that can't be written>"
    assert read["four"] == ["{2}"]


def test_the_line_of_text_is_that_of_the_record_whatever_the_application_adds() -> None:
    record = logging.makeLogRecord({"msg": "all of %s", "args": ("it",), "request": Silent()})

    assert TextFormatter().format(record).endswith("] all of it")


def test_an_event_has_the_name_fields_and_meaning_of_its_function() -> None:
    assert worker_lost.name == "worker_lost"
    assert worker_lost.level == logging.WARNING
    assert worker_lost.fields == ("slot", "pid", "peer", "uptime_s")
    assert worker_lost.meaning == "A worker has ended, and its connections with it."


@pytest.mark.parametrize("name", RESERVED)
def test_no_event_has_a_field_that_each_record_has(name: str) -> None:
    with pytest.raises(ValueError, match=f"event odd: {name}: each record has a key of that name"):
        Event("odd", logging.INFO, ("pid", name), "")


def test_a_record_is_of_the_place_that_has_logged_it_and_reads_well_for_other_handlers(recorder: Recorder) -> None:
    worker_lost(log, slot="web/0", pid=12, peer="two words", uptime_s=1.5)
    worker_lost(log, slot="", pid=12)

    first, second = recorder.records
    assert first.getMessage() == 'worker_lost slot=web/0 pid=12 peer="two words" uptime_s=1.5'
    assert second.getMessage() == 'worker_lost slot="" pid=12'
    assert first.levelno == logging.WARNING
    assert first.filename == "test_log_records.py"
    assert first.name == "corepool.test"


def test_an_event_below_the_level_looks_at_no_value(recorder: Recorder) -> None:
    detail(log, value=Silent())

    assert recorder.records == []


def test_a_value_that_cannot_be_written_spoils_no_other(recorder: Recorder) -> None:
    worker_lost(log, slot="0", pid=12, peer=Silent())

    assert recorder.records[0].getMessage() == 'worker_lost slot=0 pid=12 peer="<Silent that can\'t be written>"'


def test_a_traceback_stays_with_its_record(recorder: Recorder) -> None:
    try:
        int("none")
    except ValueError as error:
        worker_lost.exception(log, error, slot="0", pid=12)
    worker_lost.report(log, "Traceback\n  of another process", slot="0", pid=13)

    of_this, of_another = recorder.records
    assert json.loads(JsonFormatter().format(of_this))["traceback"].endswith(
        "invalid literal for int() with base 10: 'none'"
    )
    assert json.loads(JsonFormatter().format(of_another))["traceback"] == "Traceback\n  of another process"
    first, *others = TextFormatter().format(of_this).splitlines()
    assert first.endswith("worker_lost slot=0 pid=12")
    assert others[0] == "    Traceback (most recent call last):"
    assert TextFormatter().format(of_another).splitlines()[1:] == ["    Traceback", "      of another process"]


def test_an_exception_whose_class_hides_its_traceback_is_logged_with_it(recorder: Recorder) -> None:
    class HiddenError(Exception):
        def __getattribute__(self, name: str) -> object:
            if name == "__traceback__":
                raise ValueError("on purpose")
            return super().__getattribute__(name)

    def fail() -> None:
        raise HiddenError

    try:
        fail()
    except HiddenError as error:
        worker_lost.exception(log, error, slot="0", pid=12)

    assert ", in fail" in TextFormatter().format(recorder.records[0])


def refused_values() -> Iterator[logging.LogRecord]:
    """Make records whose values don't fit their text, or can't be written."""
    try:
        int("none")
    except ValueError:
        exc_info = sys.exc_info()
    for message, args in (("%d of it", ("x",)), ("%s and %s", ("one",)), ("none", ("one",)), ("%s", (Silent(),))):
        record = logging.LogRecord("app", logging.INFO, __file__, 1, message, args, exc_info, sinfo="Stack\n  here")
        record.__dict__["request"] = 7
        yield record


@pytest.mark.parametrize("record", list(refused_values()))
def test_values_that_do_not_fit_their_text_cost_a_record_nothing_else(record: logging.LogRecord) -> None:
    told = f"{record.msg} (its values can't be written)"
    read = json.loads(JsonFormatter().format(record))
    record.exc_text = None
    first, *others = TextFormatter().format(record).splitlines()

    assert read["message"] == told
    assert read["request"] == 7
    assert read["traceback"].endswith("ValueError: invalid literal for int() with base 10: 'none'")
    assert read["stack_info"] == "Stack\n  here"
    assert first.endswith(f"] {told}")
    assert others[0] == "    Traceback (most recent call last):"
    assert others[-3:] == [
        "    ValueError: invalid literal for int() with base 10: 'none'",
        "    Stack",
        "      here",
    ]


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_an_exc_info_without_an_exception_costs_a_record_nothing_else(formatter: logging.Formatter) -> None:
    record = logging.makeLogRecord({"msg": "kept", "exc_info": (1, 2, 3)})

    assert "kept" in formatter.format(record)
    assert "its traceback can't be written" in formatter.format(record)


def test_a_traceback_that_came_as_text_is_written() -> None:
    """As `logging.handlers.SocketHandler` sends it."""
    record = logging.makeLogRecord({"msg": "m", "exc_info": None, "exc_text": "Traceback\n  elsewhere"})

    assert json.loads(JsonFormatter().format(record))["traceback"] == "Traceback\n  elsewhere"
    assert TextFormatter().format(record).endswith("] m\n    Traceback\n      elsewhere")


@given(st.lists(st.floats(0, 4_000_000_000, allow_nan=False), min_size=1, max_size=5))
def test_the_time_of_a_record_is_its_own(moments: list[float]) -> None:
    """The text of the last second is kept."""
    text, as_json = TextFormatter(), JsonFormatter()
    for created in moments:
        record = logging.makeLogRecord({"msg": "m", "created": created, "msecs": created % 1 * 1000 // 1})
        expected = datetime.fromtimestamp(created // 1, UTC).strftime("%Y-%m-%dT%H:%M:%S")

        assert json.loads(as_json.format(record))["time"] == f"{expected}.{int(record.msecs):03d}Z"
        assert text.format(record).startswith(f"{expected}.{int(record.msecs):03d}Z ")


def test_a_formatter_of_an_application_that_fails_costs_no_line(tmp_path: Path) -> None:
    handler = LogHandler(str(tmp_path / "log"), JsonFormatter())
    handler.setFormatter(logging.Formatter("%(request)s %(message)s"))
    handler.emit(logging.makeLogRecord({"msg": "one", "request": 1}))
    handler.emit(logging.makeLogRecord({"msg": "two"}))
    os.close(handler.fd)

    first, second = (tmp_path / "log").read_text().splitlines()
    assert first == "1 one"
    assert json.loads(second)["message"] == "two"
