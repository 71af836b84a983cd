# The C types of _plain_heads.pyx.

from corepool_http.head cimport Head

cdef class PlainHeads:
    cdef bytes _own

    cpdef object begin_with(self, bytes own)
    cpdef Head make(self, int code, bytes phrase, object string, list headers)
