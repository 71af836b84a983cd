"""`sockets.shut_down`, `sockets.drop_input`, `sockets.has_come` and, for IPv4, `sockets.sockaddr`, in machine code."""

from cpython.exc cimport PyErr_CheckSignals, PyErr_SetFromErrno
from cpython.unicode cimport PyUnicode_DecodeASCII
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
        unsigned int s_addr
    struct sockaddr_in:
        unsigned short sin_port
        in_addr sin_addr
    unsigned short ntohs(unsigned short port)

cdef extern from "<sys/ioctl.h>" nogil:
    int ioctl(int fd, unsigned long request, ...)
    unsigned long FIONREAD

cdef enum:
    PIECE = 65536
    LONGEST = 15  # of an address of IPv4

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
    cdef unsigned char* numbers = <unsigned char*>&found.sin_addr
    cdef char[LONGEST] text
    cdef int place, size_of_text = 0
    if (getpeername(fd, address, &size) if peer else getsockname(fd, address, &size)) < 0:
        PyErr_SetFromErrno(OSError)
    if address.sa_family != AF_INET:
        return None
    for place in range(4):  # inet_ntop(3) takes six times as long: it calls sprintf
        if place:
            text[size_of_text] = b"."
            size_of_text += 1
        size_of_text += _decimal(numbers[place], text + size_of_text)
    return PyUnicode_DecodeASCII(text, size_of_text, NULL), ntohs(found.sin_port)


cdef int _decimal(unsigned char number, char* text) noexcept:
    """Write a number, and return the number of its digits."""
    cdef int size = 1 + (number > 9) + (number > 99)
    cdef int place
    for place in range(size - 1, -1, -1):
        text[place] = 48 + number % 10
        number //= 10
    return size
