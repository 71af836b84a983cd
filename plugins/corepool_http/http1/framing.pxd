# The C types of framing.py.

from corepool_http.head cimport Head
from corepool_http.message cimport Request

cpdef tuple encode_head(Head head, object size, bytes content, Request request, bint closes)
