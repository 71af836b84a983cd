# The C types of text.py.

cimport cython

from corepool_kv.memcached._wire cimport value_reply
from corepool_kv.memcached.items cimport Put, find
from corepool_kv.memcached.numbers cimport check_key, last_ms, parse_signed, parse_unsigned
from corepool_kv.memcached.requests cimport Request
from corepool_kv.memcached.statistics cimport Statistics
from corepool_kv.memcached.steps cimport Step

@cython.locals(words=list, key=bytes)
cpdef object get(Statistics counts, Request request)

@cython.locals(words=list, key=bytes, plain=Py_ssize_t, is_cas=bint, is_quiet=bint)
cpdef object store(Statistics counts, Request request)

@cython.freelist(8)
cdef class Read:
    cdef Statistics _counts
    cdef bytes _key
    cdef bytes _end

    cpdef bytes reply(self, object record)

cdef class ReadWithCas(Read):
    cpdef bytes reply(self, object record)

@cython.freelist(8)
cdef class Write:
    cdef Statistics _counts
    cdef Put _put
    cdef long long _exptime
