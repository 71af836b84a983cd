# The C types of server.py.

cimport cython

from corepool.spec.connection_base cimport ConnectionBase
from corepool_kv.memcached.requests cimport Request
from corepool_kv.memcached.session cimport Session
from corepool_kv.memcached.statistics cimport Statistics
from corepool_kv.memcached.steps cimport Step

# C variables, which the .py file sets once.
cdef Py_ssize_t _REPLY_BYTES
cdef Py_ssize_t _MAX_WAITING_BYTES

cdef class Server:
    cdef readonly object options
    cdef readonly object limits
    cdef object _name
    cdef object _worker
    cdef object _items
    cdef Statistics _counts
    cdef Py_ssize_t _served
    cdef object _refused_log

    cpdef receive(self, Session session)
    @cython.locals(conn=ConnectionBase, out=list, reply=bytes, size=Py_ssize_t)
    cpdef serve(self, Session session)
    cpdef proceed(self, Session session)
    cdef _stall(self, Session session)
    cdef _end_if_over(self, Session session)
    @cython.locals(request=Request)
    cdef bytes _next_reply(self, Session session)
    @cython.locals(words=list)
    cdef object _serve(self, Session session, Request request)
