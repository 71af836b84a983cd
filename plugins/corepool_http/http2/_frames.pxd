# Functions of `frames.py`, for compiled modules.

cpdef bytes frame_head(unsigned int size, unsigned int kind, unsigned int flags, unsigned int number)
cpdef bytes read_frames(int fd, long long offset, Py_ssize_t count, Py_ssize_t most, unsigned int number, bint ends)
