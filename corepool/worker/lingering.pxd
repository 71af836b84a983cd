# The C types of lingering.py.

from corepool.hot.fields cimport Fields

cdef class Lingerings:
    cdef readonly object reactor
    cdef readonly object loop
    cdef readonly object rate_limited
    cdef readonly dict open

    cpdef bint take(self, Fields conn, int fd) except -1
    cpdef bint add(self, int fd) except -1
