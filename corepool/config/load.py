"""From a TOML file and the command line to settings, with every mistake found on the way.

Reading returns a `Draft`: settings (those of a faulty configuration are good for further checks
only) and the mistakes so far. Later checks, such as those that need plugins, add to it;
`Draft.finish` returns the settings or raises all the mistakes at once.

Flags are put into the table before it is validated, so that a value is judged by the same rules and
reported in the same words wherever it was written; only the key path gives way to the flag's name.
"""

from __future__ import annotations

import os
import re
from codecs import BOM_UTF8
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from corepool.config.draft import Draft
from corepool.config.environment import mistakes_in, values_of
from corepool.config.mistakes import find_mistakes, join_path, spell_value
from corepool.config.runtime import MAX_CONTROL_PATH_BYTES, origin_of_file
from corepool.config.salvage import salvage
from corepool.config.settings import Settings, WorkersRange
from corepool.config.suggest import did_you_mean
from corepool.errors import ConfigError
from corepool.files.reading import read_whole
from corepool.spec.transport import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import tomli

    from corepool.config.settings import ListenerSettings

# A configuration is some kilobytes; this only keeps a path like /dev/zero from filling the memory.
_FILE_LIMIT = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Overrides:
    """The flags (None: not given), and the environment, which counts for less. Both override the file."""

    workers: str | None = None
    dispatcher: str | None = None
    control: str | None = None
    log_level: str | None = None
    log_config: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    def merge_into(self, table: dict[str, object]) -> dict[str, str]:
        """Put the variables and flags that were given into `table`; give their names, by the key paths they set."""
        flags = self._merge_environment(table)
        for section, key, flag, value in (
            ("pool", "workers", "--workers", self.workers),
            ("pool", "dispatcher", "--dispatcher", self.dispatcher),
            ("control", "socket", "--control", self.control),
            ("log", "level", "--log-level", self.log_level),
            ("log", "config", "--log-config", self.log_config),
        ):
            if value is not None:
                said = int(value) if key == "workers" and _is_number(value) else value
                flags |= dict.fromkeys(_put(table, section, key, said), flag)
        concurrency = self.environment.get("WEB_CONCURRENCY")
        if concurrency:
            # Platforms set it for every server: a default, which anything meant for corepool overrules.
            for where, pool in _tables(table, "pool"):
                if "workers" not in pool:
                    pool["workers"] = int(concurrency) if _is_number(concurrency) else concurrency
                    flags[f"{where}.workers"] = "WEB_CONCURRENCY"
        return flags

    def _merge_environment(self, table: dict[str, object]) -> dict[str, str]:
        names: dict[str, str] = {}
        for section, key, variable, value in values_of(self.environment):
            names |= dict.fromkeys(_put(table, section, key, value), variable)
        return names


def read_draft(path: Path, overrides: Overrides | None = None) -> Draft:
    """Read a TOML file.

    :raises ConfigError: when it can't be read or is not TOML; every later mistake is in the draft.
    """
    try:
        content = read_whole(path, _FILE_LIMIT)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError([f"can't be read: {reason}"], str(path)) from None
    if len(content) > _FILE_LIMIT:
        raise ConfigError([f"larger than {_FILE_LIMIT} bytes; is it really a configuration?"], str(path))
    draft = parse_draft(content, str(path), overrides)
    draft.text = content.decode()
    draft.started_from = origin_of_file(path)
    return draft


def parse_draft(content: bytes, source: str, overrides: Overrides | None = None) -> Draft:
    """Read TOML; as `read_draft`, for a text that is not in a file."""
    if content.startswith(BOM_UTF8):
        mistake = "not TOML: it begins with a byte order mark; save it as UTF-8 without one"
        raise ConfigError([mistake], source, places=[f"{source}:1"])
    import tomli  # noqa: PLC0415 - `serve` reads no file

    try:
        table = tomli.loads(content.decode())
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        mistake = f"not UTF-8 text: line {line} has the byte {content[error.start]:#04x}"
        raise ConfigError([mistake], source, places=[f"{source}:{line}"]) from None
    except tomli.TOMLDecodeError as error:
        raise ConfigError([f"not TOML: {error}"], source, places=[f"{source}:{_line_of(error, content)}"]) from None
    except (ValueError, RecursionError) as error:  # ValueError: a number of thousands of digits
        raise ConfigError([f"can't be read: {error}"], source) from None
    written = frozenset(_paths(table))
    overrides = overrides or Overrides()
    flags = overrides.merge_into(table)
    draft = make_draft(table, source, flags)
    draft.mistakes += mistakes_in(overrides.environment)
    draft.written = written
    return draft


def make_draft(table: Mapping[str, object], source: str, flags: Mapping[str, str]) -> Draft:
    """Validate a table of settings, and check that its keys agree."""
    try:
        try:
            draft = Draft(Settings.model_validate(table), source, flags=flags)
        except ValueError as error:  # pydantic's
            found = find_mistakes(error, Settings)
            draft = Draft(salvage(table), source, [each.sentence for each in found], flags)
            draft.stand_ins = frozenset(join_path("", each.path) for each in found)
    except RecursionError:
        raise ConfigError(["can't be read: tables are nested too deeply"], source) from None
    if draft.settings is not None:
        draft.add(list(_contradictions(draft.settings)))
    return draft


def _line_of(error: tomli.TOMLDecodeError, content: bytes) -> int:
    """Return the line that tomli names: 2.0 has it in its words only."""
    found = re.search(r"at line (\d+)", str(error))
    return content.count(b"\n") + 1 if found is None else int(found[1])


def _contradictions(settings: Settings) -> Iterator[str]:
    """Find contradictions between keys that are each right."""
    if "\0" in (settings.control.socket or ""):
        yield "control.socket: a path can't contain NUL"
    if (length := len(os.fsencode(settings.control.socket or ""))) > MAX_CONTROL_PATH_BYTES:
        yield f"control.socket: the path has {length} bytes; expected at most {MAX_CONTROL_PATH_BYTES}"
    if "\0" in (settings.process.pidfile or ""):
        yield "process.pidfile: a path can't contain NUL"
    yield from _pool_contradictions(settings)
    names = Counter(listener.name for listener in settings.listener)
    first_at: dict[str, str] = {}
    for index, listener in enumerate(settings.listener):
        here = f"listener[{index}]"
        if names[listener.name] > 1:
            yield f'{here}.name = "{listener.name}": another listener has this name'
        for number, url in enumerate(listener.bind):
            place = f"{here}.bind[{number}]"
            try:
                endpoint = Endpoint.parse(url)
            except ValueError as error:
                yield f"{place} = {spell_value(url)}: {error}"
                continue
            if first_at.setdefault(url, place) != place and endpoint.port != 0:
                yield f"{place} = {spell_value(url)}: already bound by {first_at[url]}"
        if listener.output_limit < listener.output_high_water:
            yield (
                f"{here}.output_limit = {listener.output_limit}: less than output_high_water "
                f"({listener.output_high_water}), so a peer would be dropped before it is paused"
            )
        if listener.dispatcher is None and listener.dispatcher_options:
            its_pool = settings.where_is_pool(settings.pool_of(listener) or 0)
            yield (
                f"{here}.dispatcher_options: options of which dispatcher? {here}.dispatcher is not set; those of the "
                f"pool's are {its_pool}.dispatcher_options"
            )
        yield from _protocol_contradictions(here, listener)
        for extension in listener.extension_options:
            if extension not in listener.extensions:
                near = did_you_mean(extension, listener.extensions)
                yield f"{here}.extension_options.{extension}: it is not among the extensions of this listener{near}"


def _protocol_contradictions(here: str, listener: ListenerSettings) -> Iterator[str]:
    names = listener.protocols
    if not names and listener.protocol is None:
        yield f"{here}.protocols: expected at least 1 item"
    if listener.protocol is not None and names:
        yield f"{here}.protocols: there is {here}.protocol as well; put it among them"
    if listener.options and names:
        yield f"{here}.options: of which protocol? write {here}.protocol_options.NAME"
    for name in listener.protocol_options:
        if name not in names:
            where = join_path(f"{here}.protocol_options", (name,))
            if name == listener.protocol:
                yield f"{where}: with `protocol` its options are {here}.options"
            else:
                yield f"{where}: it is not among the protocols of this listener{did_you_mean(name, names)}"
    for position, name in enumerate(names):
        if name in names[:position]:
            yield f"{here}.protocols[{position}] = {spell_value(name)}: it is there already"
    if listener.default is not None and listener.default not in names:
        near = did_you_mean(listener.default, names)
        yield f"{here}.default = {spell_value(listener.default)}: it is not one of {here}.protocols{near}"


def _pool_contradictions(settings: Settings) -> Iterator[str]:
    """Yield mistakes in and between pools, and in the listeners' references to them."""
    names = Counter(pool.name for pool in settings.pools)
    served = {settings.pool_of(listener) for listener in settings.listener}
    for index, pool in enumerate(settings.pools):
        here, workers = settings.where_is_pool(index), pool.workers
        if isinstance(workers, WorkersRange):
            if workers.min > workers.max:
                yield f"{here}.workers.min = {workers.min}: more than {here}.workers.max = {workers.max}"
            if pool.scaler == "fixed":
                yield f'{here}.scaler = "fixed": workers is a range, of which "busyness" (or another scaler) chooses'
        elif pool.scaler != "fixed":
            yield f'{here}.scaler = "{pool.scaler}": workers leaves no choice; say {{ min = 1, max = 8 }}'
        if pool.name is None and len(settings.pools) > 1:
            yield f"{here}.name: missing; each of several pools needs one, for listeners to name it by"
        elif names[pool.name] > 1:
            yield f'{here}.name = "{pool.name}": another pool has this name'
        elif index not in served and pool.name is not None:
            yield f'{here}: no listener says pool = "{pool.name}", so there is nothing for its workers to do'
    known = [name for name in names if name is not None]
    for index, listener in enumerate(settings.listener):
        if settings.pool_of(listener) is not None:
            continue
        if listener.pool is None:
            yield f"listener[{index}].pool: missing; there are several: {', '.join(known)}"
        else:
            near = did_you_mean(listener.pool, known) or (f"; there are: {', '.join(known)}" if known else "")
            yield f'listener[{index}].pool = "{listener.pool}": no pool has this name{near}'


def _tables(table: dict[str, object], section: str) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield the tables of a section with their key paths: one, which is made if it is missing, or those of [[pool]]."""
    value = table.setdefault(section, {})
    if isinstance(value, list):
        yield from ((f"{section}[{number}]", each) for number, each in enumerate(value) if isinstance(each, dict))
    elif isinstance(value, dict):  # any other value is reported elsewhere
        yield section, value


def _put(table: dict[str, object], section: str, key: str, value: object) -> Iterator[str]:
    """Put a value into every table of a section; give the key paths it took."""
    for where, settings in _tables(table, section):
        if key == "dispatcher" and settings.get(key) != value:
            settings.pop("dispatcher_options", None)  # they were the other dispatcher's
        settings[key] = value
        yield f"{where}.{key}"


def _paths(table: Mapping[str, object]) -> Iterator[str]:
    """List the key paths of the sections' and listeners' keys."""
    for section, value in table.items():
        tables = enumerate(value) if isinstance(value, list) else [(None, value)]
        for number, each in tables:
            if isinstance(each, dict):
                where = section if number is None else f"{section}[{number}]"
                yield from (f"{where}.{key}" for key in each)


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isdecimal() and text.isascii() and len(text) < 10
