# The C types of hpack.py.

cimport cython

from corepool_http.http2.fields cimport fault_of, fault_of_value
from corepool_http.http2.huffman cimport decode as decode_huffman

# C variables, which the .py file sets once.
cdef list STATIC
cdef int MAX_PSEUDO_INDEX
cdef Py_ssize_t _FIRST_DYNAMIC
cdef int _ENTRY_COST
cdef int _MAX_INTEGER_BYTES

cdef class Decoder:
    cdef list _table
    cdef Py_ssize_t _size
    cdef Py_ssize_t _max_size
    cdef public Py_ssize_t changes
    cdef public bint has_faults
    cdef public object fault
    cdef public Py_ssize_t size

    cpdef object begin(self)
    @cython.locals(end=Py_ssize_t, table=list, first=cython.int, index=Py_ssize_t, mask=cython.int, field=tuple)
    cpdef Py_ssize_t decode(self, bytes block, Py_ssize_t at, list fields, Py_ssize_t most, bint only_pseudo) except -1
    @cython.locals(place=Py_ssize_t)
    cdef bint _is_pseudo(self, Py_ssize_t index) except -1
    @cython.locals(name=bytes, value=bytes)
    cdef tuple _literal(self, bytes block, Py_ssize_t at, Py_ssize_t index, int mask)
    cdef object _insert(self, tuple field)
    @cython.locals(table=list, size=Py_ssize_t, count=Py_ssize_t)
    cdef object _evict(self)
    @cython.locals(size=Py_ssize_t)
    cdef Py_ssize_t _resize(self, bytes block, Py_ssize_t at) except -1

# `byte` is shifted by 28 bits.
@cython.locals(value=Py_ssize_t, shift=cython.int, place=Py_ssize_t, byte=Py_ssize_t)
cpdef (Py_ssize_t, Py_ssize_t) integer(bytes block, Py_ssize_t at, Py_ssize_t prefix) except *
@cython.locals(first=cython.int, size=Py_ssize_t, end=Py_ssize_t, data=bytes)
cpdef tuple string(bytes block, Py_ssize_t at)
