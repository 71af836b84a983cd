# The C types of state.py.

cdef class ServerState:
    cdef readonly object options
    cdef readonly object limits
    cdef readonly object parameters
    cdef readonly bytes password
    cdef readonly object pubsub
    cdef readonly object blocking
    cdef readonly object pid
    cdef readonly object slot
    cdef readonly double began_s
    cdef readonly dict sessions
    cdef public long long connections
    cdef public long long commands_run
    cdef public long long commands_per_s
    cdef long long _counted
    cdef readonly object errors
    cdef readonly str run_id
    cdef public object scripts
    cdef object _engine
    cdef long long _expired_before
    cdef long long _evicted_before
