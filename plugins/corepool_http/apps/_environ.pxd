# The C types of _environ.pyx.

from corepool_http.message cimport RequestLine, Section

cpdef object add_request(dict environ, dict ends, RequestLine line, Section section, bytes mount, object variables)
