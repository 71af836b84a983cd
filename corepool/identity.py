"""What a process is to the system: its user and group, umask, limit of descriptors, priority, CPUs.

Workers give up privileges, the master keeps them: it binds ports below 1024, at a reload too.
"""

from __future__ import annotations

import grp
import logging
import os
import pwd
import resource
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.config.settings import ProcessSettings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who workers are, looked up in the master: after a fork nothing is left that can be mistaken."""

    uid: int | None
    gid: int | None
    groups: tuple[int, ...] | None
    umask: int | None
    nice: int
    is_pinned: bool

    @classmethod
    def of(cls, settings: ProcessSettings) -> Identity:
        """Look up names.

        :raises ValueError: with every mistake, one a line.
        """
        mistakes = list(mistakes_of(settings))
        if mistakes:
            raise ValueError("\n".join(mistakes))
        user = None if settings.user is None else pwd.getpwnam(settings.user)
        gid = None if user is None else user.pw_gid
        if settings.group is not None:
            gid = grp.getgrnam(settings.group).gr_gid
        groups = None
        if gid is not None:
            # With a group of its own, the process is in that alone.
            mine = user is not None and settings.group is None
            groups = tuple(os.getgrouplist(user.pw_name, gid)) if mine and user is not None else (gid,)
        return cls(
            None if user is None else user.pw_uid,
            gid,
            groups,
            settings.umask,
            settings.nice,
            settings.affinity == "auto",
        )

    def assume(self, slot: int) -> None:
        """Become it, for good. To be called before PR_SET_PDEATHSIG, which a change of user resets (prctl(2)).

        Runs in: a worker.

        :raises OSError: the system refuses.
        """
        if self.is_pinned:
            cpus = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(0, {cpus[slot % len(cpus)]})
        if self.nice:
            os.setpriority(os.PRIO_PROCESS, 0, self.nice)
        if self.umask is not None:
            os.umask(self.umask)
        # Groups first: as another user they can't be changed any more.
        if self.groups is not None and self.gid is not None:
            os.setgroups(self.groups)
            os.setresgid(self.gid, self.gid, self.gid)
        if self.uid is not None:
            os.setresuid(self.uid, self.uid, self.uid)


def mistakes_of(settings: ProcessSettings) -> Iterator[str]:
    """Find what the system does not know, or would not do."""
    is_root = os.geteuid() == 0
    if settings.user is not None:
        try:
            uid = pwd.getpwnam(settings.user).pw_uid
        except KeyError:
            yield f'process.user = "{settings.user}": this system has no such user'
        else:
            if not is_root and uid != os.geteuid():
                yield f'process.user = "{settings.user}": only root can make its workers run as another user'
    if settings.group is not None:
        try:
            gid = grp.getgrnam(settings.group).gr_gid
        except KeyError:
            yield f'process.group = "{settings.group}": this system has no such group'
        else:
            if not is_root and gid != os.getegid():
                yield f'process.group = "{settings.group}": only root can make its workers run in another group'
    if settings.nice < 0 and not is_root:
        yield f"process.nice = {settings.nice}: only root can go below 0"
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if settings.nofile != "max" and hard != resource.RLIM_INFINITY and settings.nofile > hard and not is_root:
        yield f"process.nofile = {settings.nofile}: the hard limit is {hard} (`ulimit -Hn`)"


def limit_descriptors(nofile: int | str) -> None:
    """Set how many descriptors this process, and those it forks, may have.

    Runs in: the master, before anything is forked.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if nofile == "max" else int(nofile)
    if wanted == soft:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard if hard in (-1, max(wanted, hard)) else wanted))
    except (OSError, ValueError) as error:
        log.warning("limit of descriptors unchanged soft=%d wanted=%d reason=%s", soft, wanted, error)
