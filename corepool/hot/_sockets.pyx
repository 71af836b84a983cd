"""`sockets.shut_down` and `sockets.drop_input`, in machine code."""

from cpython.exc cimport PyErr_CheckSignals
from libc.errno cimport EAGAIN, EINTR, errno

cdef extern from "<sys/socket.h>" nogil:
    int shutdown(int fd, int how)
    ssize_t recv(int fd, void* buffer, size_t size, int flags)
    int MSG_DONTWAIT

cdef enum:
    PIECE = 65536

cdef char[PIECE] _dropped  # the GIL is kept: the calls return at once


def shut_down(int fd, int how):
    """See `sockets.shut_down_in_python`."""
    shutdown(fd, how)


def drop_input(int fd):
    """See `sockets.drop_input_in_python`."""
    cdef ssize_t count
    while True:
        count = recv(fd, _dropped, PIECE, MSG_DONTWAIT)
        if count > 0:
            return True
        if count < 0 and errno == EAGAIN:
            return False
        if count == 0 or errno != EINTR:
            return None
        PyErr_CheckSignals()
