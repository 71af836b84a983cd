# The C types of lmdb_transaction.py.

from corepool_kv.stores._lmdb_records cimport parsed_short, place_of, short_record, short_value

# A C variable, which the .py file sets once.
cdef long long _WRITES_PER_TRANSACTION

cdef Py_ssize_t SHORT_BYTES
cdef Py_ssize_t _ID_END
cdef bytes SHORT

cdef bint _is_older(bytes before, bytes stored) except -1

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
    cpdef put_record(self, bytes key, object record)
    cdef long long _next_version(self) except -1
    cpdef bint delete(self, bytes key, long long now_ms) except -1
