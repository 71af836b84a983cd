# The C types of known.py.

cimport cython

from corepool_http.http2.judgement cimport JudgedSection, judge_section
from corepool_http.http2.response_blocks cimport encode_lines

cdef Py_ssize_t _MAX_KEPT
cdef Py_ssize_t _MAX_FIELDS

cdef class KnownBlocks:
    cdef object _sections
    cdef object _blocks

    @cython.locals(judged=JudgedSection)
    cpdef JudgedSection section(self, bytes authority, list fields)
    @cython.locals(block=bytes)
    cpdef bytes block(self, bytes lines)
