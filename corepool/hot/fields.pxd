# The C types of fields.py.

from corepool.hot.site cimport Site
from corepool.spec.connection_base cimport ConnectionBase

cdef class Fields(ConnectionBase):
    cdef public Site site
    cdef public object entry
    cdef public object journal
    cdef public object layers
    cdef public object header
    cdef public object out
    cdef public object read_deadline
    cdef public object id
    cdef public long long bytes_in
    cdef public long long bytes_out
    cdef public Py_ssize_t high
    cdef public Py_ssize_t low
    cdef public double blocked_at
    cdef public double active_at
    cdef public double moved_at
    cdef public int fd
    cdef public int mask
    cdef public int reads_left
    cdef public bint paused
    cdef public bint drops_input
    cdef public bint was_congested
    cdef public bint eof_due

    cpdef object on_event(self, int mask)
