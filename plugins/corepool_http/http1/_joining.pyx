"""`framing.join_in_python` in machine code: the sizes are added up, and each part is copied once."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy


cdef inline char* _copied(char* to, bytes part) noexcept:
    memcpy(to, PyBytes_AS_STRING(part), PyBytes_GET_SIZE(part))
    return to + PyBytes_GET_SIZE(part)


cpdef bytes join(bytes phrase, bytes lines, bytes line, bytes connection, bytes content):
    """See `framing.join_in_python`."""
    cdef bytes data = PyBytes_FromStringAndSize(
        NULL,
        13
        + PyBytes_GET_SIZE(phrase)
        + PyBytes_GET_SIZE(lines)
        + PyBytes_GET_SIZE(line)
        + PyBytes_GET_SIZE(connection)
        + PyBytes_GET_SIZE(content),
    )
    cdef char* to = PyBytes_AS_STRING(data)
    memcpy(to, b"HTTP/1.1 ", 9)
    to = _copied(to + 9, phrase)
    memcpy(to, b"\r\n", 2)
    to = _copied(to + 2, lines)
    to = _copied(to, line)
    to = _copied(to, connection)
    memcpy(to, b"\r\n", 2)
    _copied(to + 2, content)
    return data
