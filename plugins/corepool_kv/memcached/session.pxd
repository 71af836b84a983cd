# The C types of session.py.

from corepool_kv.engine.turns cimport SessionBase
from corepool_kv.memcached.requests cimport RequestReader

cdef class Session(SessionBase):
    cdef public RequestReader reader
    cdef public object steps
