/* A time of day that a test sets: nanoseconds since the epoch, in the file named by TEST_CLOCK.
 *
 * libfaketime is no way here: redis-server's allocator asks for the time before that library is ready.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(void)
{
    static const volatile int64_t *now;
    if (!now) {
        const char *path = getenv("TEST_CLOCK");
        int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        void *map = mmap(NULL, sizeof *now, PROT_READ, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED)
            abort();
        close(fd);
        now = map;
    }
    return *now;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)
        return syscall(SYS_clock_gettime, clock, time);
    int64_t now = now_ns();
    time->tv_sec = now / 1000000000;
    time->tv_nsec = now % 1000000000;
    return 0;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone)
{
    (void)zone;
    int64_t now = now_ns();
    time->tv_sec = now / 1000000000;
    time->tv_usec = now % 1000000000 / 1000;
    return 0;
}

time_t time(time_t *out)
{
    time_t seconds = now_ns() / 1000000000;
    if (out)
        *out = seconds;
    return seconds;
}
