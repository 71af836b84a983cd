"""`sockets.shut_down`, `sockets.drop_input`, `sockets.has_come` and, for IPv4, `sockets.sockaddr`, in machine code."""

from cpython.exc cimport PyErr_CheckSignals, PyErr_SetFromErrno
from libc.errno cimport EAGAIN, EINTR, errno

cdef extern from "<sys/socket.h>" nogil:
    ctypedef unsigned int socklen_t
    struct sockaddr:
        unsigned short sa_family
    int AF_INET
    int getpeername(int fd, sockaddr* address, socklen_t* size)
    int getsockname(int fd, sockaddr* address, socklen_t* size)
    int shutdown(int fd, int how)
    ssize_t recv(int fd, void* buffer, size_t size, int flags)
    int MSG_DONTWAIT

cdef extern from "<netinet/in.h>" nogil:
    struct in_addr:
        pass
    struct sockaddr_in:
        unsigned short sin_port
        in_addr sin_addr
    unsigned short ntohs(unsigned short port)

cdef extern from "<arpa/inet.h>" nogil:
    const char* inet_ntop(int family, const void* address, char* text, socklen_t size)

cdef extern from "<sys/ioctl.h>" nogil:
    int ioctl(int fd, unsigned long request, ...)
    unsigned long FIONREAD

cdef enum:
    PIECE = 65536
    LONGEST = 16  # of an address of IPv4, with the zero byte behind it

cdef char[PIECE] _dropped  # the GIL is kept: the calls return at once


def shut_down(int fd, int how):
    """See `sockets.shut_down_in_python`."""
    shutdown(fd, how)


def drop_input(int fd):
    """See `sockets.drop_input_in_python`."""
    cdef ssize_t count
    while True:
        count = recv(fd, _dropped, PIECE, MSG_DONTWAIT)
        if count > 0:
            return True
        if count < 0 and errno == EAGAIN:
            return False
        if count == 0 or errno != EINTR:
            return None
        PyErr_CheckSignals()


def has_come(int fd):
    """See `sockets.has_come_in_python`."""
    cdef int count = 0
    return ioctl(fd, FIONREAD, &count) == 0 and count > 0


def ipv4_sockaddr(int fd, bint peer):
    """See `sockets.sockaddr_in_python`; None: it is no address of IPv4."""
    cdef sockaddr_in found  # the kernel cuts longer addresses off
    cdef sockaddr* address = <sockaddr*>&found
    cdef socklen_t size = sizeof(found)
    cdef char[LONGEST] text
    if (getpeername(fd, address, &size) if peer else getsockname(fd, address, &size)) < 0:
        PyErr_SetFromErrno(OSError)
    if address.sa_family != AF_INET or inet_ntop(AF_INET, &found.sin_addr, text, LONGEST) is NULL:
        return None
    return (<bytes>text).decode("ascii"), ntohs(found.sin_port)
