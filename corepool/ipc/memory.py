"""Memory that processes share: anonymous, or that of a descriptor, which programs that are executed can map as well."""

from __future__ import annotations

import ctypes
import mmap
import os

_MAP_FIXED = 0x10

_MAP_FAILED = ctypes.c_void_p(-1).value

_mmap = ctypes.CDLL(None, use_errno=True).mmap
_mmap.restype = ctypes.c_void_p
_mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]


def share(size: int, fd: int | None = None) -> mmap.mmap:
    """Map memory that forked processes share.

    :param fd: of a file of `size` bytes that it is to be; it may be closed afterwards. Not by mmap.mmap itself, which
        keeps a descriptor of its own: a worker closes all that it doesn't know, and its number would be another's.
    :raises OSError: the system refuses.
    """
    area = mmap.mmap(-1, size)
    if fd is not None:
        _map_over(area, mmap.MAP_SHARED, fd)
    return area


def make_private(area: mmap.mmap) -> None:
    """Turn shared memory into memory of this process, all zeros: views that others hold stay valid."""
    _map_over(area, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1)


def _map_over(area: mmap.mmap, flags: int, fd: int) -> None:
    """Replace the pages of a mapping: mmap(2), MAP_FIXED."""
    start = ctypes.addressof(ctypes.c_char.from_buffer(area))
    if _mmap(start, len(area), mmap.PROT_READ | mmap.PROT_WRITE, flags | _MAP_FIXED, fd, 0) == _MAP_FAILED:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
