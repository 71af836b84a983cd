# The C types of codec.py.

cimport cython

from corepool_http.http1._heads cimport HeadReader as CompiledHeadReader
from corepool_http.message cimport Body, Request, RequestLine, Section

# C variables, which the .py file, or its imports, set once.
cdef object _OF_CONTENT
cdef object _END_OF_HEAD
cdef Py_ssize_t IN_CHUNKS

@cython.freelist(8)
cdef class RequestParser:
    cdef public list ready
    cdef public object refusal
    cdef public Body body
    cdef public bytearray after_upgrade
    cdef public Py_ssize_t left
    cdef public bint in_head
    cdef public bint is_between
    cdef object _options
    cdef CompiledHeadReader _heads
    cdef object _http
    cdef object _host
    cdef object _chunks
    cdef bytes _target
    cdef list _headers
    cdef bytes _tail
    cdef Request _request
    cdef Request _last
    cdef Py_ssize_t _counted
    cdef Py_ssize_t _size
    cdef Py_ssize_t _chunk
    cdef Py_ssize_t _fed
    cdef Py_ssize_t _length
    cdef bint _serves_websockets
    cdef bint _is_over
    cdef bint _is_partial

    @cython.locals(request=Request)
    cpdef object feed(self, bytes data)
    @cython.locals(request=Request, at=Py_ssize_t, size=Py_ssize_t)
    cpdef Request take(self, bytes data)
    cpdef object drop(self)
    cpdef object end(self)
    cpdef object fail_body(self, object refusal=*)
    cdef Py_ssize_t _feed(self, bytes data, Py_ssize_t at) except -1
    cdef object _begin_content(self, Request request, Py_ssize_t length)
    cdef Py_ssize_t _feed_llhttp(self, object http, bytes data, Py_ssize_t at) except -1
    cpdef Py_ssize_t _find_end(self, bytes data, Py_ssize_t at) except -1
    cdef Py_ssize_t _decode(self, object chunks, bytes data, Py_ssize_t at) except -1
    cdef Py_ssize_t _take_counted(self, bytes data, Py_ssize_t at) except -1
    cdef object _complete(self)
    cpdef object take_content(self, bytes data)
    cdef object _judge_upgrade(self, Request request)
    cdef bint _may_exceed(self) except -1
    cdef object _find_excess(self)
    cdef object _refuse(self, object refusal)
