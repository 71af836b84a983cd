# The C types of request_runner.py.

cimport cython

from corepool_kv.engine._clock cimport seconds
from corepool_kv.redis.entry cimport Command
from corepool_kv.redis.running cimport Runner
from corepool_kv.redis.session cimport Session
from corepool_kv.redis.state cimport ServerState

cdef class RequestRunner:
    cdef ServerState _state
    cdef Runner _runner
    cdef object _blocks
    cdef object _resume
    cdef object _oversight
    cdef object _transactions
    cdef object _pubsub
    cdef object _attacks

    @cython.locals(command=Command)
    cpdef bytes serve(self, Session session, list request)
    @cython.locals(on_data=object, args=list)
    cdef bytes _run(self, Session session, Command command, list request)
    cdef _keep(self, Session session, list request)
    cdef bytes _serve_watched(self, Session session, Command command, list request)
    cdef bytes _serve_silently(self, Session session, list request)
