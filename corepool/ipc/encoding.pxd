# The C types of encoding.py.

cimport cython

@cython.locals(payload=bytes, socket=long)
cpdef bytes encode(object message)
@cython.locals(version=long, kind=long, length=Py_ssize_t)
cpdef object decode(bytes record)
