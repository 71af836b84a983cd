# The C types of _heads.pyx.

from corepool_http._lines cimport Names
from corepool_http.message cimport Request

cdef class HeadReader:
    cdef readonly Py_ssize_t end
    cdef readonly Py_ssize_t length
    cdef readonly object lower
    cdef Names _names
    cdef Py_ssize_t _max_head
    cdef Py_ssize_t _max_body
    cdef bytes _host

    cpdef Request read(self, bytes data, Py_ssize_t at)
    cdef bint _takes_host(self, bytes host) except -1
