# The C types of requests.py.

cdef class RequestReader:
    cdef Py_ssize_t _max_line
    cdef Py_ssize_t _max_item
    cdef bytes _data
    cdef Py_ssize_t _at
    cdef Py_ssize_t _searched
    cdef list _words
    cdef object _value
    cdef Py_ssize_t _missing
    cdef bint _drops
    cdef bint _is_first

    cpdef feed(self, bytes data)
    cpdef next(self)
