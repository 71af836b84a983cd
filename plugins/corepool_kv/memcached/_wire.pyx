"""The functions of `wire.py`, in machine code: each makes its result at once, without the parts of it."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memchr, memcpy

cdef enum:
    MAX_DIGITS = 20


cpdef list words_of(bytes data, Py_ssize_t begin, Py_ssize_t end):
    cdef const char* line = PyBytes_AS_STRING(data)
    cdef const char* found
    cdef Py_ssize_t at = min(max(begin, 0), PyBytes_GET_SIZE(data)), until
    cdef list words = []
    end = min(end, PyBytes_GET_SIZE(data))
    if end > at and line[end - 1] == c"\r":
        end -= 1
    while at < end:
        found = <const char*>memchr(line + at, c" ", end - at)
        until = end if found == NULL else found - line
        if until > at:
            words.append(PyBytes_FromStringAndSize(line + at, until - at))
        at = until + 1
    return words


cpdef bytes value_reply(bytes key, unsigned int flags, bytes value, bytes end):
    cdef Py_ssize_t key_size = PyBytes_GET_SIZE(key), value_size = PyBytes_GET_SIZE(value)
    cdef Py_ssize_t end_size = PyBytes_GET_SIZE(end)
    cdef char[MAX_DIGITS] of_flags
    cdef char[MAX_DIGITS] of_size
    cdef int flags_digits = _digits(of_flags, flags), size_digits = _digits(of_size, value_size)
    cdef Py_ssize_t size = 6 + key_size + 1 + flags_digits + 1 + size_digits + 2 + value_size + 2 + end_size
    cdef bytes reply = PyBytes_FromStringAndSize(NULL, size)
    cdef char* to = PyBytes_AS_STRING(reply)
    to = _put(to, b"VALUE ", 6)
    to = _put(to, PyBytes_AS_STRING(key), key_size)
    to = _put(to, b" ", 1)
    to = _put(to, of_flags + MAX_DIGITS - flags_digits, flags_digits)
    to = _put(to, b" ", 1)
    to = _put(to, of_size + MAX_DIGITS - size_digits, size_digits)
    to = _put(to, b"\r\n", 2)
    to = _put(to, PyBytes_AS_STRING(value), value_size)
    to = _put(to, b"\r\n", 2)
    _put(to, PyBytes_AS_STRING(end), end_size)
    return reply


cdef inline char* _put(char* to, const char* data, Py_ssize_t size) noexcept nogil:
    memcpy(to, data, size)
    return to + size


cdef inline int _digits(char* to, unsigned long long number) noexcept nogil:
    """Write the digits of a number to the end of 20 bytes, and return how many they are."""
    cdef int at = MAX_DIGITS
    while True:
        at -= 1
        to[at] = 48 + number % 10
        number //= 10
        if number == 0:
            return MAX_DIGITS - at
