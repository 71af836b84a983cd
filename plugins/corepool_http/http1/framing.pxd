# The C types of framing.py.

cimport cython

from corepool_http.head cimport Head
from corepool_http.http1._joining cimport join
from corepool_http.message cimport Request

# C variables, which the imports of the .py file set once.
cdef str HTTP_1_0
cdef str HTTP_1_1

@cython.locals(line=bytes, connection=bytes, is_head=bint)
cpdef tuple encode_head(Head head, object size, bytes content, Request request, bint closes)
