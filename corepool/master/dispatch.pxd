# The C types of dispatch.py.

from corepool.master.ledger cimport Handoff
from corepool.master.placing cimport Placing
from corepool.master.shipping cimport Shipping

cdef class Dispatch:
    cdef object _loop
    cdef dict _bound
    cdef public Placing _placing
    cdef Shipping _shipping
    cdef dict _waiting
    cdef Py_ssize_t _waiting_count
    cdef object _told_of
    cdef Py_ssize_t _max_in_transit
    cdef object _settle_timer
    cdef double _settle_delay_s
    cdef object _scoreboard
    cdef object _recovery
    cdef object _on_stray
    cdef public object on_full
    cdef public object on_room
    cdef public object on_waiting
    cdef public object on_faulty
    cdef bint _paused

    cpdef bint has_room(self, object socket) except -1
    cpdef object refresh(self)
    cpdef object place(self, object bound, int fd, object sockaddr)
    cpdef object flush(self)
    cdef object _place(self, Handoff handoff)
    cdef object _keep(self, Handoff handoff)
    cdef bint _settle(self, object entry, double now) except -1
    cdef object _pace(self)
    cpdef object _on_settle_timer(self)
