# The C types of head.py.

cimport cython

@cython.freelist(8)
cdef class Head:
    cdef readonly int status
    cdef readonly bytes phrase
    cdef readonly bytes lines
    cdef readonly object length
    cdef readonly bint closes
    cdef readonly bint bodyless
    cdef readonly bint upgrades

    cpdef Head with_trailer(self, bytes names)
    cpdef Head with_length(self, object length)
    cdef Head _with(self, bytes lines, object length)

cpdef object judge_final(Head head)
cpdef bint has_content(int status) except -1
