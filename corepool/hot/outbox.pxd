# The C types of outbox.py.

cdef class Outbox:
    cdef object _front
    cdef object _queue
    cdef Py_ssize_t _queued
    cdef Py_ssize_t _in_files

    cpdef append(self, object piece)
    cpdef front(self)
    cpdef advance(self, Py_ssize_t count)
    cpdef clear(self)
