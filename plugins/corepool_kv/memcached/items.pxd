# The C types of items.py.

cimport cython

from corepool_kv.engine.keyspace cimport Keyspace

cpdef object find(Keyspace db, bytes key)

@cython.freelist(8)
cdef class Put:
    cdef readonly bytes key
    cdef readonly object cas
    cdef bytes _value
    cdef long long _flags
    cdef object _mode
    cdef bint _may_be_late

    @cython.locals(flags=cython.longlong)
    cpdef object store(self, Keyspace db, long long expires_ms)
    cdef object _extend(self, Keyspace db)
