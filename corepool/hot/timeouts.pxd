# The C types of timeouts.py.

cimport cython

from corepool.hot.fields cimport Fields
from corepool.hot.site cimport Site

@cython.locals(site=Site)
cpdef tuple earliest_deadline(Fields conn)
