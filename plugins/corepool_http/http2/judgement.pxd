# The C types of judgement.py.

cimport cython

from corepool_http.http2.fields cimport fault_of

cdef object OF_CONNECTION
cdef object _is_path
cdef dict _METHODS

cdef class Pseudo:
    cdef public bytes method
    cdef public bytes scheme
    cdef public bytes authority
    cdef public bytes path
    cdef public bytes protocol

    cpdef object add(self, bytes name, bytes value)
    cpdef object judge(self, bint knows_protocol)

cdef class JudgedSection:
    cdef public object section
    cdef public bytes authority
    cdef public long long length
    cdef public Py_ssize_t size
    cdef public int urgency
    cdef public bint expects
    cdef public bint incremental

cpdef object judge_line(bytes method, bytes path)
@cython.locals(
    name=bytes, value=bytes, line=tuple, cookies=Py_ssize_t, hosts=Py_ssize_t, size=Py_ssize_t, headers=list,
    judged=JudgedSection,
)
cpdef JudgedSection judge_section(bytes authority, list fields)
@cython.locals(name=bytes, value=bytes)
cpdef object judge_all(list fields)
