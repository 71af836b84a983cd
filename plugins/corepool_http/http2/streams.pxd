# The C types of streams.py.

from corepool_http.stream_base cimport StreamBase

cdef class BaseStream(StreamBase):
    cdef public object body
    cdef public object request
    cdef public object refusal
    cdef public long long expected
    cdef public Py_ssize_t credit
    cdef public Py_ssize_t receive_window
    cdef public Py_ssize_t send_window
    cdef public Py_ssize_t whole_window
    cdef public Py_ssize_t unread
    cdef public Py_ssize_t number
    cdef public long long reset_code
    cdef public int news
    cdef public int state
    cdef public int urgency
    cdef public bint incremental
    cdef public bint is_tunnel
    cdef public bint reset_by_client
