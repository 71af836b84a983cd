"""`accept_one` of accepting.py, in machine code, as long as it goes well."""

from libc.errno cimport EAGAIN, errno

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <sys/socket.h>
    """
    int SOCK_CLOEXEC
    int SOCK_NONBLOCK
    int accept4(int, void*, void*, int) nogil


def accept_one(otherwise, listening):
    """Accept a connection without its peer's address; `otherwise` is `accepting.accept_one`, which knows the errors.

    The GIL is kept: nothing here waits, and a thread that takes it meanwhile may keep it for 5 ms.
    """
    cdef int fd = accept4(listening.fileno(), NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)
    if fd >= 0:
        return fd, None
    return None if errno == EAGAIN else otherwise(listening)
