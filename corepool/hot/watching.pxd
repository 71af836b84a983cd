# The C types of watching.py.

cdef class Watching:
    cdef public object epoll
    cdef public object event_of
    cdef public int epoll_fd
    cdef readonly object _poll
    cdef readonly dict _sources
    cdef readonly list _to_close
    cdef readonly list _at_batch_end
    cdef public list unsent
    cdef public list gathered
    cdef public bint gathers
    cdef public double gather_s
    cdef double _gathered_due
    cdef public list unread
    cdef public double now
    cdef public double busy_s
    cdef readonly bint is_abandoned

    cpdef object add(self, int fd, object source, unsigned int mask)
    cpdef object change(self, int fd, unsigned int mask)
    cpdef object remove(self, int fd)
    cpdef object close_later(self, int fd)
    cpdef object at_batch_end(self, object call)
    cpdef object _serve_unread(self)
    cpdef object _send_gathered(self)
    cdef object _flush(self, list sources)
    cpdef object _end_batch(self)
    cpdef object _close_pending(self)
    cpdef object flush_unsent(self)
