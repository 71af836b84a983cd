"""`corepool run`: a pool of a configuration."""

import os
import sys

from corepool.cli.arguments import (
    DEFAULT_CONFIG,
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
from corepool.cli.output import write
from corepool.cli.resolve import draft_of_demo, draft_of_file
from corepool.cli.start import start
from corepool.cli.watch import Watched
from corepool.config.load import Overrides
from corepool.plugins.registry import Registry


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
    if config is None and not DEFAULT_CONFIG.exists():
        write(
            sys.stdout,
            f"no {DEFAULT_CONFIG} here: this is the demo pool (`corepool init` writes its configuration)",
        )
        start(lambda: draft_of_demo(overrides), Registry(), None, env_file, watched)
    else:
        start(lambda: draft_of_file(config, overrides), Registry(), config or DEFAULT_CONFIG, env_file, watched)
