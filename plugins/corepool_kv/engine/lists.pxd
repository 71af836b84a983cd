# The C types of lists.py.

from corepool_kv.engine.collection cimport Collection

cdef bytes _name(long long position)

cdef class List(Collection):
    cdef long long _head

    cpdef _read(self, bytes rest)
    cpdef bytes _write(self)
