"""Users and groups that the configuration names, and the system's entries for them.

Looked up once, in the master: a worker that boots must not depend on the databases behind it (LDAP, sssd).
"""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import dataclass
from typing import TYPE_CHECKING

from corepool.config.mistakes import spell_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.config.settings import ProcessSettings


@dataclass(frozen=True, slots=True)
class Account:
    """The user of the workers: numbers for the kernel, and the variables that a log-in would have set."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    environment: tuple[tuple[str, str], ...] = ()


def find_account(user: str | int | None, group: str | int | None) -> Account | None:
    """Look up a user and a group; None when neither is given.

    :raises ValueError: with every mistake as an item of its `args`, each beginning with the key.
    """
    mistakes: list[str] = []
    entry: pwd.struct_passwd | None = None
    gid: int | None = None
    try:
        entry = _find_user(user)
    except ValueError as error:
        mistakes.append(f"process.user = {spell_value(user)}: {error}")
    try:
        gid = _find_group(group)
    except ValueError as error:
        mistakes.append(f"process.group = {spell_value(group)}: {error}")
    if isinstance(user, int) and entry is None and group is None:
        mistakes.append(f"process.user = {user}: there is no such user here to take the group from; set process.group")
    if mistakes:
        raise ValueError(*mistakes)
    if user is None and gid is None:
        return None
    if entry is None:
        uid = user if isinstance(user, int) else os.geteuid()
        assert gid is not None
        return Account(uid, gid, (gid,))
    gid = entry.pw_gid if gid is None else gid
    groups = tuple(os.getgrouplist(entry.pw_name, gid))
    return Account(
        entry.pw_uid, gid, groups, (("HOME", entry.pw_dir), ("LOGNAME", entry.pw_name), ("USER", entry.pw_name))
    )


def process_mistakes(settings: ProcessSettings) -> Iterator[str]:
    """Yield mistakes that only this system shows, such as an unknown user."""
    try:
        find_account(settings.user, settings.group)
    except ValueError as error:
        yield from map(str, error.args)
    if isinstance(settings.affinity, tuple):
        allowed = os.sched_getaffinity(0)
        for index, cpu in enumerate(settings.affinity):
            if cpu not in allowed:
                usable = ", ".join(map(str, sorted(allowed)))
                yield f"process.affinity[{index}] = {cpu}: this process may not use that CPU; it may use {usable}"


def _find_user(user: str | int | None) -> pwd.struct_passwd | None:
    if user is None:
        return None
    try:
        return pwd.getpwnam(user) if isinstance(user, str) else pwd.getpwuid(user)
    except (KeyError, ValueError):  # ValueError: a NUL in the name
        if isinstance(user, int):
            return None  # containers have users that no database knows
        raise ValueError("this system has no such user; create it, or leave the key out") from None


def _find_group(group: str | int | None) -> int | None:
    if not isinstance(group, str):
        return group
    try:
        return grp.getgrnam(group).gr_gid
    except (KeyError, ValueError):
        raise ValueError("this system has no such group; create it, or leave the key out") from None
