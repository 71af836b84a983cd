"""`frames.frame_head_in_python`, in machine code."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize

cdef enum:
    HEAD_SIZE = 9


cpdef bytes frame_head(unsigned int size, unsigned int kind, unsigned int flags, unsigned int number):
    """See there."""
    cdef bytes head = PyBytes_FromStringAndSize(NULL, HEAD_SIZE)
    cdef unsigned char* place = <unsigned char*>PyBytes_AS_STRING(head)
    place[0] = size >> 16
    place[1] = size >> 8
    place[2] = size
    place[3] = kind
    place[4] = flags
    place[5] = number >> 24
    place[6] = number >> 16
    place[7] = number >> 8
    place[8] = number
    return head
