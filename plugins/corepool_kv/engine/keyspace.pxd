# The C types of keyspace.py.

from corepool_kv.engine.lookups cimport Lookups
from corepool_kv.stores.access_clock cimport AccessClock

cdef class Keyspace:
    cdef readonly object view
    cdef readonly long long now_ms
    cdef readonly object limits
    cdef readonly Py_ssize_t number
    cdef dict _others
    cdef object _transaction
    cdef Py_ssize_t _max_key
    cdef Py_ssize_t _max_value
    cdef object _elements
    cdef public AccessClock access
    cdef public bint is_full
    cdef public Py_ssize_t changes
    cdef public list at_end
    cdef public list gained
    cdef public object notifications
    cdef public Lookups lookups

    cpdef renew(self, object view, long long now_ms)
    cpdef Keyspace select(self, Py_ssize_t number)
    cpdef find(self, bytes key)
    cpdef peek(self, bytes key)
    cpdef get(self, bytes key)
    cpdef put(self, bytes key, bytes value, long long expires_ms=*, long long flags=*)
    cpdef put_record(self, bytes key, object record)
    cpdef check_key(self, bytes key)
    cpdef check_length(self, Py_ssize_t length)
    cpdef count(self, bytes key, bint is_there)
    cpdef notify(self, bytes event, bytes key)
    cpdef finish(self)
