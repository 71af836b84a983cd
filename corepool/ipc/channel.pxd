# The C types of channel.py.

from corepool.ipc.encoding cimport decode, encode

cdef tuple _decode(bytes record, list fds)

cdef class Channel:
    cdef object _sock
    cdef readonly int fd

    cpdef object send(self, object message, object fds=*)
    cpdef object receive(self)
    cdef object _receive(self, size_t space, int flags)
