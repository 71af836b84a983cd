# read and write of a non-blocking socket, for compiled modules.

cpdef bytes read(int fd, Py_ssize_t limit)
cpdef Py_ssize_t write(int fd, object data) except -1
