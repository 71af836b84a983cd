# The C types of collection.py.

from corepool_kv.engine.keyspace cimport Keyspace

cdef class Collection:
    cdef readonly Keyspace db
    cdef readonly bytes key
    cdef readonly object elements
    cdef public bytes id
    cdef public Py_ssize_t count
    cdef public object expires_ms
    cdef public bint is_new

    cpdef save(self)
    cpdef describe(self)
    cpdef tell(self, bytes event)
    cpdef _read(self, bytes rest)
    cpdef bytes _write(self)
