# The C types of statistics.py.

cdef class Statistics:
    cdef object _options
    cdef object _room
    cdef object _workers
    cdef double _began_s
    cdef public Py_ssize_t connections
    cdef public Py_ssize_t total_connections
    cdef public Py_ssize_t get_hits
    cdef public Py_ssize_t get_misses
    cdef public Py_ssize_t cmd_set
    cdef public Py_ssize_t cmd_touch
    cdef public Py_ssize_t cmd_flush
    cdef public Py_ssize_t cmd_meta
    cdef public Py_ssize_t total_items
    cdef public Py_ssize_t store_too_large
    cdef public Py_ssize_t touch_hits
    cdef public Py_ssize_t touch_misses
    cdef public Py_ssize_t cas_hits
    cdef public Py_ssize_t cas_misses
    cdef public Py_ssize_t cas_badval
    cdef public object found
    cdef public object missed
    cdef object _shared

    cpdef count_stored(self, object outcome)
    cpdef count_swapped(self, object outcome)
