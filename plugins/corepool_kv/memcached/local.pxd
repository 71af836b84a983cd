# The C types of local.py.

cimport cython

from corepool_kv.engine.execution cimport Execution
from corepool_kv.engine.keyspace cimport Keyspace
from corepool_kv.engine.turns cimport SessionBase
from corepool_kv.memcached.session cimport Session
from corepool_kv.memcached.steps cimport Step

cdef class LocalItems:
    cdef readonly object limits
    cdef readonly object room
    cdef Execution _execution
    cdef Py_ssize_t _database
    cdef object _flusher

    @cython.locals(db=Keyspace)
    cpdef bytes run(self, Session session, Step step)
    cpdef proceed(self, SessionBase session)
    cpdef end_event(self)
    @cython.locals(db=Keyspace)
    cdef Keyspace _view(self)
    cdef bytes _submit(self, Session session, Step step)
