"""Starting a pool: from its draft to its end."""

from __future__ import annotations

import gc
import logging
import os
import sys
from typing import TYPE_CHECKING

from corepool.cli.announce import announce
from corepool.cli.output import write
from corepool.cli.resolve import draft_of_demo, draft_of_file
from corepool.cli.stop_signals import StopSignals
from corepool.config.envfile import load_env_file
from corepool.config.runtime import DEFAULT_CONFIG
from corepool.errors import BootError, ConfigError
from corepool.logs.log import start_log
from corepool.plugins.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from corepool.cli.watch import Watched
    from corepool.config.draft import Draft
    from corepool.config.load import Overrides


def run(config: Path | None, overrides: Overrides, env_file: Path | None, watched: Watched | None) -> int:
    """Run the pool of a configuration, or a demo pool; return the exit status."""
    if config is None and not DEFAULT_CONFIG.exists():
        write(
            sys.stdout,
            f"no {DEFAULT_CONFIG} here: this is the demo pool (`corepool init` writes its configuration)",
        )
        return start(lambda: draft_of_demo(overrides), Registry(), None, env_file, watched)
    return start(lambda: draft_of_file(config, overrides), Registry(), config or DEFAULT_CONFIG, env_file, watched)


def start(
    read: Callable[[], Draft],
    registry: Registry,
    config: Path | None,
    env_file: Path | None,
    watched: Watched | None,
) -> int:
    """Run a pool until it has stopped; return the exit status.

    :param read: reads the settings, now and at each reload of the pool.
    :param registry: the plugins that are installed.
    :param config: the file that they are in.
    :param env_file: a file of variables, read as often.
    :param watched: the files that, when they change, have it reload; None: none.
    """
    from corepool.launch.pool import Pool  # noqa: PLC0415
    from corepool.master.inheritance import Inheritance  # noqa: PLC0415 - all of the pool, which a syntax error need not wait for

    def read_again() -> tuple[Draft, Registry]:
        if env_file is not None:
            load_env_file(env_file, os.environ)
        return read(), Registry()  # plugins may have been installed meanwhile

    inheritance = Inheritance(os.environ)  # before the settings are read: its variable is not a setting
    if env_file is not None:
        load_env_file(env_file, os.environ)
    watcher = None
    if watched is not None:
        from corepool.cli.watch import Watcher  # noqa: PLC0415 - for development alone

        watcher = Watcher(watched, config)
    draft = read()
    stopping = StopSignals()
    settings = draft.settings or draft.finish()  # it raises
    pool = Pool(settings, registry, stopping.after(announce), read_again, inheritance, draft.started_from)
    draft.judge(pool.check_upgrade if inheritance.is_upgrade else pool.check)
    draft.finish()
    try:
        log = start_log(settings.log.level, settings.log.format, settings.log.file)
        if watcher is not None:
            watcher.start(settings)
        gc.freeze()  # not looked through again: pages that workers share with the master stay shared
        gc.enable()
        status = pool.run([log.fd])
        stopping.ignore()
    except ConfigError as error:  # mistakes found by opening and binding: reported as `check` reports the rest
        draft.add_error(error)
        draft.finish()
        raise
    except BootError as error:
        if settings.log.file is not None:  # the log says why it ended; standard error has it anyway
            logging.getLogger(__name__).error("%s", error)  # noqa: TRY400  # the reason is in it
        raise
    finally:
        if watcher is not None:
            watcher.stop()
    return status
