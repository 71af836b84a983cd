# The C types of request_stream.py.

cimport cython

from corepool_http._clock cimport monotonic
from corepool_http.http2.carrier cimport Carrier
from corepool_http.http2.response_stream cimport ResponseStream

cdef class RequestStream(ResponseStream):
    cdef object _tunnel
    cdef Py_ssize_t _body_mark

    cpdef object on_room(self)
    cpdef object on_content(self)
    cpdef object expect_content(self)
    cpdef object end_of_input(self)
    cpdef object leave(self)
    cpdef object let_go(self)
    @cython.locals(due=double, since=double, is_shut=bint)
    cpdef double check(self, double now) except -1
    cdef object _content_is_late(self)
