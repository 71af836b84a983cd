# The C types of stream_base.py.

from corepool_http.head cimport Head

cdef class StreamBase:
    cpdef object begin(self, Head head, object size, bytes content)
    cpdef object send(self, bytes data)
    cpdef object end(self)
