/* churn PORT CONNECTIONS CONCURRENCY: connect, one round trip, close; again and again.
 *
 * Each connection is opened from the next of SOURCES addresses in 127/8, sends one message, waits until
 * it has come back, ends its side (shutdown), waits for the server's end of file, and closes. So the
 * client's end is the one that ends first and keeps TIME_WAIT, and when the program has ended, every
 * connection was closed by the server too: its whole work is in the server's CPU time by then.
 *
 * Prints how many connections failed: refused, reset, a wrong or missing echo, an early end of file,
 * or not done when nothing has happened for SILENCE_MS. A failed connection is not tried again.
 *
 * As cheap as it gets, so that the server is what limits: edge-triggered epoll with one EPOLL_CTL_ADD a
 * connection and no EPOLL_CTL_MOD. Closing a descriptor takes it out of the set.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* 28,232 ephemeral ports each by default: TIME_WAIT (60 s) exhausts none of them, and the kernel's search
 * for a free port stays short. */
#define SOURCES 64
#define SILENCE_MS 5000
#define MAX_CONCURRENCY 1024

static const char MESSAGE[] = "hello, corepool\n";
#define MESSAGE_BYTES ((ssize_t)sizeof MESSAGE - 1)

enum stage { CONNECTING, ECHOING, CLOSING };

struct connection {
    int fd;
    enum stage stage;
    ssize_t received;
};

enum verdict { WAITS, DONE, FAILED };

static void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

/* Begin a connection. Returns 0, or -1 if it failed at once. */
static int begin(struct connection *connection, int epoll, const struct sockaddr_in *server, unsigned long number)
{
    static const int on = 1;
    struct sockaddr_in source = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002 + number % SOURCES)};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = connection};

    connection->stage = CONNECTING;
    connection->received = 0;
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->fd < 0)
        die("socket");
    /* Without it bind(2) would choose the port, one that is free towards every destination. */
    if (setsockopt(connection->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) < 0)
        die("IP_BIND_ADDRESS_NO_PORT");
    if (bind(connection->fd, (struct sockaddr *)&source, sizeof source) < 0)
        die("bind");
    if ((connect(connection->fd, (const struct sockaddr *)server, sizeof *server) < 0 && errno != EINPROGRESS) ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event) < 0) {
        close(connection->fd);
        return -1;
    }
    return 0;
}

/* Take a connection as far as it goes now. */
static enum verdict advance(struct connection *connection)
{
    char buffer[sizeof MESSAGE];

    if (connection->stage == CONNECTING) {
        if (send(connection->fd, MESSAGE, MESSAGE_BYTES, MSG_NOSIGNAL) != MESSAGE_BYTES)
            return errno == EAGAIN || errno == ENOTCONN ? WAITS : FAILED;
        connection->stage = ECHOING;
        return WAITS; /* the answer is an event of its own */
    }
    for (;;) {
        ssize_t got = recv(connection->fd, buffer, sizeof buffer, 0);
        if (got < 0)
            return errno == EAGAIN ? WAITS : FAILED;
        if (got == 0)
            return connection->stage == CLOSING ? DONE : FAILED;
        if (connection->received + got > MESSAGE_BYTES || memcmp(buffer, MESSAGE + connection->received, got) != 0)
            return FAILED;
        connection->received += got;
        if (connection->received < MESSAGE_BYTES)
            continue;
        if (shutdown(connection->fd, SHUT_WR) < 0)
            return FAILED;
        connection->stage = CLOSING;
        return WAITS; /* so is the end of file */
    }
}

int main(int argc, char **argv)
{
    static struct connection connections[MAX_CONCURRENCY];
    static struct epoll_event events[MAX_CONCURRENCY];

    unsigned long port = argc == 4 ? strtoul(argv[1], NULL, 10) : 0;
    unsigned long total = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
    unsigned long concurrency = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
    if (port == 0 || port > 65535 || concurrency == 0 || concurrency > MAX_CONCURRENCY || total < concurrency) {
        fprintf(stderr, "usage: churn PORT CONNECTIONS CONCURRENCY (at most %d, at most CONNECTIONS)\n", MAX_CONCURRENCY);
        return 2;
    }

    struct sockaddr_in server = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        die("epoll_create1");

    unsigned long begun = 0, open = 0, failed = 0;
    for (unsigned long i = 0; i < concurrency; i++) {
        if (begin(&connections[i], epoll, &server, begun++) < 0)
            failed++;
        else
            open++;
    }
    while (open > 0) {
        int ready = epoll_wait(epoll, events, MAX_CONCURRENCY, SILENCE_MS);
        if (ready < 0 && errno != EINTR)
            die("epoll_wait");
        if (ready == 0) {
            failed += open + (total - begun);
            break;
        }
        for (int i = 0; i < ready; i++) {
            struct connection *connection = events[i].data.ptr;
            enum verdict verdict = advance(connection);
            if (verdict == WAITS)
                continue;
            if (verdict == FAILED)
                failed++;
            close(connection->fd);
            open--;
            while (begun < total) {
                if (begin(connection, epoll, &server, begun++) == 0) {
                    open++;
                    break;
                }
                failed++;
            }
        }
    }
    printf("%lu\n", failed);
    return EXIT_SUCCESS;
}
