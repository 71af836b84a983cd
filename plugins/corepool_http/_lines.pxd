# The C types of _lines.pyx.

from cpython.object cimport PyObject

from corepool_http.message cimport Section

cdef enum Role:
    PLAIN
    HOST
    LENGTH
    CONNECTION
    CODING
    TO_PARSER

cdef class Name:
    cdef readonly bytes text
    cdef readonly bytes lower
    cdef public str variable
    cdef Role role
    cdef unsigned int once
    cdef Name next

cdef class Names:
    cdef PyObject* _chains[512]
    cdef int _count

    cdef Name find(self, const unsigned char* text, Py_ssize_t size)

cdef struct Line:
    PyObject* name
    unsigned int at
    unsigned int size

cdef class LazySection(Section):
    cdef bytes data
    cdef Line* lines
    cdef int count
    cdef int _room

    cdef int add(self, Name name, Py_ssize_t at, Py_ssize_t size) except -1
    cdef int _read(self) except -1
