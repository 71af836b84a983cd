# The C types of turns.py.

cimport cython

from corepool.spec.connection_base cimport ConnectionBase

# A C variable, which the .py file sets once.
cdef Py_ssize_t _REPLY_BYTES

cdef class SessionBase:
    cdef object _owner
    cdef public object limits
    cdef public ConnectionBase conn
    cdef public list waiting
    cdef public Py_ssize_t waiting_bytes
    cdef public bint holds
    cdef public bint stalled
    cdef public bint ending
    cdef public bint is_attack

    cpdef answer(self, bytes replies)
    cpdef settle(self)

cdef class ServerBase:
    cdef object _worker
    cdef Py_ssize_t _max_waiting
    cdef Py_ssize_t _served

    @cython.locals(conn=ConnectionBase, served=Py_ssize_t)
    cpdef serve(self, SessionBase session)
    @cython.locals(out=list, reply=bytes, size=Py_ssize_t)
    cdef _take_turn(self, SessionBase session, ConnectionBase conn)
    cpdef stall(self, SessionBase session)
    cpdef resume(self, SessionBase session)
    cdef _end_if_over(self, SessionBase session)
    cpdef bytes next_reply(self, SessionBase session)
    cpdef run_waiting(self, SessionBase session)
    cpdef end_turn(self, Py_ssize_t served)
