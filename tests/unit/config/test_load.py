"""Files and flags to settings, or to all of their mistakes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from settings_of import load_settings

from corepool.config.load import Overrides, parse_draft, read_draft
from corepool.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

ECHO = """
[[listener]]
name = "echo"
bind = ["tcp://127.0.0.1:0"]
protocol = "echo"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "corepool.toml"
    path.write_text(ECHO)
    return path


def error_of(path: Path, overrides: Overrides | None = None) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_settings(path, overrides)
    return caught.value


def test_a_right_file_gives_settings_with_defaults(config: Path) -> None:
    settings = load_settings(config)

    assert settings.listener[0].bind == ("tcp://127.0.0.1:0",)
    assert settings.pool.workers == "auto"
    assert settings.pool.drain_timeout == 30.0


def test_a_missing_file_is_named_with_the_systems_reason(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.toml"

    assert str(error_of(path)) == f"{path}: can't be read: No such file or directory"


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    assert error_of(tmp_path).mistakes == ("can't be read: Is a directory",)


def test_a_file_without_permission_is_named(config: Path) -> None:
    config.chmod(0)
    euid = os.geteuid()
    if euid == 0:
        config.parent.parent.parent.chmod(0o755)  # the folders above are root's own
        config.parent.parent.chmod(0o755)
        config.parent.chmod(0o755)
        os.seteuid(65534)  # root may read everything
    try:
        assert error_of(config).mistakes == ("can't be read: Permission denied",)
    finally:
        os.seteuid(euid)


def test_a_syntax_error_has_line_and_column(config: Path) -> None:
    config.write_text("[pool]\nworkers = = 3\n")

    assert str(error_of(config)) == f"{config}:2: not TOML: Invalid value (at line 2, column 11)"


def test_a_file_that_is_no_text_says_where(config: Path) -> None:
    config.write_bytes(b"[pool]\n# caf\xe9\n")

    assert error_of(config).mistakes == ("not UTF-8 text: line 2 has the byte 0xe9",)
    assert error_of(config).places == (f"{config}:2",)


@pytest.mark.parametrize(
    "content",
    [
        "a = " + "[" * 20_000,
        "a = " + "9" * 5_000,
        "a." * 20_000 + "a = 1",
        "a." * 600 + "a = 1",
        "x = 'a\0b'",
        "a = 1\na = 2",
    ],
    ids=["deep array", "long number", "very deep table", "deep table", "NUL", "key twice"],
)
def test_hostile_content_is_an_error_in_words(config: Path, content: str) -> None:
    config.write_text(content)

    assert error_of(config).mistakes


def test_a_device_that_never_ends_is_no_configuration() -> None:
    from pathlib import Path  # noqa: PLC0415

    assert "is it really a configuration?" in str(error_of(Path("/dev/zero")))


def test_every_mistake_is_told_at_once_and_none_twice(config: Path) -> None:
    config.write_text("""
[pool]
workers = "x"
[[listener]]
name = "a"
bind = ["tcp://127.0.0.1:1", "foo", 3, "tcp://127.0.0.1:0", "tcp://127.0.0.1:0"]
protocol = "echo"
extensions = ["auth"]
extension_options = { auht = {} }
[[listener]]
name = "a"
bind = ["tcp://127.0.0.1:1", "tcp://u@h:1"]
protcol = "echo"
""")

    error = error_of(config)
    assert error.mistakes == (
        'pool.workers = "x": expected a whole number or "auto" or a table',
        'listener[0].name = "a": another listener has this name',
        "listener[0].bind[2] = 3: expected text in quotes",
        (
            'listener[0].bind[1] = "foo": not a URL; expected scheme://..., such as tcp://127.0.0.1:8000, '
            "or HOST:PORT, such as [::1]:8000"
        ),
        "listener[0].extension_options.auht: it is not among the extensions of this listener (did you mean 'auth'?)",
        "listener[1].protocol: missing; it has no default",
        'listener[1].name = "a": another listener has this name',
        'listener[1].bind[0] = "tcp://127.0.0.1:1": already bound by listener[0].bind[0]',
        'listener[1].bind[1] = "tcp://u@h:1": user names and #fragments have no meaning here',
        "listener[1].protcol: unknown key (did you mean 'protocol'?)",
    )
    lines = [place and int(place.rpartition(":")[2]) for place in error.places]
    assert lines == [3, 5, 6, 6, 9, 10, 11, 12, 12, 13], "missing: the line of its table"


def test_a_listener_that_is_no_table_does_not_hide_the_mistakes_of_the_others(config: Path) -> None:
    config.write_text('listener = [3, {name = "a", bind = ["nope"], protocol = "echo"}]')

    first, second = error_of(config).mistakes
    assert first == "listener[0] = 3: expected a table"
    assert second.startswith('listener[1].bind[0] = "nope": not a URL')


def test_flags_take_the_place_of_the_files_values(config: Path) -> None:
    config.write_text('[pool]\nworkers = 1\ndispatcher = "a"\ndispatcher_options = {x = 1}\n' + ECHO)

    settings = load_settings(config, Overrides("3", "kernel", "/tmp/c.sock", "debug"))  # noqa: S108

    assert settings.pool.workers == 3
    assert settings.pool.dispatcher == "kernel"
    assert settings.pool.dispatcher_options == {}, "they were the options of another dispatcher"
    assert settings.control.socket == "/tmp/c.sock"  # noqa: S108
    assert settings.log.level == "debug"


def test_the_same_dispatcher_keeps_its_options(config: Path) -> None:
    config.write_text('[pool]\ndispatcher = "a"\ndispatcher_options = {x = 1}\n' + ECHO)

    assert load_settings(config, Overrides(dispatcher="a")).pool.dispatcher_options == {"x": 1}


def test_mistakes_of_flags_name_the_flag(config: Path) -> None:
    error = error_of(config, Overrides(workers="many", log_level="loud"))

    assert error.source == "the command line"
    assert error.mistakes == (
        '--workers = "many": expected a whole number or "auto" or a table',
        '--log-level = "loud": expected "debug", "info", "warning" or "error"',
    )


def test_mistakes_of_both_name_both(config: Path) -> None:
    config.write_text("[pool]\nwrokers = 3\n" + ECHO)

    error = error_of(config, Overrides(workers="0"))

    assert error.source == f"{config} and the command line"
    assert error.mistakes[0].startswith("pool.wrokers: unknown key")
    assert error.mistakes[1] == '--workers = 0: expected at least 1 or "auto" or a table'
    assert error.places == (f"{config}:2", None)


def test_flags_do_not_hide_a_section_that_is_no_table(config: Path) -> None:
    config.write_text("pool = 3\n" + ECHO)

    assert error_of(config, Overrides(workers="2")).mistakes == ("pool = 3: expected a table",)


def test_mistakes_found_later_about_values_already_reported_are_left_out(config: Path) -> None:
    config.write_text(ECHO.replace('"echo"', "3", 1))
    draft = read_draft(config)

    draft.add(["listener[0].name: what stands in for it is wrong", "listener[0].protocol: unknown"])

    assert draft.mistakes == [
        "listener[0].name = 3: expected text in quotes",
        "listener[0].protocol: unknown",
    ]


def test_a_byte_order_mark_is_named() -> None:
    with pytest.raises(ConfigError, match="it begins with a byte order mark"):
        parse_draft(b"\xef\xbb\xbf[pool]\n", "the test")
