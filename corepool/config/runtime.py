"""The run-time folder, in which each running pool has its control socket NAME.sock, and the names of pools.

A pool is called as its configuration says, else after the folder of that; one of `serve` after its protocol and
address. Its name is that of its socket, so it has no other characters than a file's name should have, and two pools
never have the same one.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from corepool.errors import ControlError
from corepool.files.socketfile import MAX_PATH_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from corepool.config.settings import Settings

DEFAULT_CONFIG = Path("corepool.toml")
"""The configuration that commands look for where none is given."""

MAX_CONTROL_PATH_BYTES = MAX_PATH_BYTES - 1
"""Bytes of the control socket's path at most. At an upgrade a second one beside it has a name one byte longer."""

SUFFIX = ".sock"

_RUN = Path("/run")

_TEMPORARY = Path("/tmp")  # noqa: S108  # not TMPDIR: a pool and the commands for it must look at the same place

_MAX_NAME_BYTES = 48
"""Of a pool's name: enough to tell pools apart, and `corepool ps` still fits into a terminal."""

_MIN_NAME_BYTES = 8
"""Left of a name in a folder with a long path; if even that is too long, the path is."""

_PUNCTUATION = "_.:@-"


class Origin(NamedTuple):
    """The place that a pool's settings come from."""

    name: str
    """What the pool is called if the settings don't say."""
    configuration: Path | None = None
    """The file, as an absolute path; None: there is none."""


class Place(NamedTuple):
    """A running pool's name, and the place where commands find it."""

    name: str
    path: Path
    """Its control socket in the run-time folder, or a link to it."""
    configuration: Path | None = None
    """The file that it was started from, if any."""
    wanted: str = ""
    """The name that its configuration had for it when it was started; it has another if that was another pool's."""
    is_listed: bool = True
    """False: the path isn't the pool's, since the run-time folder was refused, or no name was free."""

    @property
    def file(self) -> str | None:
        """The configuration as JSON has it."""
        return None if self.configuration is None else str(self.configuration)

    def tell(self) -> list[object]:
        """Return all that a new master keeps."""
        return [self.name, str(self.path), self.wanted, self.is_listed]


def origin_of_file(path: Path) -> Origin:
    """Return the origin of a configuration: a pool of shop/corepool.toml is `shop`, one of shop/test.toml `shop-test`.

    Links are not followed: at the next reload the same path may lead to another file.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100  # Path.resolve() follows links
    folder = path.parent.name
    if path.stem == "corepool" and folder:
        return Origin(folder, path)
    return Origin("-".join(filter(None, (folder, path.stem))), path)


def origin_of_flags(protocol: str, bind: Sequence[str]) -> Origin:
    """Return the origin of a pool of `serve`: http-127.0.0.1:8000."""
    address = bind[0].partition(":")[2].lstrip("/") if bind else ""
    return Origin("-".join(filter(None, (protocol, address.partition("?")[0]))))


def wanted_name(settings: Settings, origin: Origin) -> str:
    """Return the name that a configuration wants for its pool: of [process], of its only [pool], or its origin's."""
    pools = settings.pools
    return settings.process.name or (pools[0].name if len(pools) == 1 else None) or origin.name


def names_for(wanted: str, configuration: Path | None) -> list[str]:
    """List the names that a pool may get, the best first: others are for when another pool has that.

    The second one has a part that depends on the path of the configuration: it never is another project's.
    """
    folder = runtime_folder()
    room = min(_MAX_NAME_BYTES, MAX_CONTROL_PATH_BYTES - len(os.fsencode(folder)) - len(f"/{SUFFIX}"))
    name = _as_file_name(wanted)
    suffixes = ["", f"-{os.getpid()}"]
    if configuration is not None:
        import hashlib  # noqa: PLC0415 - most names are short

        suffixes.insert(1, f"-{hashlib.blake2s(os.fsencode(configuration)).hexdigest()[:4]}")
    return [_cut(name, max(_MIN_NAME_BYTES, room - len(suffix))) + suffix for suffix in suffixes]


