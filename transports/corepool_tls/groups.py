"""The groups (curves) that keys are agreed on with: those of Mozilla's intermediate configuration.

Python can choose them from 3.15 on (`SSLContext.set_groups`); before, only one (`set_ecdh_curve`), so that either the
clients without X25519 fail or all others pay a round trip more.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from corepool_tls import openssl

if TYPE_CHECKING:
    from collections.abc import Callable

_LISTS = ("X25519MLKEM768:X25519:P-256:P-384", "X25519:P-256:P-384")
"""The first is for OpenSSL 3.5 and newer; the one before knows no such group, and changes nothing then."""


def choose_groups(context: ssl.SSLContext) -> bool:
    """Allow the groups of the list; False: this Python can't, and those of OpenSSL stay, which are safe, too."""
    set_groups: Callable[[str], None] | None = getattr(context, "set_groups", None)
    if set_groups is not None:
        return any(_succeeds(set_groups, groups) for groups in _LISTS)
    return any(openssl.control(context, openssl.SET_GROUPS_LIST, text=groups.encode()) == 1 for groups in _LISTS)


def _succeeds(set_groups: Callable[[str], None], groups: str) -> bool:
    try:
        set_groups(groups)
    except ssl.SSLError:
        return False
    return True
