# The C types of requests.py.

cimport cython

from corepool_kv.memcached._wire cimport words_of

# C variables, which the .py file sets once.
cdef Py_ssize_t _MAX_LENGTH_DIGITS
cdef long long _LONGEST
cdef dict _WITH_VALUE

@cython.freelist(8)
cdef class Request:
    cdef readonly list words
    cdef readonly bytes value
    cdef readonly bint is_too_large
    cdef readonly bint is_broken

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

    @cython.locals(taken=bytes)
    cpdef feed(self, bytes data)
    @cython.locals(data=bytes, words=list, at=Py_ssize_t, end=Py_ssize_t)
    cpdef Request next(self)
    cdef _check_first(self)
    @cython.locals(begin=Py_ssize_t, end=Py_ssize_t, length=Py_ssize_t, received=bytes)
    cdef Request _begin_value(self, list words, bytes announced)
    cdef Request _end_value(self, list words)
