# The C types of server.py.

cimport cython

from corepool.spec.connection_base cimport ConnectionBase
from corepool_kv.engine._clock cimport seconds
from corepool_kv.engine.execution cimport Execution
from corepool_kv.redis._plain_reader cimport RequestReader as PlainReader
from corepool_kv.redis.request_runner cimport RequestRunner
from corepool_kv.redis.running cimport Runner
from corepool_kv.redis.session cimport Session
from corepool_kv.redis.state cimport ServerState

# C variables, which the .py file sets once.
cdef Py_ssize_t _REPLY_BYTES
cdef Py_ssize_t _MAX_WAITING
cdef Py_ssize_t _MAX_WAITING_BYTES

cdef class Server:
    cdef readonly object options
    cdef object _pubsub
    cdef ServerState _state
    cdef readonly object limits
    cdef object _numbers
    cdef object _worker
    cdef Execution _execution
    cdef Runner _runner
    cdef object _blocks
    cdef object _oversight
    cdef RequestRunner _requests
    cdef object _counting
    cdef object _keyspace_channels

    @cython.locals(conn=ConnectionBase)
    cpdef receive(self, Session session)
    @cython.locals(conn=ConnectionBase, reader=PlainReader, out=list, request=list, reply=bytes, size=Py_ssize_t, served=Py_ssize_t)
    cpdef serve(self, Session session)
    cpdef proceed(self, Session session)
    cdef bint _has_to_wait(self, Session session) except -1
    cpdef _hold(self, Session session, Py_ssize_t received)
    cdef _stall(self, Session session)
    cdef _end_if_over(self, Session session)
