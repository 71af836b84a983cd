# The C types of deadlines.py.

cimport cython

# A C variable, which the .py file sets once.
cdef Py_ssize_t _SWEEP_MINIMUM

@cython.freelist(8)
cdef class Entry:
    cdef readonly double when
    cdef readonly long long order
    cdef public object connection

cdef class Deadlines:
    cdef object _loop
    cdef list _heap
    cdef long long _order
    cdef double _fires_at
    cdef Py_ssize_t _blank
    cdef object _timer

    @cython.locals(when=double, entry=Entry)
    cpdef watch(self, object connection)
    @cython.locals(entry=Entry)
    cpdef forget(self, object connection)
    @cython.locals(entry=Entry)
    cdef _push(self, double when, object connection)
    @cython.locals(entry=Entry, when=double)
    cdef _arm(self)
    @cython.locals(entry=Entry)
    cdef _act_on_due(self, double now)
