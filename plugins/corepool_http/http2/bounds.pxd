# The C types of bounds.py.

cimport cython

cdef class Bounds:
    cdef object _clock
    cdef list _left
    cdef object _since

    @cython.locals(left=list, now=double)
    cpdef object count(self, int what, str abuse)
