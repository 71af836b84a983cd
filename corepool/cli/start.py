"""Starting a pool: from its draft to its end."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import typer

from corepool.cli.announce import announce
from corepool.cli.resolve import settle, settle_plugins, settle_upgrade
from corepool.cli.stop_signals import StopSignals
from corepool.cli.watch import Watcher
from corepool.config.envfile import load_env_file
from corepool.errors import BootError, ConfigError
from corepool.logs.log import start_log
from corepool.plugins.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from corepool.cli.watch import Watched
    from corepool.config.draft import Draft
    from corepool.config.settings import Settings


def start(
    read: Callable[[], Draft],
    registry: Registry,
    config: Path | None,
    env_file: Path | None,
    watched: Watched | None,
) -> None:
    """Run a pool until it has stopped; ends with typer.Exit.

    :param read: reads the settings, now and at each reload of the pool.
    :param registry: the plugins that are installed.
    :param config: the file that they are in.
    :param env_file: a file of variables, read as often.
    :param watched: the files that, when they change, have it reload; None: none.
    """
    from corepool.launch.pool import Pool  # noqa: PLC0415
    from corepool.master.inheritance import Inheritance  # noqa: PLC0415 - see settle()

    def read_again() -> tuple[Settings, Registry]:
        if env_file is not None:
            load_env_file(env_file, os.environ)
        present = Registry()  # plugins may have been installed meanwhile
        return settle_plugins(read(), present), present

    inheritance = Inheritance(os.environ)  # before the settings are read: its variable is not a setting
    if env_file is not None:
        load_env_file(env_file, os.environ)
    watcher = None if watched is None else Watcher(watched, config)
    draft = read()
    settings = (settle_upgrade if inheritance.is_upgrade else settle)(draft, registry)
    stopping = StopSignals()
    try:
        log = start_log(settings.log.level, settings.log.format, settings.log.file)
        if watcher is not None:
            watcher.start(settings)
        origin = draft.started_from
        status = Pool(settings, registry, stopping.after(announce), [log.fd], read_again, inheritance, origin).run()
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
    raise typer.Exit(status)
