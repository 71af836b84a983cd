# The C types of deadlines.py.

cimport cython

cdef class Deadlines:
    cdef object _conn
    cdef public double armed
    cdef public double head
    cdef public double idle
    cdef public double leave
    cdef public double settings

    cpdef double now(self) except -1
    @cython.locals(due=double)
    cpdef double after(self, double seconds) except -1
    cpdef object watch(self, double due)
