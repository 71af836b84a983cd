# The C types of stream_words.py.

cimport cython

cpdef bytes show_id(object entry_id)
cpdef make_id(object milliseconds, object sequence)
cpdef tuple parse_new_id(bytes text)
@cython.locals(at=Py_ssize_t, left=Py_ssize_t, is_about=bint, must_exist=bint)
cpdef parse_options(list words, bint adds)
