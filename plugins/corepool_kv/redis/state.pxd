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
    cdef readonly object statistics
    cdef readonly dict sessions
    cdef public long long connections
    cdef public long long commands_run
    cdef public long long error_replies
    cdef readonly str run_id
    cdef public object oversight
    cdef public bint is_watched
    cdef public object slowlog
    cdef readonly double slow_s
    cdef public object scripts
    cdef object _engine
    cdef long long _bytes_in
    cdef long long _bytes_out
    cdef long long _expired
    cdef long long _evicted
    cdef long long _hits
    cdef long long _misses
    cdef object _second
    cdef object _present
