# The C types of response_blocks.py.

cimport cython

from corepool_http.http2.huffman cimport encode

cdef dict _INDEXED
cdef dict _STATUSES
cdef dict STATIC_NAMES
cdef object OF_CONNECTION
cdef object _SECRET

cpdef bytes encode_status(int status)
cpdef bytes encode_length(Py_ssize_t length)
@cython.locals(parts=list, line=bytes, name=bytes, value=bytes)
cpdef bytes encode_lines(bytes lines)
@cython.locals(parts=list, name=bytes, value=bytes)
cpdef bytes encode_fields(object fields)
@cython.locals(indexed=bytes, first=cython.int)
cpdef bytes encode_field(bytes name, bytes value)
@cython.locals(most=Py_ssize_t, encoded=bytearray)
cpdef bytes encode_integer(Py_ssize_t value, int bits, int first)
@cython.locals(coded=bytes)
cpdef bytes encode_string(bytes data)
