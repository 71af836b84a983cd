"""Reading and writing of sockets that don't block: the system calls of `os`, or shorter ways to them."""

from __future__ import annotations

try:
    from corepool.hot._io import read, write
except ImportError:  # corepool was installed without a compiler
    from os import read, write

__all__ = ["read", "write"]
