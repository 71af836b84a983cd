"""`corepool run`: a pool of a configuration."""

import os

import typer

from corepool.cli import start
from corepool.cli.arguments import (
    Config,
    Control,
    Dispatcher,
    EnvFile,
    LogConfig,
    LogLevel,
    Reload,
    ReloadDir,
    ReloadExclude,
    ReloadInclude,
    Workers,
)
from corepool.cli.watch import Watched
from corepool.config.load import Overrides


def run(
    config: Config = None,
    control: Control = None,
    workers: Workers = None,
    dispatcher: Dispatcher = None,
    log_level: LogLevel = None,
    log_config: LogConfig = None,
    env_file: EnvFile = None,
    *,
    reload: Reload = False,
    reload_dir: ReloadDir = None,
    reload_include: ReloadInclude = None,
    reload_exclude: ReloadExclude = None,
) -> None:
    """Run the pool of a configuration, or a demo pool."""
    overrides = Overrides(workers, dispatcher, control, log_level, log_config, environment=os.environ)
    watched = Watched.of(reload, reload_dir, reload_include, reload_exclude)
    raise typer.Exit(start.run(config, overrides, env_file, watched))
