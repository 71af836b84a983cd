"""Closing descriptors."""

from __future__ import annotations

import os


def release_in_python(fd: int) -> None:
    """Close a descriptor whose owner has nothing to write that could still get lost.

    close(2) has released the number whatever it says, EINTR, EIO and ENOSPC included: there is nothing to be done
    again, and the caller must not leave its next steps undone.
    """
    try:  # and not `suppress`, which takes as long as the call: this is done for each connection
        os.close(fd)
    except OSError:
        pass


try:
    from corepool.files import _descriptors
except ImportError:  # corepool was installed without a compiler
    release = release_in_python
else:
    release = _descriptors.release
