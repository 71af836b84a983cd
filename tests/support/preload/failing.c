/* System calls that fail as a test says, in the processes and on the descriptors that it says, as often as it says.
 *
 * The file named by TEST_FAILING is an array of `struct fault`, shared by the test and every process that loads this.
 * A process that was forked has the mapping, one that was executed makes it anew. The test writes it (failing.py).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FAULTS = 16 };

enum kind {
    INET = 1,
    SEQPACKET = 2, /* the channel between master and worker */
    UNIX_STREAM = 4,
    DATAGRAM = 8,
    REGULAR = 16,
    OTHER = 32,
    LISTENING = 64, /* beside its family */
};

struct fault {
    char call[20];
    int32_t pid;     /* only in this process; 0: in any */
    int32_t not_pid; /* in any but this one */
    int32_t kinds;   /* of the descriptor, any of these; 0: any */
    int32_t operation; /* of epoll_ctl, socketpair and the like: their first number; -1: any */
    int32_t error;
    _Atomic int32_t left; /* how often it is still to fail */
    _Atomic int32_t hits; /* how often it has failed */
};

static struct fault *faults;

__attribute__((constructor)) static void map_faults(void)
{
    const char *path = getenv("TEST_FAILING");
    int fd = path ? syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0) : -1;
    if (fd < 0)
        return;
    void *map = (void *)syscall(SYS_mmap, NULL, FAULTS * sizeof *faults, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (map != MAP_FAILED)
        faults = map;
}

static int kinds_of(int fd)
{
    struct stat status;
    int domain = 0, type = 0, listening = 0;
    socklen_t size = sizeof domain;
    if (syscall(SYS_fstat, fd, &status) < 0)
        return 0;
    if (S_ISREG(status.st_mode))
        return REGULAR;
    if (!S_ISSOCK(status.st_mode))
        return OTHER;
    syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
    syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &size);
    syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size);
    int family = domain != AF_UNIX           ? INET
                 : type == SOCK_SEQPACKET ? SEQPACKET
                 : type == SOCK_DGRAM     ? DATAGRAM
                                          : UNIX_STREAM;
    return family | (listening ? LISTENING : 0);
}

/* Whether a call fails now; errno is set then. */
static int fails(const char *call, int fd, int operation)
{
    if (!faults)
        return 0;
    for (struct fault *fault = faults; fault < faults + FAULTS; fault++) {
        if (atomic_load(&fault->left) <= 0 || strcmp(fault->call, call) != 0)
            continue;
        int before = errno, pid = syscall(SYS_getpid);
        if ((fault->pid && fault->pid != pid) || fault->not_pid == pid)
            continue;
        if (fault->operation >= 0 && fault->operation != operation)
            continue;
        if (fault->kinds) {
            int kinds = kinds_of(fd), wanted = fault->kinds & ~LISTENING;
            errno = before;
            if ((fault->kinds & LISTENING) && !(kinds & LISTENING))
                continue;
            if (wanted && !(kinds & wanted))
                continue;
        }
        if (atomic_fetch_sub(&fault->left, 1) <= 0) {
            atomic_fetch_add(&fault->left, 1);
            continue;
        }
        atomic_fetch_add(&fault->hits, 1);
        errno = fault->error;
        return 1;
    }
    return 0;
}

#define REAL(name)                                   \
    static __typeof__(name) *real;                   \
    if (!real)                                       \
        real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

