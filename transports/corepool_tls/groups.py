"""The groups (curves) that keys are agreed on with: those of Mozilla's intermediate configuration.

Python can choose them from 3.15 on (`SSLContext.set_groups`); before, only one (`set_ecdh_curve`), so that either the
clients without X25519 fail or all others pay a round trip more. There OpenSSL is called by its own name: its context
is the first field of Python's, behind the header of all objects, in each version of CPython that this is used for.
"""

from __future__ import annotations

import _ssl
import ctypes
import ssl
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LISTS = ("X25519MLKEM768:X25519:P-256:P-384", "X25519:P-256:P-384")
"""The first is for OpenSSL 3.5 and newer; the one before knows no such group, and changes nothing then."""

_SET_GROUPS_LIST = 92
"""SSL_CTRL_SET_GROUPS_LIST: SSL_CTX_set1_groups_list(3) is a macro."""

_KNOWN = (3, 11), (3, 14)
"""Versions of Python, from and to, whose context was looked at (Modules/_ssl.c, PySSLContext)."""


def choose_groups(context: ssl.SSLContext) -> bool:
    """Allow the groups of the list; False: this Python can't, and those of OpenSSL stay, which are safe, too."""
    set_groups: Callable[[str], None] | None = getattr(context, "set_groups", None)
    if set_groups is not None:
        return any(_succeeds(set_groups, groups) for groups in _LISTS)
    if sys.implementation.name != "cpython" or not _KNOWN[0] <= sys.version_info[:2] <= _KNOWN[1]:
        return False
    try:
        control = ctypes.CDLL(_ssl.__file__).SSL_CTX_ctrl
    except (AttributeError, OSError):  # OpenSSL is inside of the interpreter, without its names
        return False
    control.restype = ctypes.c_long
    control.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_char_p)
    pointer = ctypes.c_void_p.from_address(id(context) + object.__basicsize__)
    return any(control(pointer, _SET_GROUPS_LIST, 0, groups.encode()) == 1 for groups in _LISTS)


def _succeeds(set_groups: Callable[[str], None], groups: str) -> bool:
    try:
        set_groups(groups)
    except ssl.SSLError:
        return False
    return True
