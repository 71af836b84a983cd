"""`zlib.crc32` of a key, as a call in C."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint32_t

cdef uint32_t[256] _CRC
cdef uint32_t _value
cdef int _byte, _bit
for _byte in range(256):
    _value = _byte
    for _bit in range(8):
        _value = (_value >> 1) ^ (0xEDB88320 if _value & 1 else 0)
    _CRC[_byte] = _value


cpdef unsigned int crc_of(bytes key):
    cdef Py_ssize_t size = PyBytes_GET_SIZE(key)
    cdef const unsigned char* data = <const unsigned char*>PyBytes_AS_STRING(key)
    cdef uint32_t crc = 0xFFFFFFFF
    cdef Py_ssize_t at
    for at in range(size):
        crc = _CRC[(crc ^ data[at]) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF
