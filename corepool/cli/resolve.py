"""Makes settings of the user's arguments, and finds every mistake in them, those that need plugins included."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from corepool.config.addresses import url_of
from corepool.config.draft import COMMAND_LINE
from corepool.config.environment import mistakes_in
from corepool.config.load import Overrides, make_draft, parse_draft, read_draft
from corepool.config.mistakes import spell_value
from corepool.config.runtime import DEFAULT_CONFIG, Origin, origin_of_flags
from corepool.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from corepool.cli.tls_files import TlsFiles
    from corepool.config.draft import Draft
    from corepool.config.settings import Settings
    from corepool.launch.mistakes import Remark
    from corepool.launch.pool import Pool
    from corepool.plugins.registry import Registry


def starter() -> str:
    """Return the configuration that `init` writes and the demo pool uses."""
    from importlib.resources import files  # noqa: PLC0415 - most pools have a configuration of their own

    return files("corepool.cli").joinpath("starter.toml").read_text(encoding="utf-8")


def draft_of_file(config: Path | None, overrides: Overrides) -> Draft:
    """Read CONFIG, or ./corepool.toml.

    :raises ConfigError: when it can't be read at all.
    """
    return read_draft(config or DEFAULT_CONFIG, overrides)


def draft_of_demo(overrides: Overrides) -> Draft:
    """Read the demo pool's configuration."""
    draft = parse_draft(starter().encode(), "the demo configuration", overrides)
    draft.started_from = Origin("demo")
    return draft


@dataclass(frozen=True, slots=True)
class Served:
    """The listener of `serve`, and its pool, as flags say them.

    :param bind: addresses; none: $PORT says where, or the protocol.
    :param default_port: the protocol's.
    :param tls: the files for all addresses; None: they are as they say.
    :param flags: the name of the flag, by the key path that it sets.
    """

    protocol: str
    bind: Sequence[str]
    default_port: int | None
    tls: TlsFiles | None
    listener: Mapping[str, object]
    pool: Mapping[str, object]
    flags: Mapping[str, str]


def draft_of_flags(served: Served, overrides: Overrides) -> Draft:
    """Make the configuration of one listener from the arguments of `serve`, and of the environment as it is now.

    :raises ConfigError: nothing says where to listen.
    """
    bind, bind_from, mistakes = _addresses(served, overrides.environment)
    if served.tls is not None:
        bind, mistakes = _with_tls(served.tls, bind, mistakes)
    its = {"name": served.protocol, "bind": list(bind), "protocol": served.protocol}
    pool: dict[str, object] = {}
    table: dict[str, object] = {"pool": pool, "listener": [{**deepcopy(dict(served.listener)), **its}]}
    flags = overrides.merge_into(table)
    pool |= served.pool
    flags |= {
        **served.flags,
        "listener[0].name": "PROTOCOL",
        "listener[0].protocol": "PROTOCOL",
        "listener[0].options": served.flags.get("listener[0].options", "--option"),
        **{f"listener[0].bind[{number}]": bind_from for number in range(len(bind))},
        "listener[0].bind": bind_from,
        "listener[0]": "PROTOCOL",  # last, since it matches them all: mistakes in the protocol's hooks
    }
    draft = make_draft(table, COMMAND_LINE, flags)
    draft.mistakes += [*mistakes, *mistakes_in(overrides.environment)]
    draft.started_from = origin_of_flags(served.protocol, [url_of(each) for each in bind])
    return draft


def _addresses(served: Served, environment: Mapping[str, str]) -> tuple[Sequence[str], str, list[str]]:
    """Return where to listen, who says so, and the mistakes in that.

    Without an address $PORT counts first: platforms say so where they route to.
    """
    if served.bind:
        return served.bind, "--bind", []
    if port := environment.get("PORT"):
        if port.isascii() and port.isdecimal() and len(port) < 6 and int(port) < 65_536:
            return [f"tcp://0.0.0.0:{port}"], "PORT", []
        return ["tcp://127.0.0.1:0"], "PORT", [f"PORT = {spell_value(port)}: expected a number from 0 to 65535"]
    if served.default_port is None:
        mistake = (
            f"protocol {served.protocol!r} has no port of its own; where to listen is missing: "
            f"corepool serve {served.protocol} -b 7000"
        )
        raise ConfigError([mistake], COMMAND_LINE)
    return [f"tcp://127.0.0.1:{served.default_port}"], "--bind", []


def _with_tls(tls: TlsFiles, bind: Sequence[str], mistakes: list[str]) -> tuple[list[str], list[str]]:
    """Return the addresses with TLS, and all mistakes."""
    urls, found = [], [*mistakes]
    for number, each in enumerate(bind):
        try:
            urls.append(tls.url_of(each))
        except ValueError as error:
            urls.append("tcp://127.0.0.1:0")
            found.append(f"listener[0].bind[{number}] = {spell_value(each)}: {error}")
    return urls, found


def settle(draft: Draft, registry: Registry) -> Settings:
    """Add the mistakes and doubts that only plugins and this system can find, and return the settings.

    An expired certificate is a mistake here; a pool would start with it.

    :raises ConfigError: with every mistake, if there are any.
    """
    remarks: list[Remark] = []
    _settle(draft, registry, lambda pool: remarks.extend(pool.check()))
    draft.add(each.text for each in remarks if each.is_mistake)
    draft.doubts += [each.text for each in remarks if not each.is_mistake]
    return draft.finish()


def settle_plugins(draft: Draft, registry: Registry) -> Settings:
    """Settle a draft without asking what this system would refuse to the user of this process.

    :raises ConfigError: with every mistake, if there are any.
    """
    return _settle(draft, registry, lambda pool: pool.check_plugins())


def _settle(draft: Draft, registry: Registry, check: Callable[[Pool], None]) -> Settings:
    from corepool.launch.pool import Pool  # noqa: PLC0415 - all of the pool, which a syntax error need not wait for

    if draft.settings is not None:
        pool = Pool(draft.settings, registry)

        def judge() -> None:
            check(pool)
            draft.doubts = [*pool.doubts]

        draft.judge(judge)
    return draft.finish()
