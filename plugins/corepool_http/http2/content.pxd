# The C types of content.py.

cimport cython

from corepool_http.http2.control cimport ControlFrames
from corepool_http.http2.streams cimport BaseStream

# C variables, which the imports of the .py file set once.
cdef bytes NEXT
cdef int CLIENT_ENDS
cdef int CLIENT_SENDS
cdef int CLOSED
cdef int CONTENT
cdef int END_STREAM
cdef int FAULT
cdef Py_ssize_t MAX_EXTRA
cdef Py_ssize_t MAX_STREAM_WINDOW
cdef Py_ssize_t STREAM_WINDOW
cdef Py_ssize_t WINDOW
cdef Py_ssize_t _SMALL_PIECE
cdef Py_ssize_t _MERGED_PIECE

cdef class ContentFrames(ControlFrames):
    cdef BaseStream _content_of
    cdef Py_ssize_t _content_left
    cdef Py_ssize_t _window
    cdef Py_ssize_t _credit
    cdef Py_ssize_t _extra_taken
    cdef object _extra
    cdef Py_ssize_t _first_skipped
    cdef Py_ssize_t _last_skipped
    cdef long long _max_body
    cdef bint _in_content
    cdef bint _content_ends

    cdef object _begin_content(self, Py_ssize_t number, Py_ssize_t size, Py_ssize_t content, int flags)
    @cython.locals(stream=BaseStream)
    cdef object _begin_content_of(self, Py_ssize_t number, Py_ssize_t size, Py_ssize_t content)
    @cython.locals(size=Py_ssize_t, is_over=bint, stream=BaseStream)
    cdef Py_ssize_t _receive_content(self, bytes data, Py_ssize_t at, Py_ssize_t end) except -1
    @cython.locals(state=cython.int)
    cdef object _end_request(self, BaseStream stream)
    cpdef object consumed(self, BaseStream stream, Py_ssize_t count)
    @cython.locals(wanted=cython.longlong, more=cython.longlong, still_to_come=cython.longlong)
    cdef object _grow(self, BaseStream stream)
    cdef object _close(self, BaseStream stream)
    cpdef object let_go(self)
    cdef object _give_back(self, Py_ssize_t count)
    cdef object _reopen(self)
    cdef object _judge_late(self, Py_ssize_t number)
    @cython.locals(stream=BaseStream)
    cdef object _fail_stream(self, Py_ssize_t number, object failure)

cdef object _add(object body, bytes data)
