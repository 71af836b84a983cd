# The C types of recovery.py.

cimport cython

from corepool.master.ledger cimport Handoff

cdef class _Copy:
    cdef readonly int fd
    cdef readonly object socket
    cdef readonly int pid

cdef class Recovery:
    cdef object _crash_slots
    cdef object _loop
    cdef list _free
    cdef dict _copies
    cdef dict _crashes
    cdef object _sweeping
    cdef object _count

    cpdef object take(self)
    cpdef object keep(self, Handoff handoff, int pid)
    cpdef object free(self, object crash_slot)
    @cython.locals(copy=_Copy)
    cpdef object sweep(self)
