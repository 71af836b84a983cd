"""Which commands there are, by what they are for. A command's module is imported when it is used."""

from __future__ import annotations

import contextlib
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import typer
from typer.core import TyperGroup

from corepool.cli.foreign import answer_to
from corepool.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GROUPS: Mapping[str, Mapping[str, str]] = {
    "Start a pool": {"run": "run:run", "serve": "serve:serve"},
    "Write a configuration, or a plugin": {
        "init": "check:init",
        "check": "check:check",
        "config": "check:config",
        "schema": "check:schema",
        "plugins": "plugins:plugins",
        "new": "new:new",
    },
    "Look at a running pool": {"ps": "ps:ps", "status": "status:status", "top": "top:top"},
    "Operate a running pool": {
        "reload": "operate:reload",
        "renew": "renew:renew",
        "upgrade": "operate:upgrade",
        "stop": "operate:stop",
        "scale": "operate:scale",
        "drain": "operate:drain",
        "pause": "operate:pause",
        "resume": "operate:resume",
        "rebalance": "operate:rebalance",
        "log-level": "operate:log_level",
    },
}
"""Module below `corepool.cli` and function of each command, by heading and name."""

_OF_PLUGINS = "Of plugins"

SETTINGS = {"help_option_names": ["-h", "--help"]}


class Commands(TyperGroup):
    """The commands, each made when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """List their names."""
        return [name for commands in GROUPS.values() for name in commands] + _names_of_plugins()

    def get_command(self, ctx: Any, cmd_name: str, arguments: Sequence[str] = ()) -> Any:
        """Make a command.

        :param arguments: that it is called with; the flags of `serve` depend on them.
        """
        if cmd_name not in self.commands:
            place = next((commands[cmd_name] for commands in GROUPS.values() if cmd_name in commands), None)
            if place is None:
                from corepool.cli.plugin_commands import load_command  # noqa: PLC0415 - most commands are our own

                found = load_command(cmd_name)
                if found is not None:
                    self.commands[cmd_name] = found
                return found
            is_called = ctx is not None and not ctx.resilient_parsing
            self.commands[cmd_name] = _make(cmd_name, place, arguments, is_called=is_called)
        return self.commands[cmd_name]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that the arguments begin with; of another server's command line, say what it is here."""
        name, rest = args[0], args[1:]
        if self.get_command(ctx, name, rest) is None and not ctx.resilient_parsing:
            if ":" in name:
                ctx.fail(f"{name!r} is no command; to serve an application: corepool serve http {name}")
            for each in self.list_commands(ctx):
                with contextlib.suppress(PluginError):
                    self.get_command(ctx, each)  # the names that it is compared with
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse; a flag of another server's, in the place of a command, is answered with its name here."""
        answer = answer_to(args[:1], {"--version", "-h", "--help"})
        if answer is not None and not ctx.resilient_parsing:
            ctx.fail(f"{answer}, after the command: corepool serve http MODULE:ATTRIBUTE ...")
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands under their headings, one line each."""
        limit = formatter.width - 6 - max(map(len, self.list_commands(ctx)))
        for heading, commands in (*GROUPS.items(), (_OF_PLUGINS, _names_of_plugins())):
            if not commands:
                continue
            rows = [(name, self._short_help(ctx, name, limit)) for name in commands]
            with formatter.section(heading):
                formatter.write_dl(rows, col_max=30)

    def _short_help(self, ctx: Any, name: str, limit: int) -> str:
        try:
            return str(self.get_command(ctx, name).get_short_help_str(limit))
        except PluginError as error:
            return f"broken: {error}"


def _names_of_plugins() -> list[str]:
    from corepool.cli.plugin_commands import names_of_plugins  # noqa: PLC0415 - as above

    own = {name for commands in GROUPS.values() for name in commands}
    return [name for name in names_of_plugins() if name not in own]


def _make(name: str, place: str, arguments: Sequence[str], *, is_called: bool) -> Any:
    module_name, _, function_name = place.partition(":")
    module = import_module(f"corepool.cli.{module_name}")
    alone = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=SETTINGS)
    if name == "serve":
        make = module.serve_as_called if is_called else module.serve_for  # Tab completes every flag
        alone.command(name, cls=module.ServeCommand)(make(arguments))
    else:
        alone.command(name)(getattr(module, function_name))
    command = cast("Any", typer.main.get_command(alone))
    command.name = name
    return command
