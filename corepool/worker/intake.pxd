# The C types of intake.py.

cdef class Intake:
    cdef object _channel
    cdef object _services
    cdef object _counts
    cdef object _loop
    cdef object _on_order
    cdef object _on_exhausted
    cdef object _on_orphaned
    cdef object _reactor
    cdef bint _open
    cdef object _rate_limited

    cpdef object on_event(self, object mask)
    cpdef object _take(self, object message, object arrived)
