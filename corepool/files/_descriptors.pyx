"""`descriptors.release`, in machine code."""

cdef extern from "unistd.h" nogil:
    int close(int)


def release(int fd):
    """See `descriptors.release_in_python`.

    The GIL is kept: a thread that takes it meanwhile may keep it for 5 ms.
    """
    close(fd)
