# The C types of server.py.

cimport cython

from corepool_kv.engine.turns cimport ServerBase, SessionBase
from corepool_kv.memcached.requests cimport Request
from corepool_kv.memcached.session cimport Session
from corepool_kv.memcached.statistics cimport Statistics
from corepool_kv.memcached.steps cimport Step

# A C variable, which the .py file sets once.
cdef dict _COMMANDS

cdef class Server(ServerBase):
    cdef readonly object options
    cdef readonly object limits
    cdef object _name
    cdef object _items
    cdef Statistics _counts
    cdef object _refused_log

    cpdef receive(self, Session session)
    @cython.locals(mine=Session, request=Request)
    cpdef bytes next_reply(self, SessionBase session)
    cdef bytes _end(self, Session session, bytes reply)
    @cython.locals(words=list)
    cdef object _serve(self, Session session, Request request)
