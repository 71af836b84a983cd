"""Settings of OpenSSL that Python's ssl has no names for.

OpenSSL is called by its own name: its context is the first field of Python's, behind the header of all objects, in each
version of CPython that this is used for.
"""

from __future__ import annotations

import _ssl
import ctypes
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

SET_GROUPS_LIST = 92
"""SSL_CTRL_SET_GROUPS_LIST: SSL_CTX_set1_groups_list(3) is a macro."""
SET_SESS_CACHE_MODE = 44
"""SSL_CTRL_SET_SESS_CACHE_MODE: SSL_CTX_set_session_cache_mode(3)."""
SET_MAX_CERT_LIST = 51
"""SSL_CTRL_SET_MAX_CERT_LIST: SSL_CTX_set_max_cert_list(3)."""

_KNOWN = (3, 11), (3, 14)
"""Versions of Python, from and to, whose context was looked at (Modules/_ssl.c, PySSLContext)."""


def control(context: ssl.SSLContext, command: int, number: int = 0, text: bytes | None = None) -> int | None:
    """Call SSL_CTX_ctrl(3) and return its answer; None: this Python can't."""
    if sys.implementation.name != "cpython" or not _KNOWN[0] <= sys.version_info[:2] <= _KNOWN[1]:
        return None
    try:
        function = ctypes.CDLL(_ssl.__file__).SSL_CTX_ctrl
    except (AttributeError, OSError):  # OpenSSL is inside of the interpreter, without its names
        return None
    function.restype = ctypes.c_long
    function.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_char_p)
    pointer = ctypes.c_void_p.from_address(id(context) + object.__basicsize__)
    answer: int = function(pointer, command, number, text)
    return answer