#define FAILING(result, name, failed, fd, operation, parameters, arguments) \
    result name parameters                                                 \
    {                                                                      \
        REAL(name);                                                        \
        return fails(#name, fd, operation) ? failed : real arguments;      \
    }

FAILING(int, accept4, -1, fd, -1, (int fd, struct sockaddr *a, socklen_t *n, int flags), (fd, a, n, flags))
FAILING(ssize_t, recvmsg, -1, fd, -1, (int fd, struct msghdr *m, int flags), (fd, m, flags))
FAILING(ssize_t, sendmsg, -1, fd, -1, (int fd, const struct msghdr *m, int flags), (fd, m, flags))
FAILING(ssize_t, recv, -1, fd, -1, (int fd, void *p, size_t n, int flags), (fd, p, n, flags))
FAILING(ssize_t, send, -1, fd, -1, (int fd, const void *p, size_t n, int flags), (fd, p, n, flags))
FAILING(ssize_t, sendto, -1, fd, -1,
        (int fd, const void *p, size_t n, int flags, const struct sockaddr *a, socklen_t l), (fd, p, n, flags, a, l))
FAILING(ssize_t, read, -1, fd, -1, (int fd, void *p, size_t n), (fd, p, n))
FAILING(ssize_t, write, -1, fd, -1, (int fd, const void *p, size_t n), (fd, p, n))
FAILING(ssize_t, writev, -1, fd, -1, (int fd, const struct iovec *v, int n), (fd, v, n))
FAILING(ssize_t, pwrite, -1, fd, at >= 8192, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at))
FAILING(ssize_t, pwrite64, -1, fd, at >= 8192, (int fd, const void *p, size_t n, off64_t at), (fd, p, n, at))
FAILING(ssize_t, pwritev, -1, fd, -1, (int fd, const struct iovec *v, int n, off_t at), (fd, v, n, at))
FAILING(ssize_t, sendfile64, -1, to, -1, (int to, int from, off64_t *at, size_t n), (to, from, at, n))
FAILING(int, epoll_create1, -1, -1, -1, (int flags), (flags))
FAILING(int, epoll_ctl, -1, fd, operation, (int e, int operation, int fd, struct epoll_event *v), (e, operation, fd, v))
FAILING(int, epoll_wait, -1, e, -1, (int e, struct epoll_event *v, int n, int ms), (e, v, n, ms))
FAILING(pid_t, fork, -1, -1, -1, (void), ())
FAILING(int, socket, -1, -1, family, (int family, int type, int protocol), (family, type, protocol))
FAILING(int, socketpair, -1, -1, family, (int family, int type, int protocol, int pair[2]), (family, type, protocol, pair))
FAILING(int, bind, -1, fd, -1, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
FAILING(int, listen, -1, fd, -1, (int fd, int n), (fd, n))
FAILING(int, shutdown, -1, fd, how, (int fd, int how), (fd, how))
FAILING(int, setsockopt, -1, fd, option, (int fd, int level, int option, const void *p, socklen_t n), (fd, level, option, p, n))
FAILING(int, getsockopt, -1, fd, option, (int fd, int level, int option, void *p, socklen_t *n), (fd, level, option, p, n))
FAILING(int, getpeername, -1, fd, -1, (int fd, struct sockaddr *a, socklen_t *n), (fd, a, n))
FAILING(int, getsockname, -1, fd, -1, (int fd, struct sockaddr *a, socklen_t *n), (fd, a, n))
FAILING(int, eventfd, -1, -1, -1, (unsigned first, int flags), (first, flags))
FAILING(int, memfd_create, -1, -1, -1, (const char *name, unsigned flags), (name, flags))
FAILING(int, pipe2, -1, -1, -1, (int pair[2], int flags), (pair, flags))
FAILING(int, dup, -1, fd, -1, (int fd), (fd))
FAILING(void *, mmap, MAP_FAILED, fd, -1, (void *a, size_t n, int p, int flags, int fd, off_t at), (a, n, p, flags, fd, at))
FAILING(void *, mmap64, MAP_FAILED, fd, -1, (void *a, size_t n, int p, int flags, int fd, off64_t at), (a, n, p, flags, fd, at))
FAILING(int, ftruncate, -1, fd, -1, (int fd, off_t n), (fd, n))
FAILING(int, ftruncate64, -1, fd, -1, (int fd, off64_t n), (fd, n))
FAILING(int, fstat, -1, fd, -1, (int fd, struct stat *s), (fd, s))
FAILING(int, fstat64, -1, fd, -1, (int fd, struct stat64 *s), (fd, s))
FAILING(int, fsync, -1, fd, -1, (int fd), (fd))
FAILING(int, fdatasync, -1, fd, -1, (int fd), (fd))
FAILING(pid_t, waitpid, -1, -1, -1, (pid_t pid, int *status, int options), (pid, status, options))
FAILING(int, kill, -1, -1, -1, (pid_t pid, int signum), (pid, signum))
FAILING(int, sched_setaffinity, -1, -1, -1, (pid_t pid, size_t n, const cpu_set_t *cpus), (pid, n, cpus))
FAILING(int, timer_create, -1, -1, -1, (clockid_t c, struct sigevent *e, timer_t *t), (c, e, t))

/* close(2) has released the number, whatever it says. */
int close(int fd)
{
    REAL(close);
    int error = fails("close", fd, -1) ? errno : 0, result = real(fd);
    if (!error)
        return result;
    errno = error;
    return -1;
}

#define REST(last)                  \
    va_list rest;                   \
    va_start(rest, last);           \
    long given = va_arg(rest, long); \
    va_end(rest)

#define OPENING(name)                              \
    int name(const char *path, int flags, ...)     \
    {                                              \
        REAL(name);                                \
        REST(flags);                               \
        return fails("open", -1, -1) ? -1 : real(path, flags, (mode_t)given); \
    }
OPENING(open)
OPENING(open64)

int ioctl(int fd, unsigned long request, ...)
{
    REAL(ioctl);
    REST(request);
    return fails("ioctl", fd, request) ? -1 : real(fd, request, given);
}

#define CONTROLLING(name)                    \
    int name(int fd, int command, ...)       \
    {                                        \
        REAL(name);                          \
        REST(command);                       \
        return fails("fcntl", fd, command) ? -1 : real(fd, command, given); \
    }
CONTROLLING(fcntl)
CONTROLLING(fcntl64)

int prctl(int option, ...)
{
    REAL(prctl);
    va_list rest;
    va_start(rest, option);
    unsigned long a = va_arg(rest, unsigned long), b = va_arg(rest, unsigned long), c = va_arg(rest, unsigned long),
                  d = va_arg(rest, unsigned long);
    va_end(rest);
    return fails("prctl", -1, option) ? -1 : real(option, a, b, c, d);
}

/* Python has these by number. */
long syscall(long number, ...)
{
    static long (*real)(long, ...);
    if (!real)
        real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    va_list rest;
    va_start(rest, number);
    long a = va_arg(rest, long), b = va_arg(rest, long), c = va_arg(rest, long), d = va_arg(rest, long),
         e = va_arg(rest, long), f = va_arg(rest, long);
    va_end(rest);
    if (number == SYS_pidfd_open && fails("pidfd_open", -1, -1))
        return -1;
    if (number == SYS_pidfd_send_signal && fails("pidfd_send_signal", -1, b))
        return -1;
    return real(number, a, b, c, d, e, f);
}
