# The C types of huffman.py.

cimport cython

cdef bytes _LENGTHS
cdef list _CODES
cdef int _MAX_BITS
cdef int FAULT
cdef bytes STATES
cdef bytes EFFECTS
cdef bytes SYMBOLS
cdef bytes ENDINGS

@cython.locals(
    states=bytes, effects=bytes, symbols=bytes, decoded=bytearray, state=Py_ssize_t, at=Py_ssize_t,
    byte=cython.uchar, effect=cython.int,
)
cpdef bytes decode(bytes data)
cpdef object invalid()
@cython.locals(
    lengths=bytes, codes=list, coded=bytearray, value=cython.ulonglong, size=cython.int, length=cython.int,
    byte=cython.uchar, rest=cython.int, padding=cython.int,
)
cpdef bytes encode(bytes data)
