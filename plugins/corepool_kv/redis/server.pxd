# The C types of server.py.

cimport cython

from corepool.spec.connection_base cimport ConnectionBase
from corepool_kv.engine._clock cimport seconds
from corepool_kv.engine.execution cimport Execution
from corepool_kv.engine.turns cimport ServerBase, SessionBase
from corepool_kv.redis.request_runner cimport RequestRunner
from corepool_kv.redis.running cimport Runner
from corepool_kv.redis.session cimport Session
from corepool_kv.redis.state cimport ServerState

cdef class Server(ServerBase):
    cdef readonly object options
    cdef object _pubsub
    cdef ServerState _state
    cdef readonly object limits
    cdef object _numbers
    cdef Execution _execution
    cdef Runner _runner
    cdef object _blocks
    cdef object _oversight
    cdef RequestRunner _requests
    cdef object _counting
    cdef object _keyspace_channels

    @cython.locals(conn=ConnectionBase)
    cpdef receive(self, Session session)
    @cython.locals(mine=Session)
    cpdef serve(self, SessionBase session)
    @cython.locals(mine=Session, request=list, reply=bytes)
    cpdef bytes next_reply(self, SessionBase session)
    cpdef _hold(self, Session session, Py_ssize_t received)
    cdef bytes _refuse(self, Session session, object error)
