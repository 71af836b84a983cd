# The C types of wsgi_environ.py.

cimport cython

from corepool_http.apps._environ cimport add_request
from corepool_http.client cimport Client, decimal
from corepool_http.exchange cimport Exchange
from corepool_http.message cimport Request, RequestLine, Section

# C variables, which the .py file sets once.
cdef str HTTP_1_1
cdef object _MET_ONCE
cdef dict _ENDS
cdef dict _OF_LINE

cdef dict _line_variables(RequestLine line, bytes mount)

cdef class Environments:
    cdef readonly object _variables
    cdef bytes _mount
    cdef dict _base

    @cython.locals(request=Request, client=Client, line=RequestLine, section=Section, environ=dict)
    cpdef dict of(self, Exchange exchange, object content)
    cdef dict _made(self, dict ends, RequestLine line, Section section)
    cdef dict _environ_of(self, Client client)
