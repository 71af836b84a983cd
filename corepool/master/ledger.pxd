# The C types of ledger.py.

cdef class Handoff:
    cdef readonly int fd
    cdef readonly object socket
    cdef readonly object peer
    cdef readonly bytes frozen
    cdef readonly object origin
    cdef readonly unsigned int crash_slot

cdef class Ledger:
    cdef object _in_flight
    cdef public object received
    cdef public double waiting_since
