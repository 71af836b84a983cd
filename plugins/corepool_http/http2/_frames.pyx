"""Functions of `frames.py` in machine code."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.exc cimport PyErr_CheckSignals, PyErr_SetFromErrno
from libc.errno cimport EINTR, errno

cdef extern from "<sys/uio.h>" nogil:
    cdef struct iovec:
        void* iov_base
        size_t iov_len
    ssize_t preadv(int fd, const iovec* places, int count, long long offset)

cdef enum:
    HEAD_SIZE = 9
    DATA = 0
    END_STREAM = 1
    MAX_FRAMES = 8


cpdef bytes frame_head(unsigned int size, unsigned int kind, unsigned int flags, unsigned int number):
    """See `frames.frame_head_in_python`."""
    cdef bytes head = PyBytes_FromStringAndSize(NULL, HEAD_SIZE)
    _put_head(<unsigned char*>PyBytes_AS_STRING(head), size, kind, flags, number)
    return head


cpdef bytes read_frames(int fd, long long offset, Py_ssize_t count, Py_ssize_t most, unsigned int number, bint ends):
    """See `frames.read_frames_in_python`. One call reads all frames, each into its place."""
    cdef iovec[MAX_FRAMES] places
    cdef unsigned char* place
    cdef Py_ssize_t wanted = min(count, MAX_FRAMES * most)
    cdef Py_ssize_t left = wanted
    cdef Py_ssize_t size
    cdef ssize_t found
    cdef int frames = 0
    cdef bytes data
    if most <= 0 or count <= 0:
        return b""
    data = PyBytes_FromStringAndSize(NULL, wanted + (wanted + most - 1) // most * HEAD_SIZE)
    place = <unsigned char*>PyBytes_AS_STRING(data)
    while left:
        size = min(left, most)
        places[frames].iov_base = place + HEAD_SIZE
        places[frames].iov_len = size
        frames += 1
        place += HEAD_SIZE + size
        left -= size
    while True:
        with nogil:  # a disk may have to be waited for
            found = preadv(fd, places, frames, offset)
        if found >= 0:
            break
        if errno != EINTR:
            PyErr_SetFromErrno(OSError)
        PyErr_CheckSignals()
    place = <unsigned char*>PyBytes_AS_STRING(data)
    left = found
    while left:
        size = min(left, most)
        left -= size
        _put_head(place, size, DATA, END_STREAM if ends and not left and found == count else 0, number)
        place += HEAD_SIZE + size
    size = place - <unsigned char*>PyBytes_AS_STRING(data)
    return data if found == wanted else data[:size]


cdef void _put_head(
    unsigned char* place, unsigned int size, unsigned int kind, unsigned int flags, unsigned int number
) noexcept:
    place[0] = size >> 16
    place[1] = size >> 8
    place[2] = size
    place[3] = kind
    place[4] = flags
    place[5] = number >> 24
    place[6] = number >> 16
    place[7] = number >> 8
    place[8] = number
