# The C types of beginning.py.

cimport cython

from corepool.hot.ending cimport end
from corepool.hot.fields cimport Fields
from corepool.hot.outside cimport run
from corepool.hot.site cimport Site

@cython.locals(site=Site)
cpdef object begin(Fields conn, object hook)
cpdef object begin_lost(Fields conn)
