# The C types of entry.py.

cdef class Command:
    cdef readonly bytes name
    cdef readonly Py_ssize_t arity
    cdef readonly object flags
    cdef readonly tuple keys
    cdef readonly str group
    cdef readonly str since
    cdef readonly str summary
    cdef readonly object on_data
    cdef readonly object on_session
    cdef readonly object on_both
    cdef readonly str syntax
    cdef readonly object find_keys
    cdef readonly object subcommands
    cdef readonly object demands
    cdef readonly object asks
    cdef readonly bint asks_before_exec
    cdef readonly bint writes
    cdef readonly bint grows
    cdef readonly bint before_auth
    cdef readonly Py_ssize_t words
    cdef readonly Py_ssize_t at_least
