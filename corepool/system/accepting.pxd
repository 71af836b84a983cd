# The C types of accepting.py.

cdef class Accepting:
    cdef object _accept_one
    cdef object _listening
    cdef object _url
    cdef object _side
    cdef object _call_later
    cdef object _rate_limited
    cdef bint _is_paused
    cdef bint _is_resting
    cdef bint _is_watched

    cpdef Py_ssize_t accept(self, Py_ssize_t most) except -1
