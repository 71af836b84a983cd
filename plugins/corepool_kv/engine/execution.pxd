# The C types of execution.py.

cimport cython

from corepool_kv.engine.keyspace cimport Keyspace
from corepool_kv.engine.lookups cimport Lookups

# C variables, which the .py file sets once.
cdef Py_ssize_t _REPLY_BYTES
cdef Py_ssize_t _ALL

cdef class Execution:
    cdef object _store
    cdef object _worker
    cdef readonly object room
    cdef Py_ssize_t _forced
    cdef bint _refuses_growth
    cdef readonly Keyspace reading
    cdef Keyspace _spare
    cdef dict _next
    cdef object _batches
    cdef object _thread
    cdef object _in_flight
    cdef dict _most
    cdef object _log
    cdef bint _is_closed
    cdef readonly bint has_failed
    cdef readonly object notifications
    cdef readonly Lookups lookups
    cdef public object clock
    cdef public object on_gained

    @cython.locals(db=Keyspace)
    cpdef Keyspace read(self, object limits)
    @cython.locals(db=Keyspace)
    cpdef end_event(self)
    cdef Keyspace _keyspace(self, object view, object limits)
    cdef Keyspace _equipped(self, Keyspace db)
    cpdef submit(self, object client, object work)
    cpdef schedule(self, object client)
    cpdef _end_batch(self)
    cdef _run_batches(self)
    @cython.locals(db=Keyspace, is_full=bint, most=Py_ssize_t)
    cpdef _attempt(self, list batch)
    cdef _settle(self, list batch, object result)

@cython.locals(replies=list, waiting=list, reply=bytes, size=Py_ssize_t)
cdef object _run(object client, Keyspace db, list removed, object on_gained, Py_ssize_t most)
