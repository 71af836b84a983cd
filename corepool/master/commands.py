"""The commands of the control socket: what each takes, and what it does with the master."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.errors import ControlError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from corepool.master.master import Master

    Command = Callable[[Mapping[str, object]], object]


def commands_of(master: Callable[[], Master]) -> dict[str, Command]:
    """Return the commands by their names.

    :param master: gives the master; called when a command comes, since the socket is there before the master.
    """

    def status(_: Mapping[str, object]) -> object:
        return master().status()

    def reload(_: Mapping[str, object]) -> object:
        master().reload()
        return master().status()["reload"]

    def stop(arguments: Mapping[str, object]) -> object:
        master().stop(fast=_flag(arguments, "now"))
        return {}

    def scale(arguments: Mapping[str, object]) -> object:
        return {"workers": master().live.scale(_number(arguments, "workers"), _optional_text(arguments, "pool"))}

    def drain(arguments: Mapping[str, object]) -> object:
        return {"pid": master().live.drain(_number(arguments, "slot"), _optional_text(arguments, "pool"))}

    def upgrade(_: Mapping[str, object]) -> object:
        master().upgrade()
        return master().status()["upgrade"]

    def pause(arguments: Mapping[str, object]) -> object:
        master().live.pause_listener(_text(arguments, "listener"))
        return {}

    def resume(arguments: Mapping[str, object]) -> object:
        master().live.resume_listener(_text(arguments, "listener"))
        return {}

    def rebalance(_: Mapping[str, object]) -> object:
        return {"asked": master().live.rebalance()}

    def renew(_: Mapping[str, object]) -> object:
        changed = master().renewing.look()
        return {"changed": changed, **master().renewing.status()}

    def log_level(arguments: Mapping[str, object]) -> object:
        master().live.set_log_level(_text(arguments, "level"))
        return {}

    return {
        "status": status,
        "reload": reload,
        "upgrade": upgrade,
        "stop": stop,
        "scale": scale,
        "drain": drain,
        "pause": pause,
        "resume": resume,
        "rebalance": rebalance,
        "renew": renew,
        "log-level": log_level,
    }


def _number(arguments: Mapping[str, object], name: str) -> int:
    value = arguments.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ControlError(f"{name}: expected a whole number, not {value!r}")
    return value


def _text(arguments: Mapping[str, object], name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str):
        raise ControlError(f"{name}: expected text, not {value!r}")
    return value


def _optional_text(arguments: Mapping[str, object], name: str) -> str | None:
    return None if arguments.get(name) is None else _text(arguments, name)


def _flag(arguments: Mapping[str, object], name: str) -> bool:
    value = arguments.get(name, False)
    if not isinstance(value, bool):
        raise ControlError(f"{name}: expected true or false, not {value!r}")
    return value
