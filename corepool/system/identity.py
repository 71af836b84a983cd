"""A process of the pool as the system sees it: its user and groups, its umask, limits, priority and CPU.

Two moments. `settle` is the master's, before it binds. `Identity.assume` is a worker's, before any code of an
application runs. Only workers give up root: the master never reads a byte that a client sent, and needs the
privileges again: to bind what a reload adds, to execute a new master, to remove socket files and the pidfile.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from corepool.config.accounts import Account, find_account, process_mistakes
from corepool.config.mistakes import spell_value
from corepool.errors import ConfigError, SetupError
from corepool.spec.transport import FileRights
from corepool.system import events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.config.settings import ProcessSettings

log = logging.getLogger(__name__)

_NOFILE_CEILING = 1 << 20
"""The most descriptors that "max" asks for, Linux's own default for fs.nr_open. Some container engines set 2^30:
programs that a worker starts and that close every possible descriptor one by one would take minutes."""

# As capabilities(7) numbers them.
_CAP_KILL = 5
_CAP_SETGID = 6
_CAP_SETUID = 7
_CAP_SYS_NICE = 23
_CAP_SYS_RESOURCE = 24


@dataclass(frozen=True, slots=True)
class Identity:
    """The user of a worker, and its CPUs. Looked up in the master."""

    account: Account | None = None
    nice: int | None = None
    cpus: tuple[int, ...] = ()

    @classmethod
    def of(cls, settings: ProcessSettings) -> Identity:
        """Look up what the settings name.

        :raises ConfigError: with every mistake.
        """
        mistakes = list(process_mistakes(settings))
        if mistakes:
            raise ConfigError(mistakes)
        account = find_account(settings.user, settings.group)
        if account is not None and (account.uid, account.gid) == (os.geteuid(), os.getegid()):
            account = None  # it is that user already, and setgroups(2) needs a capability
        if account is not None and os.geteuid() != 0:
            key = "user" if settings.user is not None else "group"
            mistake = (
                f"process.{key} = {spell_value(getattr(settings, key))}: only root can start workers as another user, "
                f"and this is user {os.geteuid()}; start it as root, or leave the key out"
            )
            raise ConfigError([mistake])
        if account is not None and account.uid != 0 and not _has_capability(_CAP_KILL):
            raise ConfigError(
                ["process.user: the master could not signal workers of another user; it takes the capability KILL"]
            )
        if account is not None and not (_has_capability(_CAP_SETGID) and _has_capability(_CAP_SETUID)):
            raise ConfigError([f"process.user: {_not_become(account, os.strerror(errno.EPERM))}"])
        match settings.affinity:
            case "off":
                cpus: tuple[int, ...] = ()
            case "auto":
                cpus = tuple(sorted(os.sched_getaffinity(0)))
            case _:
                cpus = settings.affinity
        return cls(account, settings.nice, cpus)

    def assume(self, slot: int) -> None:
        """Become it, for good.

        Runs in: the worker. A change of user clears PR_SET_PDEATHSIG (prctl(2)): the caller sets it again.

        :raises SetupError: the system refuses to make it that user.
        """
        if self.cpus:
            cpu = self.cpus[slot % len(self.cpus)]
            try:
                os.sched_setaffinity(0, {cpu})
            except OSError as error:  # taken offline since the start: slower is better than down
                events.worker_not_pinned(log, slot=slot, cpu=cpu, reason=error.strerror)
        if self.nice is not None:
            # The master has it too, but a value below 0 is not inherited (SCHED_RESET_ON_FORK, sched(7)).
            os.setpriority(os.PRIO_PROCESS, 0, self.nice)
        if self.account is not None:
            _become(self.account)


def file_rights(settings: ProcessSettings) -> FileRights:
    """Return the owner and mask of the files that the master makes for workers and clients.

    Mistakes are reported elsewhere.
    """
    try:
        account = find_account(settings.user, settings.group)
    except ValueError:
        account = None
    if account is None or os.geteuid() != 0:
        return FileRights(umask=settings.umask)
    return FileRights(account.uid, account.gid, settings.umask)


def examine(settings: ProcessSettings) -> Iterator[str]:
    """Yield the mistakes for which `settle` and `Identity.of` would refuse the settings; nothing is changed."""
    try:
        Identity.of(settings)
    except ConfigError as error:
        yield from error.mistakes
    now, nice = os.getpriority(os.PRIO_PROCESS, 0), settings.nice
    most_nice, _ = resource.getrlimit(resource.RLIMIT_NICE)
    least = -20 if most_nice == resource.RLIM_INFINITY else 20 - most_nice  # getrlimit(2)
    if nice is not None and nice < min(now, least) and not _has_capability(_CAP_SYS_NICE):
        yield _nice_refused(nice, os.strerror(errno.EACCES))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    nofile = settings.nofile
    if isinstance(nofile, int) and nofile != soft:
        exceeds = hard != resource.RLIM_INFINITY and nofile > hard
        if nofile > _most_descriptors() or (exceeds and not _has_capability(_CAP_SYS_RESOURCE)):
            yield _nofile_refused(nofile, hard, "not allowed to raise maximum limit")


def settle(settings: ProcessSettings) -> None:
    """Apply [process] to the master, before it opens anything.

    :raises ConfigError: the system refuses; with its reason, and a remedy.
    """
    if settings.umask is not None:
        os.umask(settings.umask)
    if settings.nice is not None:
        try:
            os.setpriority(os.PRIO_PROCESS, 0, settings.nice)
        except PermissionError as error:
            raise ConfigError([_nice_refused(settings.nice, error.strerror)]) from None
    limit_descriptors(settings.nofile)


def limit_descriptors(nofile: int | str) -> None:
    """Set how many descriptors this process, and those it forks, may have.

    :raises ConfigError: more than the system allows.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if not isinstance(nofile, int):
        nofile = max(soft, min(hard, _NOFILE_CEILING)) if hard != resource.RLIM_INFINITY else _NOFILE_CEILING
    if nofile == soft:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (nofile, max(hard, nofile)))
    except (OSError, ValueError) as error:
        raise ConfigError([_nofile_refused(nofile, hard, error)]) from None


def _nice_refused(nice: int, reason: str | None) -> str:
    now = os.getpriority(os.PRIO_PROCESS, 0)
    return f"process.nice = {nice}: {reason}; less than {now} takes root or a `ulimit -e`"


def _nofile_refused(nofile: int, hard: int, reason: object) -> str:
    return f"process.nofile = {nofile}: {reason}; the hard limit is {hard} (`ulimit -Hn`), and only root can raise it"


def _most_descriptors() -> int:
    """Return the system's own limit, which not even root exceeds."""
    return int(Path("/proc/sys/fs/nr_open").read_text())


def _has_capability(number: int) -> bool:
    """Return whether this process has a capability, as capabilities(7) numbers it."""
    status = Path("/proc/self/status").read_text()
    effective = re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return effective is None or bool(int(effective[1], 16) >> number & 1)


def _become(account: Account) -> None:
    """Take on a user and its groups, so that there is no way back.

    In this order: once the user has changed, nothing else may be changed any more.
    """
    try:
        os.setgroups(account.groups)
        os.setresgid(account.gid, account.gid, account.gid)
        os.setresuid(account.uid, account.uid, account.uid)
    except OSError as error:
        raise SetupError(_not_become(account, error.strerror)) from None
    os.environ.update(account.environment)


def _not_become(account: Account, reason: str | None) -> str:
    return (
        f"can't become user {account.uid}, group {account.gid}: {reason} (it takes the capabilities SETUID and SETGID)"
    )
