"""Settings from the environment: what they stand for, and what they give way to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from settings_of import load_settings

from corepool.config.load import Overrides, read_draft
from corepool.config.settings import WorkersRange
from corepool.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


ECHO = """
[pool]
max_connections = 5
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


def test_every_kind_of_value_is_read(config: Path) -> None:
    environment = {
        "COREPOOL_POOL_WORKERS": "4",
        "COREPOOL_POOL_MAX_CONNECTIONS": "7",
        "COREPOOL_POOL_DRAIN_TIMEOUT": "5s",
        "COREPOOL_POOL_BOOT_TIMEOUT": "90",
        "COREPOOL_POOL_RECYCLE_MEMORY": "512MiB",
        "COREPOOL_POOL_RECYCLE_JITTER": "0.5",
        "COREPOOL_POOL_DISPATCHER": "source-hash",
        "COREPOOL_POOL_DISPATCHER_OPTIONS": "{ seed = 1 }",
        "COREPOOL_PROCESS_UMASK": "0027",
        "COREPOOL_CONTROL_SOCKET": "/run/x.sock",
        "COREPOOL_LOG_LEVEL": "debug",
        "PATH": "/bin",
    }
    settings = load_settings(config, Overrides(environment=environment))
    pool = settings.pool
    assert (pool.workers, pool.max_connections, pool.drain_timeout, pool.boot_timeout) == (4, 7, 5.0, 90.0)
    assert (pool.recycle_memory, pool.recycle_jitter, pool.dispatcher) == (2**29, 0.5, "source-hash")
    assert pool.dispatcher_options == {"seed": 1}
    assert (settings.process.umask, settings.control.socket, settings.log.level) == (0o027, "/run/x.sock", "debug")

    scaled = {"COREPOOL_POOL_WORKERS": "{ min = 1, max = 3 }", "COREPOOL_POOL_SCALER": "busyness"}
    assert load_settings(config, Overrides(environment=scaled)).pool.workers == WorkersRange(min=1, max=3)


def test_flags_overrule_variables_which_overrule_the_file(config: Path) -> None:
    environment = {"COREPOOL_POOL_WORKERS": "2", "COREPOOL_POOL_MAX_CONNECTIONS": "6", "WEB_CONCURRENCY": "9"}
    pool = load_settings(config, Overrides(workers="3", environment=environment)).pool
    assert (pool.workers, pool.max_connections) == (3, 6)
    assert load_settings(config, Overrides(environment=environment)).pool.workers == 2
    assert load_settings(config, Overrides(environment={"WEB_CONCURRENCY": "9"})).pool.workers == 9
    config.write_text(ECHO.replace("[pool]", "[pool]\nworkers = 1"))
    assert load_settings(config, Overrides(environment={"WEB_CONCURRENCY": "9"})).pool.workers == 1


def test_mistakes_name_the_variable(config: Path) -> None:
    environment = {
        "COREPOOL_POOL_WROKERS": "2",
        "COREPOOL_POOL_BOOT_TIMEOUT": "soon",
        "COREPOOL_NONSENSE": "1",
    }
    with pytest.raises(ConfigError) as caught:
        load_settings(config, Overrides(environment=environment))
    assert caught.value.source == "the environment"
    told = "\n".join(caught.value.mistakes)
    assert "COREPOOL_POOL_WROKERS: unknown key (did you mean 'COREPOOL_POOL_WORKERS'?)" in told
    assert 'COREPOOL_POOL_BOOT_TIMEOUT = "soon": expected a duration' in told
    assert (
        "COREPOOL_NONSENSE: unknown key; variables of corepool are "
        "COREPOOL_POOL_..., COREPOOL_PROCESS_..., COREPOOL_CONTROL_..., COREPOOL_LOG_..." in told
    )


@pytest.mark.parametrize(
    ("variable", "sentence"),
    [
        ("COREPOOL_LISTENER_BACKLOG", "listeners can't be set by the environment"),
        ("COREPOOL_WORKERS", "unknown key (did you mean 'COREPOOL_POOL_WORKERS'?)"),
        ("COREPOOL_WORKER", "unknown key (did you mean 'COREPOOL_POOL_WORKERS'?)"),
        ("COREPOOL_log_levle", "unknown key (did you mean 'COREPOOL_LOG_LEVEL'?)"),
        ("COREPOOL_NAME", "unknown key (did you mean 'COREPOOL_POOL_NAME' or 'COREPOOL_PROCESS_NAME'?)"),
    ],
)
def test_a_variable_that_is_no_setting_is_told_the_right_spelling(config: Path, variable: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(config, Overrides(environment={variable: "3"}))

    assert (caught.value.source, caught.value.mistakes) == ("the environment", (f"{variable}: {sentence}",))


def test_what_kubernetes_tells_of_a_service_named_corepool_is_no_setting(config: Path) -> None:
    told = {
        "COREPOOL_SERVICE_HOST": "10.0.0.1",
        "COREPOOL_SERVICE_PORT": "80",
        "COREPOOL_SERVICE_PORT_HTTP": "80",
        "COREPOOL_PORT": "tcp://10.0.0.1:80",
        "COREPOOL_PORT_80_TCP": "tcp://10.0.0.1:80",
        "COREPOOL_PORT_80_TCP_ADDR": "10.0.0.1",
        "COREPOOL_POOL_SERVICE_HOST": "10.0.0.1",
    }
    assert load_settings(config, Overrides(environment=told)) == load_settings(config)
    with pytest.raises(ConfigError, match="COREPOOL_PORT: unknown key"):
        load_settings(config, Overrides(environment={"COREPOOL_PORT": "8080"}))


def test_the_variable_of_the_build_is_no_setting(config: Path) -> None:
    assert load_settings(config, Overrides(environment={"COREPOOL_COMPILE": "1"})) == load_settings(config)


def test_a_variable_in_small_letters_is_still_of_the_environment(config: Path) -> None:
    draft = read_draft(config, Overrides(environment={"COREPOOL_pool_workers": "2"}))
    assert draft.origin("pool.workers") == "the environment: COREPOOL_pool_workers"
