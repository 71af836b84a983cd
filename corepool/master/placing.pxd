# The C types of placing.py.

cdef class Placing:
    cdef object _workers
    cdef object _loads
    cdef object _ready
    cdef public dict _entries
    cdef dict _blocked
    cdef object _rate_limited
    cdef public list candidates
    cdef public bint is_mixed

    cpdef list read(self)
    cpdef object reconsider(self, double now)
    cpdef object block(self, object entry)
    cpdef object choose(self, object listener, object socket, object incoming, object origin=*, object slot=*)
    cpdef object not_sent(self, object entry, Py_ssize_t count)
    cdef object _use(self, object ready)
    cpdef object placed(self, object entry)
