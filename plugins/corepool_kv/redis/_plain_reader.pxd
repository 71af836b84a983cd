# The fields of _plain_reader.pyx, for the compiled modules that use it.

cdef class RequestReader:
    cdef object _options
    cdef object _careful
    cdef Py_ssize_t _max_line
    cdef Py_ssize_t _max_words
    cdef Py_ssize_t _max_size
    cdef bint _is_trusted
    cdef bint _is_careful
    cdef bint _is_new
    cdef bytes _name
    cdef bytes _input
    cdef Py_ssize_t _at

    cpdef trust(self)
    cpdef distrust(self)
    cpdef feed(self, bytes data)
    cpdef list next(self)
    cdef _read_carefully(self)
    cdef list _next_plain(self)
    cdef list _array(self, const char** place, const char* end)
    cdef bint _is_name(self, const char* at, Py_ssize_t length) noexcept
    cdef list _line(self, const char** place, const char* end)
