# The C types of asgi_messages.py.

from corepool_http.head cimport Head
from corepool_http.responses cimport Heads

# C variables, which the .py file sets once.
cdef object _TOKEN
cdef tuple _GONE_NAMES
cdef int _MAX_CAUSES

cpdef object type_of(object message)
cpdef bytes bytes_of(object message, str key)
cpdef object text_of(object message, str key)
cpdef object int_of(object message, str key)
cpdef Head head_of(object message, Heads heads)
