# The C types of codec.py.

cimport cython

from corepool_http.http2.content cimport ContentFrames
from corepool_http.http2.judgement cimport JudgedSection
from corepool_http.http2.requests cimport RequestReader
from corepool_http.http2.streams cimport BaseStream

# C variables, which the imports of the .py file set once.
cdef bytes NEXT
cdef int CLIENT_ENDS
cdef int ENDED_BY_CLIENT
cdef int END_HEADERS
cdef int END_STREAM
cdef int FAULT
cdef int HEAD_SIZE
cdef int PADDED
cdef int REQUEST
cdef int WITH_PRIORITY
cdef Py_ssize_t STREAM_WINDOW
cdef Py_ssize_t _MAX_BLOCK
cdef Py_ssize_t _MAX_FRAGMENTS

cdef class Codec(ContentFrames):
    cdef public object failure
    cdef object _make_stream
    cdef RequestReader _reader
    cdef bytes _preface
    cdef bytes _rest
    cdef list _fragments
    cdef Py_ssize_t _fragments_of
    cdef Py_ssize_t _fragments_size
    cdef Py_ssize_t _max_streams
    cdef bint _fragments_end
    cdef bint _had_settings

    cpdef list receive(self, bytes data)
    @cython.locals(
        at=Py_ssize_t, end=Py_ssize_t, begin=Py_ssize_t, size=Py_ssize_t, kind=cython.int, flags=cython.int,
        number=Py_ssize_t,
    )
    cdef object _receive(self, bytes data)
    @cython.locals(size=Py_ssize_t)
    cdef Py_ssize_t _receive_preface(self, bytes data) except -1
    cdef object _receive_frame(
        self, int kind, int flags, Py_ssize_t number, bytes data, Py_ssize_t at, Py_ssize_t end
    )
    @cython.locals(padding=Py_ssize_t)
    cdef object _receive_headers(self, int flags, Py_ssize_t number, bytes data, Py_ssize_t at, Py_ssize_t end)
    cdef object _receive_continuation(self, int flags, bytes data, Py_ssize_t at, Py_ssize_t end)
    @cython.locals(stream=BaseStream, judged=JudgedSection)
    cdef object _receive_block(self, Py_ssize_t number, bytes block, bint ends)
    cdef object _expect_content(self, BaseStream stream)
    @cython.locals(stream=BaseStream)
    cdef object _receive_trailers(self, Py_ssize_t number, bytes block, bint ends)
