"""FUNCTION RESTORE keeps all libraries of a dump, or changes nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from kv_stores import changing, opened, reading

from corepool_kv.engine.errors import ValueTooLongError
from corepool_kv.engine.keyspace import Keyspace, Limits
from corepool_kv.redis.commands.dumping import MAX_DUMP_BYTES
from corepool_kv.redis.commands.functions import Functions, dump
from corepool_kv.redis.dumps import dump_of_libraries
from corepool_kv.redis.replies import Error
from corepool_kv.redis.scripts.functions import MAX_LIBRARIES, Libraries, Listed

if TYPE_CHECKING:
    from pathlib import Path

SERVER: Any = SimpleNamespace(parameters={"busy-reply-threshold": "5000"})
SHORT = Limits(key=100, value=400, reply=10_000)


class PlayedScripting:
    """Scripts whose every word is a function."""

    def __init__(self) -> None:
        self.libraries_run = 0

    def runtime(self, server: object) -> PlayedScripting:  # noqa: ARG002
        return self

    def functions_of(self, text: bytes, seconds: float) -> dict[bytes, Any]:  # noqa: ARG002
        self.libraries_run += 1
        return {name: SimpleNamespace(name=name, flags=(), description=None) for name in text.split()}


def library(name: str, functions: str) -> bytes:
    return f"#!lua name={name}\n{functions}".encode()


@pytest.mark.parametrize(
    ("texts", "how"),
    [
        ([library("x", "f"), library("y", "f")], b"FLUSH"),
        ([library(f"x{number}", f"f{number}") for number in range(MAX_LIBRARIES + 1)], b"FLUSH"),
        ([library("x", " ".join(f"f{number}" for number in range(1001)))], b"FLUSH"),
        ([library("a", "f"), library("x", "f2" + " " * 400)], b"FLUSH"),
        ([library("a", "f"), library("x", "f2" + " " * 400)], b"REPLACE"),
        ([library("a", "f1"), library("x", " ".join("abcdefghijklmnopqrstuvwxyz"))], b"REPLACE"),  # too long a list
    ],
)
def test_a_dump_that_is_refused_changes_nothing(texts: list[bytes], how: bytes, tmp_path: Path) -> None:
    scripting: Any = PlayedScripting()
    functions = Functions(scripting)
    session: Any = None
    with opened("memory:", tmp_path) as store:
        with changing(store) as db:
            functions.load(SERVER, session, db, [library("a", "first second")])
        with changing(store) as db, pytest.raises((Error, ValueTooLongError)):
            functions.restore(SERVER, session, Keyspace(db.view, SHORT, db.now_ms), [dump_of_libraries(texts), how])
        with reading(store) as db:
            kept = Libraries(db)
            assert {name: [each.name for each in listed] for name, listed in kept.all.items()} == {
                "a": ["first", "second"]
            }
            assert [kept.text(name) for name in kept.all] == [library("a", "first second")]


def test_no_more_libraries_of_a_dump_are_run_than_a_store_may_have(tmp_path: Path) -> None:
    scripting: Any = PlayedScripting()
    session: Any = None
    dumped = dump_of_libraries([library(f"x{number}", f"f{number}") for number in range(10 * MAX_LIBRARIES)])
    with opened("memory:", tmp_path) as store, changing(store) as db, pytest.raises(Error):
        Functions(scripting).restore(SERVER, session, db, [dumped])
    assert scripting.libraries_run == MAX_LIBRARIES


def test_what_is_too_long_to_be_dumped_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    text = Libraries.text
    monkeypatch.setattr(Libraries, "text", lambda self, name: read.append(name) or text(self, name))
    session: Any = None
    with opened("memory:", tmp_path) as store, changing(store) as db:
        for number in range(5):
            Libraries(db).put(f"x{number}", bytes(MAX_DUMP_BYTES // 2), [Listed(f"f{number}", (), None)])
        with pytest.raises(Error, match="not serialized"):
            dump(SERVER, session, db, [])
    assert read == ["x0", "x1"]
