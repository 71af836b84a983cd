# The C types of service.py.

from corepool.hot.connection cimport Connection
from corepool.hot.fields cimport Fields
from corepool.worker.counts cimport ConnectionCounts

cdef class Service:
    cdef readonly object listener
    cdef readonly object place
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
    cdef object _crash_slots
    cdef object _transport
    cdef object _reactor
    cdef readonly ConnectionCounts _counts
    cdef object _rate_limited
    cdef object _addresses
    cdef object _lingering
    cdef tuple _looked_at
    cdef bint _has_spun

    cpdef object take_handed_over(self, int fd, object crash_slot=*)
    cpdef object take_accepted(self, int fd)
    cdef object _begin(self, int fd, object number, object crash_slot)
    cpdef object ended(self, Fields conn, int fd, object reason)
