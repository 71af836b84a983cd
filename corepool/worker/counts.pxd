# The C types of counts.py.

# C variables, which the .py file sets once.
cdef int _RECEIVED
cdef int _ACCEPTED
cdef int _CLOSED
cdef int _SETTLED
cdef int _BEGAN
cdef int _ENDED
cdef int PER_LISTENER

cdef class ConnectionCounts:
    cdef public unsigned long long[::1] _cells
    cdef object _reactor
    cdef long long _limit
    cdef public long long _received
    cdef long long _accepted
    cdef long long _closed
    cdef long long _moved_in
    cdef long long _moved_out
    cdef unsigned long long[::1] _per_listener
    cdef unsigned long long[::1] _own
    cdef unsigned long long[::1] _shared
    cdef bint _is_published
    cdef public list on_room

    cpdef long long received(self) except -1
    cpdef bint is_shared(self, long long number) except -1
    cpdef object began(self, Py_ssize_t place)
    cpdef object ended(self, Py_ssize_t place)
    cpdef object own_number(self)
    cpdef object _tell_of_room(self, bint was_full)
    cpdef object _publish_later(self)
    cpdef object _publish(self)
