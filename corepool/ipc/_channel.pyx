"""`channel.send_in_python` and `channel.receive_in_python`, in machine code: one system call, and no socket object."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, EINTR, EINVAL, errno
from libc.string cimport memcpy, memset

cdef extern from "sys/uio.h" nogil:
    struct iovec:
        void* iov_base
        size_t iov_len

cdef extern from "sys/socket.h" nogil:
    int SOL_SOCKET
    int SCM_RIGHTS
    int MSG_CTRUNC
    int MSG_CMSG_CLOEXEC
    int MSG_DONTWAIT
    int MSG_NOSIGNAL

    struct msghdr:
        void* msg_name
        unsigned int msg_namelen
        iovec* msg_iov
        size_t msg_iovlen
        void* msg_control
        size_t msg_controllen
        int msg_flags

    struct cmsghdr:
        size_t cmsg_len
        int cmsg_level
        int cmsg_type

    size_t CMSG_SPACE(size_t)
    size_t CMSG_LEN(size_t)
    cmsghdr* CMSG_FIRSTHDR(msghdr*)
    cmsghdr* CMSG_NXTHDR(msghdr*, cmsghdr*)
    unsigned char* CMSG_DATA(cmsghdr*)
    ssize_t sendmsg(int, const msghdr*, int)
    ssize_t recvmsg(int, msghdr*, int)

cdef extern from "unistd.h" nogil:
    int close(int)

cdef enum:
    MOST = 253  # SCM_MAX_FD: the kernel takes no more
    CONTROL = 2048  # bytes, more than CMSG_SPACE of them
    RECORD = 61440  # bytes, more than the longest record

# The GIL is kept: nothing here waits, and a thread that takes it meanwhile may keep it for 5 ms.

cdef union Control:
    cmsghdr aligned
    unsigned char[CONTROL] bytes


def send(sock, bytes record not None, fds):
    """See `channel.send_in_python`."""
    cdef int fd = sock.fileno()
    cdef msghdr message
    cdef iovec part
    cdef Control control
    cdef cmsghdr* head
    cdef int[MOST] numbers
    cdef size_t count = 0
    cdef ssize_t sent
    for number in fds:
        if count == MOST:
            return EINVAL  # as the kernel says
        numbers[count] = number
        count += 1
    memset(&message, 0, sizeof(message))
    part.iov_base = PyBytes_AS_STRING(record)
    part.iov_len = PyBytes_GET_SIZE(record)
    message.msg_iov = &part
    message.msg_iovlen = 1
    if count:
        message.msg_control = control.bytes
        message.msg_controllen = CMSG_SPACE(count * sizeof(int))
        memset(control.bytes, 0, message.msg_controllen)
        head = CMSG_FIRSTHDR(&message)
        head.cmsg_level = SOL_SOCKET
        head.cmsg_type = SCM_RIGHTS
        head.cmsg_len = CMSG_LEN(count * sizeof(int))
        memcpy(CMSG_DATA(head), numbers, count * sizeof(int))
    while True:
        sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL)
        if sent >= 0:
            return 0
        if errno != EINTR:
            return errno


def receive(sock, size_t space, int flags):
    """See `channel.receive_in_python`."""
    cdef int fd = sock.fileno()
    cdef unsigned char[RECORD] record
    cdef msghdr message
    cdef iovec part
    cdef Control control
    cdef ssize_t got
    cdef list fds = []
    cdef bytes received
    if space > CONTROL:
        raise ValueError(f"{space} bytes of ancillary data; there is room for {CONTROL}")
    while True:
        part.iov_base = record
        part.iov_len = RECORD
        memset(&message, 0, sizeof(message))
        message.msg_iov = &part
        message.msg_iovlen = 1
        message.msg_control = control.bytes
        message.msg_controllen = space
        got = recvmsg(fd, &message, flags | MSG_CMSG_CLOEXEC | MSG_DONTWAIT)
        if got >= 0:
            break
        if errno == EAGAIN:
            return None
        if errno != EINTR:
            return errno
    try:
        received = PyBytes_FromStringAndSize(<const char*>record, got)
        _list(&message, fds)
    except MemoryError:
        _close(&message)
        raise
    return received, fds, (message.msg_flags & MSG_CTRUNC) != 0


cdef int _list(msghdr* message, list fds) except -1:
    cdef cmsghdr* head = CMSG_FIRSTHDR(message)
    cdef size_t place
    while head is not NULL:
        if head.cmsg_level == SOL_SOCKET and head.cmsg_type == SCM_RIGHTS:
            for place in range((head.cmsg_len - CMSG_LEN(0)) // sizeof(int)):
                fds.append((<int*>CMSG_DATA(head))[place])
        head = CMSG_NXTHDR(message, head)
    return 0


cdef void _close(msghdr* message) noexcept:
    cdef cmsghdr* head = CMSG_FIRSTHDR(message)
    cdef size_t place
    while head is not NULL:
        if head.cmsg_level == SOL_SOCKET and head.cmsg_type == SCM_RIGHTS:
            for place in range((head.cmsg_len - CMSG_LEN(0)) // sizeof(int)):
                close((<int*>CMSG_DATA(head))[place])
        head = CMSG_NXTHDR(message, head)
