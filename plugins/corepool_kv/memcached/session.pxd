# The C types of session.py.

from corepool.spec.connection_base cimport ConnectionBase
from corepool_kv.memcached.requests cimport RequestReader

cdef class Session:
    cdef object _owner
    cdef public object limits
    cdef public ConnectionBase conn
    cdef public RequestReader reader
    cdef public list waiting
    cdef public Py_ssize_t waiting_bytes
    cdef public object steps
    cdef public bint stalled
    cdef public bint ending

    cpdef answer(self, bytes replies)
