# The C types of packing.py.

cimport cython

@cython.locals(joined=list, part=bytes)
cpdef bytes join(object parts)
@cython.locals(parts=list, place=Py_ssize_t, length=Py_ssize_t)
cpdef list split(bytes packed)
