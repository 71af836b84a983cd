/* A disk that fails for as long as the file named by TEST_DISK_FAILS exists, and whose every operation waits for
 * a byte of the fifo named by TEST_DISK_WAITS.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static void wait_for_byte(const char *path)
{
    char byte;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    while (fd >= 0 && read(fd, &byte, 1) < 0 && errno == EINTR)
        ;
    close(fd);
}

int fdatasync(int fd)
{
    const char *fails = getenv("TEST_DISK_FAILS"), *waits = getenv("TEST_DISK_WAITS");
    if (fails && access(fails, F_OK) == 0) {
        errno = EIO;
        return -1;
    }
    if (waits)
        wait_for_byte(waits);
    return syscall(SYS_fdatasync, fd);
}
