from cpython.object cimport PyObject

cdef enum:
    RETURNED = 0
    YIELDED = 1

cdef class Coroutine:
    cdef object inner

    cdef int resume(self, object value, PyObject** result) except -1
    cdef object thrown(self, object error)
    cdef object closed(self)