def place_of(name: str, configuration: Path | None) -> Place:
    """Return the place of a pool in the run-time folder."""
    return Place(name, runtime_folder() / f"{name}{SUFFIX}", configuration)


def control_socket_path(settings: Settings, origin: Origin) -> Path:
    """Return the path of the control socket: as configured, else in the run-time folder, if its name is free there."""
    if settings.control.socket is not None:
        return Path(settings.control.socket)
    configuration = origin.configuration
    return place_of(names_for(wanted_name(settings, origin), configuration)[0], configuration).path


def runtime_folder() -> Path:
    """Return the folder of this user's pools."""
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    if runtime.is_absolute():  # the XDG specification says to ignore others
        return runtime / "corepool"
    return _folder_without_session(os.geteuid())


def runtime_folders() -> list[Path]:
    """List the folders in which commands find pools; for root, those of all users.

    A login shell, cron and a service have different environments, so a user's pools may be in several. Only a folder
    that was chosen on purpose is the only one: with an XDG_RUNTIME_DIR that is not the one of logins.
    """
    own, uid = runtime_folder(), os.geteuid()
    of_login = Path(f"/run/user/{uid}/corepool")
    if own not in (of_login, _folder_without_session(uid)):
        return [own]
    # corepool-*: RuntimeDirectory= of services. /run/corepool is root's own, so no service should have that.
    folders = [own, of_login, _folder_without_session(uid), _RUN / "corepool", *sorted(_RUN.glob("corepool-*"))]
    if uid == 0:
        folders += sorted(_RUN.glob("user/*/corepool"))
        folders += sorted(each for each in _TEMPORARY.glob("corepool-*") if _is_of_its_user(each))
    return [each for each in dict.fromkeys(folders) if each == own or _is_readable_by(each, uid)]


def refuse_others_folder(socket: Path) -> None:
    """Refuse a control socket at its default place if the folder isn't ours alone: in /tmp any user may have made it.

    :raises ControlError: it belongs to another user, or others may write to it. A missing folder is fine.
    """
    folder = socket.parent
    try:
        status = folder.lstat()
    except OSError:
        return
    if not stat.S_ISDIR(status.st_mode):
        reason = "is not a folder"
    elif status.st_uid != os.geteuid():
        reason = f"belongs to user {status.st_uid}"
    elif status.st_mode & 0o022:
        reason = f"can be written by others (mode {stat.S_IMODE(status.st_mode):04o})"
    else:
        return
    raise ControlError(f"control socket {socket}: {str(folder)!r} {reason}; choose another path with --control PATH")


def is_own_folder(folder: Path) -> bool:
    """Return whether files may be removed from a folder: another user could lead us elsewhere meanwhile."""
    try:
        refuse_others_folder(folder / f"any{SUFFIX}")
    except ControlError:
        return False
    return True


def sockets_in(folder: Path) -> Iterator[Path]:
    """Yield the control sockets in a run-time folder, and the links to such, by name."""
    try:
        yield from sorted(each for each in folder.iterdir() if each.suffix == SUFFIX)
    except OSError:  # there is none, or it is not ours to read
        return


def _folder_without_session(uid: int) -> Path:
    return _RUN / "corepool" if uid == 0 else _TEMPORARY / f"corepool-{uid}"


def _is_of_its_user(folder: Path) -> bool:
    uid = folder.name.removeprefix("corepool-")
    try:
        status = folder.lstat()
    except OSError:
        return False
    return uid.isdecimal() and stat.S_ISDIR(status.st_mode) and status.st_uid == int(uid)


def _is_readable_by(folder: Path, uid: int) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and (uid == 0 or (status.st_uid == uid and not status.st_mode & 0o022))


def _as_file_name(text: str) -> str:
    """Replace characters that have a meaning for the shell, the terminal or the file system."""
    name = "".join(each if each.isalnum() or each in _PUNCTUATION else "-" for each in text)
    return name.strip("-.") or "pool"


def _cut(name: str, room: int) -> str:
    return os.fsencode(name)[:room].decode(errors="ignore").rstrip("-.")
