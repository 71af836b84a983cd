# The C types of control.py.

cimport cython

from corepool_http.http2.bounds cimport Bounds
from corepool_http.http2.sending cimport Sender
from corepool_http.http2.streams cimport BaseStream

# C variables, which the imports of the .py file set once.
cdef int LOST
cdef int PRIORITY
cdef int ROOM
cdef int SMALL_UPDATE

cdef class ControlFrames(Sender):
    cdef Bounds _bounds
    cdef list _found
    cdef object _priorities
    cdef object _tree_is_off
    cdef public object pong
    cdef public object goaway_code
    cdef long long _initial_window
    cdef public bint opened
    cdef public bint is_acknowledged

    cdef object _tell(self, BaseStream stream, int news)
    cdef object _begin(self, BaseStream stream)
    cdef object _lose(self, BaseStream stream)
    cdef object _receive_control(self, int kind, int flags, Py_ssize_t number, bytes payload)
    cdef object _receive_settings(self, int flags, Py_ssize_t number, bytes payload)
    @cython.locals(change=cython.longlong, before=cython.longlong, stream=BaseStream)
    cdef object _change_windows(self, long long value)
    @cython.locals(increment=cython.longlong, before=cython.longlong, stream=BaseStream)
    cdef object _receive_window_update(self, Py_ssize_t number, bytes payload)
    @cython.locals(stream=BaseStream)
    cdef object _receive_rst(self, Py_ssize_t number, bytes payload)
    cdef object _judge_passed(self, Py_ssize_t number, str name)
    cdef object _receive_ping(self, int flags, Py_ssize_t number, bytes payload)
    cdef object _receive_priority(self, Py_ssize_t number, bytes payload)
    @cython.locals(stream=BaseStream)
    cdef object _receive_priority_update(self, Py_ssize_t number, bytes payload)
    cdef object _prioritize(self, BaseStream stream)

cdef object _expect(bint holds, str what, object code=*)
