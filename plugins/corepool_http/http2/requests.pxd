# The C types of requests.py.

cimport cython

from corepool_http.http2.hpack cimport Decoder
from corepool_http.http2.judgement cimport JudgedSection, Pseudo, judge_all, judge_line
from corepool_http.http2.known cimport KnownBlocks
from corepool_http.http2.streams cimport BaseStream
from corepool_http.message cimport Request

cdef class RequestReader:
    cdef KnownBlocks _known
    cdef Decoder _decoder
    cdef dict _remembered
    cdef Py_ssize_t _max_size
    cdef Py_ssize_t _max_line
    cdef Py_ssize_t _bomb
    cdef Py_ssize_t _changes
    cdef bint _knows_protocol

    @cython.locals(decoder=Decoder, judged=JudgedSection, found=tuple)
    cpdef JudgedSection read(self, bytes block, BaseStream stream)
    @cython.locals(
        changes=Py_ssize_t, most=Py_ssize_t, at=Py_ssize_t, leading=list, fields=list, rest=bytes,
        judged=JudgedSection, found=tuple, pseudo=Pseudo,
    )
    cdef JudgedSection _read(self, Decoder decoder, bytes block, BaseStream stream)
    @cython.locals(decoder=Decoder, pseudo=Pseudo, name=bytes, value=bytes, count=Py_ssize_t)
    cdef Pseudo _take_pseudo(self, list leading, list fields)
    @cython.locals(decoder=Decoder, is_too_large=bint, path=bytes, authority=bytes, request=Request)
    cdef JudgedSection _judge(self, Pseudo pseudo, list fields, JudgedSection judged, BaseStream stream)
    @cython.locals(decoder=Decoder, remembered=dict)
    cdef object _remember(self, object line, JudgedSection judged, bytes block, bytes rest)
    cdef object _too_large(self)
    cdef object _seen(self, Pseudo pseudo, list fields, object refusal)
    @cython.locals(decoder=Decoder)
    cpdef list read_trailers(self, bytes block)
    cpdef list skip(self, bytes block)

@cython.locals(name=bytes, value=bytes)
cdef bytes _authority(list leading)
