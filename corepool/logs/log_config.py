"""`logging`'s own configuration from a file, as `--log-config` of other servers: JSON, YAML, or an INI file."""

from __future__ import annotations

import json
from pathlib import Path

from corepool.errors import SetupError


def configure_logging(path: str) -> None:
    """Configure logging. Runs in: worker, before the application is imported.

    Loggers that exist already stay enabled unless the file says otherwise: the server's own are among them.

    :raises SetupError: the file can't be read, or is no configuration; says why.
    """
    import configparser  # noqa: PLC0415 - most pools have no such file
    import logging.config  # noqa: PLC0415

    try:
        if path.endswith((".json", ".yaml", ".yml")):
            table = _read(Path(path))
            if not isinstance(table, dict):
                raise SetupError(f"log.config = {path!r}: expected a table, as logging.config.dictConfig takes it")
            logging.config.dictConfig({"disable_existing_loggers": False, **table})
        else:
            logging.config.fileConfig(path, disable_existing_loggers=False)
    except OSError as error:
        raise SetupError(not_read(path, error)) from None
    except (ValueError, KeyError, RuntimeError, TypeError, AttributeError, ImportError, configparser.Error) as error:
        cause = f" ({error.__cause__})" if error.__cause__ is not None else ""
        raise SetupError(f"log.config = {path!r}: {type(error).__name__}: {error}{cause}") from error


def not_read(path: str, error: Exception) -> str:
    """Return the mistake that a file is which can't be read."""
    # fileConfig raises errors that have no strerror.
    return f"log.config = {path!r}: can't be read: {getattr(error, 'strerror', None) or error}"


def _read(path: Path) -> object:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        found: object = json.loads(text)
        return found
    try:
        import yaml  # type: ignore[import-untyped,import-not-found,unused-ignore]  # noqa: PLC0415
    except ImportError:
        raise SetupError(f"log.config = {str(path)!r}: YAML needs PyYAML; `pip install pyyaml` gets it") from None
    try:
        loaded: object = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(error) from None
    return loaded
