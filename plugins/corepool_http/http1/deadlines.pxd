# The C types of deadlines.py.

cimport cython

from corepool_http.message cimport Body

# C variables, which the .py file sets once.
cdef double _NEVER
cdef Py_ssize_t _PROGRESS

@cython.freelist(8)
cdef class Deadlines:
    cdef Body _body
    cdef Py_ssize_t _body_mark
    cdef object _conn
    cdef object _options
    cdef public double armed
    cdef public double due
    cdef public bint is_head_due
    cdef public double keep_alive_s

    cpdef object suspend(self)
    cpdef object arm(self)
    cpdef object expect_head(self)
    cpdef object expect_content(self, Body body)
    cpdef bint has_passed(self) except *
    cdef object _expect(self, double seconds)
