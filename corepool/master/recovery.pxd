# The C types of recovery.py.

cimport cython

from corepool.ipc.crash_slots cimport CrashSlots
from corepool.master.ledger cimport Handoff

# C variables, which the .py file sets once.
cdef int _FREE
cdef int _BUSY
cdef Py_ssize_t _SWEEP_AFTER

cdef class _Copy:
    cdef readonly int fd
    cdef readonly object socket
    cdef readonly int pid

cdef class Recovery:
    cdef CrashSlots _crash_slots
    cdef object _loop
    cdef list _free
    cdef Py_ssize_t _highest
    cdef Py_ssize_t _unswept
    cdef dict _copies
    cdef dict _crashes
    cdef object _sweeping
    cdef object _count

    @cython.locals(crash_slot=Py_ssize_t)
    cpdef Py_ssize_t take(self) except -1
    cpdef object keep(self, Handoff handoff, int pid)
    cpdef object free(self, Py_ssize_t crash_slot)
    @cython.locals(copy=_Copy, crash_slot=Py_ssize_t)
    cpdef object sweep(self)
