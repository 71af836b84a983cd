# The C types of running.py.

cimport cython

from corepool_kv.engine._clock cimport seconds
from corepool_kv.engine.execution cimport Execution
from corepool_kv.engine.keyspace cimport Keyspace
from corepool_kv.redis.replies cimport encode
from corepool_kv.redis.session cimport Session, size_in_memory
from corepool_kv.redis.state cimport ServerState

cdef class Write:
    cdef Runner _runner
    cdef object _on_data
    cdef list _args
    cdef bint _grows
    cdef Session _session
    cdef list _request
    cdef bint _resp3
    cdef Py_ssize_t _database
    cdef readonly bint is_silent

    @cython.locals(here=Keyspace, began_s=double, took_s=double)
    cpdef bytes run(self, Keyspace db)

cdef class Runner:
    cdef readonly ServerState state
    cdef Execution _execution

    @cython.locals(db=Keyspace, began_s=double, took_s=double)
    cpdef bytes read(self, Session session, object on_data, list args, list request)
    cpdef submit(
        self, Session session, object on_data, list args, list request, Py_ssize_t held_bytes=*, bint grows=*
    )
    cpdef submit_work(self, Session session, object work, Py_ssize_t size)
    cpdef count(self, object error)
