# The C types of lmdb_transaction.py.

from corepool_kv.stores._lmdb_records cimport place_of, short_record, short_value

cdef class LmdbTransaction:
    cdef readonly object txn
    cdef object _data
    cdef object _expiry
    cdef object _elements
    cdef object _databases
    cdef readonly bint has_swapped
    cdef Py_ssize_t _number
    cdef dict _others
    cdef long long _version
    cdef public list removed

    cpdef renew(self, object txn, object databases)
    cpdef get(self, bytes key)
    cpdef get_value(self, bytes key, long long now_ms)
    cpdef put(self, bytes key, bytes value, long long expires_ms, long long flags)
    cdef object _next_version(self)
    cpdef bint delete(self, bytes key, long long now_ms) except -1
