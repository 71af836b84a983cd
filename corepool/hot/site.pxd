# The C types of site.py.

from corepool.hot.watching cimport Watching

cdef class Site:
    cdef public str name
    cdef public object index
    cdef public object owner
    cdef public Watching reactor
    cdef public object deadlines
    cdef public list unsent
    cdef public object on_readable
    cdef public object on_accept
    cdef public object on_writable
    cdef public object on_timeout
    cdef public object on_drain
    cdef public object on_lost
    cdef public object on_close
    cdef public double idle_timeout
    cdef public double write_timeout
    cdef public Py_ssize_t high_water
    cdef public Py_ssize_t output_limit
    cdef public bint can_move
    cdef public Site then
    cdef public long long trigger
    cdef public object on_met
    cdef public str protocol
    cdef public object place
    cdef public Site opening
    cdef public long long hook_errors
    cdef public object parked
    cdef public long long events
    cdef public long long ends
    cdef public long long bytes_in
    cdef public long long bytes_out
    cdef public long long bytes_taken
