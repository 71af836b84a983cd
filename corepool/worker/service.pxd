# The C types of service.py.

cimport cython

from corepool.hot.beginning cimport begin, begin_lost, begin_new
from corepool.hot.connection cimport Connection
from corepool.hot.fields cimport Fields
from corepool.hot.watching cimport Watching
from corepool.ipc.crash_slots cimport CrashSlots
from corepool.worker.addresses cimport Addresses
from corepool.worker.counts cimport ConnectionCounts
from corepool.worker.lingering cimport Lingerings

# C variables, which the .py file sets once.
cdef tuple _GRACEFUL
cdef object _MOVED

cdef class Service:
    cdef readonly object listener
    cdef readonly Py_ssize_t place
    cdef readonly bint has_layers
    cdef readonly object sites
    cdef readonly object site
    cdef readonly object moving
    cdef public long long hook_errors
    cdef public long long layer_failures
    cdef readonly object handshakes
    cdef object _proxied
    cdef bint _begins_at_once
    cdef object _threshold
    cdef object _records
    cdef CrashSlots _crash_slots
    cdef object _transport
    cdef Watching _reactor
    cdef readonly ConnectionCounts _counts
    cdef object _rate_limited
    cdef Addresses _addresses
    cdef Lingerings _lingering
    cdef tuple _looked_at
    cdef bint _has_spun

    cpdef object take_handed_over(self, int fd, object crash_slot=*)
    cpdef object take_accepted(self, int fd)
    cdef object _journal(self, object crash_slot)
    cdef object _leave_protocol(self, Fields conn, bint goes_on=*)
    @cython.locals(conn=Connection)
    cdef object _begin(self, int fd, object number, object crash_slot)
    cpdef object ended(self, Fields conn, int fd, object reason)
