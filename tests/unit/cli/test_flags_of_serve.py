"""The flags that `corepool serve` makes of a plugin's options: none takes over a flag of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pydantic import Field

from corepool.cli.sections import FIXED, names_of, sections_for
from corepool.spec.options import Options

if TYPE_CHECKING:
    from corepool.plugins.registry import Registry


class Plugin:
    """A protocol whose options have the names of flags that are there already."""

    class Options(Options):
        """Options."""

        env_file: str = ""
        dispatcher: str = ""
        option: str = ""
        help: str = ""
        log_config: str = ""
        extension: str = ""
        reload: bool = False
        threads: int = 0
        verbose: bool = False
        no_verbose: bool = False
        kind: str = Field("", alias="class")


class Played:
    """A registry with that one plugin."""

    def names(self, _kind: str) -> list[str]:
        return ["plugin"]

    def load(self, _kind: str, _name: str) -> type:
        return Plugin


def test_an_option_with_the_name_of_a_flag_of_serve_has_no_flag() -> None:
    sections = sections_for(["plugin"], cast("Registry", Played()))

    made = {flag.key for each in sections if each.table == "options" for flag in each.flags}

    assert made == {"threads", "verbose"}
    names = [name for each in sections for flag in each.flags for name in names_of(flag)]
    assert len(set(names)) == len(names), "each means one thing"
    assert not FIXED.keys() & set(names)
