# The C types of session.py.

cimport cython

from corepool_kv.engine.turns cimport SessionBase
from corepool_kv.redis._plain_reader cimport RequestReader as PlainReader

# A C variable, which the .py file sets once.
cdef Py_ssize_t _PART_BYTES

@cython.locals(size=Py_ssize_t)
cpdef Py_ssize_t size_in_memory(list parts) except -1

cdef class Session(SessionBase):
    cdef public object number
    cdef public PlainReader reader
    cdef public bint needs_password
    cdef public bint authenticated
    cdef public bint resp3
    cdef public Py_ssize_t database
    cdef public bytes name
    cdef public bytes library
    cdef public bytes library_version
    cdef public double began_s
    cdef public double active_s
    cdef public bytes last_command
    cdef public list queue
    cdef public bint queue_is_broken
    cdef public object watched
    cdef public Py_ssize_t queued_bytes
    cdef bytes _frozen
    cdef tuple _frozen_as
    cdef public object subscriptions
    cdef public object changes
    cdef public list kept
    cdef public bint is_asking
    cdef public list answers
    cdef public object gathered
    cdef public list fed
    cdef public int reply_mode
    cdef public bint is_silent
    cdef public bint is_monitoring
    cdef public bint is_postponed
    cdef public bint waits_silently
    cdef public object blocked
    cdef public bint stays

    cpdef settle(self)
