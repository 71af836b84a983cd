# The C types of shipping.py.

from corepool.master.ledger cimport Handoff

cdef class Shipping:
    cdef object _recovery
    cdef list _unsent
    cdef dict _waiting
    cdef public Py_ssize_t in_transit

    cpdef object post(self, object entry, Handoff handoff)
    cpdef object next_unsent(self)
    cpdef list send(self, object entry, double now)
    cpdef bint settle(self, object entry, object received, double now) except -1
