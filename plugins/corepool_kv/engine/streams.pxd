# The C types of streams.py. IDs have 128 bits, so they are objects.

from corepool_kv.engine.collection cimport Collection
from corepool_kv.engine.packing cimport join, split

cdef bytes _name(object entry_id)

cdef class Stream(Collection):
    cdef public object last_id
    cdef public object added
    cdef public object max_deleted_id
    cdef bint _has_grown
    cdef object _first_id

    cpdef save(self)
    cpdef _read(self, bytes rest)
    cpdef bytes _write(self)
    cpdef add(self, object entry_id, list fields)
