# The C types of lmdb.py.

cimport cython

from corepool_kv.stores.lmdb_transaction cimport LmdbTransaction

cdef class LmdbStore:
    cdef object _options
    cdef readonly object max_bytes
    cdef readonly str eviction
    cdef readonly bint commits_are_slow
    cdef bint _is_temporary
    cdef object _path
    cdef readonly object _env
    cdef tuple _tables
    cdef tuple _ordered
    cdef long long _ordered_at
    cdef bint _is_dirty
    cdef object _syncing
    cdef bint _sync_failed
    cdef object _was_full_at
    cdef bint _is_open
    cdef LmdbTransaction _spare
    cdef object _log

    cpdef read(self)
    cpdef release(self, LmdbTransaction view)
    cpdef begin(self)
    @cython.locals(number=cython.longlong)
    cpdef commit(self, LmdbTransaction transaction)
    @cython.locals(view=LmdbTransaction)
    cdef LmdbTransaction _view(self, object txn)
    cdef _take_order(self, object txn, long long committed)
