"""Events and other records, as text and as JSON: fields are read back as they were, whatever they hold."""

from __future__ import annotations

import json
import logging
import math
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepool.logs.event import RESERVED, Event, EventMessage, event
from corepool.logs.formatters import JsonFormatter, TextFormatter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
