# The C types of response_stream.py.

cimport cython

from corepool_http._clock cimport monotonic
from corepool_http.head cimport Head
from corepool_http.http2.carrier cimport Carrier
from corepool_http.http2.codec cimport Codec
from corepool_http.http2.output cimport SharedOutput, Speaker
from corepool_http.http2.pending cimport FilePart, Pending

cdef Py_ssize_t _HIGH_WATER
cdef Py_ssize_t _LOW_WATER
cdef int _OPEN
cdef int _WHOLE
cdef int _BROKEN

cdef class ResponseStream(Speaker):
    cdef Carrier _carrier
    cdef public object exchange
    cdef tuple _head
    cdef readonly Pending _pending
    cdef object _trailers
    cdef public object token
    cdef public double body_due
    cdef int _ending
    cdef bint _is_made
    cdef bint _is_full
    cdef bint _is_over

    cpdef object let_go(self)
    cpdef object send_now(self)
    @cython.locals(
        carrier=Carrier, output=SharedOutput, codec=Codec, length=Py_ssize_t, count=Py_ssize_t, lines=bytes
    )
    cpdef object begin(self, Head head, object size, bytes content)
    cpdef object hint(self, bytes lines)
    cpdef object send(self, bytes data)
    cpdef object send_file(self, object file, long long offset, long long count)
    cdef Pending _queue(self)
    cdef object _queued(self)
    cpdef object end(self)
    cpdef object end_with(self, object trailers)
    cpdef object break_off(self)
    @cython.locals(carrier=Carrier)
    cdef object _end(self, int ending)
    cdef object _send_interim(self, int status, bytes lines)
    cpdef object end_output(self)
    @cython.locals(head=tuple, is_all=bint)
    cpdef object emit_head(self)
    @cython.locals(carrier=Carrier, pending=Pending, codec=Codec, size=Py_ssize_t, room=Py_ssize_t)
    cpdef Py_ssize_t emit(self, Py_ssize_t most) except -1
    @cython.locals(codec=Codec, is_last=bint, part=FilePart, size=Py_ssize_t, count=Py_ssize_t, data=bytes)
    cdef Py_ssize_t _emit_content(self, Pending pending, Py_ssize_t most) except -1
    cpdef object reset(self, int code)
