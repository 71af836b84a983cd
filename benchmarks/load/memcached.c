/* memcached PORT get|set REQUESTS CONNECTIONS KEYS VALUE_BYTES: requests of memcached's text protocol, one at a time.
 *
 * Each connection sends a request for one of KEYS keys, chosen at random, waits for the whole answer, and sends the
 * next one. With `set` and REQUESTS 0 each key is set once, in their order.
 *
 * Prints how many answers were not what they should be. A connection that breaks ends the program: its requests would
 * be missing in the server's time.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_BYTES 65536
#define SILENCE_MS 30000

struct connection {
    int fd;
    unsigned key;
    size_t received;
    char answer[MAX_BYTES];
};

static int sets, value_bytes;
static unsigned keys;
static unsigned long long state = 88172645463325252ULL;

static void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static unsigned next_key(unsigned long sent, int in_order)
{
    if (in_order)
        return sent % keys;
    state ^= state << 13; /* xorshift64 */
    state ^= state >> 7;
    state ^= state << 17;
    return state % keys;
}

static void ask(struct connection *connection, unsigned key)
{
    static char request[MAX_BYTES + 64];
    int length;

    connection->key = key;
    connection->received = 0;
    if (sets) {
        length = sprintf(request, "set key:%012u 0 0 %d\r\n", key, value_bytes);
        memset(request + length, 'x', value_bytes);
        length += value_bytes;
        length += sprintf(request + length, "\r\n");
    } else
        length = sprintf(request, "get key:%012u\r\n", key);
    if (send(connection->fd, request, length, MSG_NOSIGNAL) != length)
        die("send");
}

/* Return the length of the right answer, which is laid into `expected`. */
static size_t right_answer(const struct connection *connection, char *expected)
{
    int length;

    if (sets)
        return sprintf(expected, "STORED\r\n");
    length = sprintf(expected, "VALUE key:%012u 0 %d\r\n", connection->key, value_bytes);
    memset(expected + length, 'x', value_bytes);
    length += value_bytes;
    return length + sprintf(expected + length, "\r\nEND\r\n");
}

static int is_whole(const struct connection *connection, size_t expected)
{
    const char *end = connection->answer + connection->received;

    if (connection->received == expected)
        return 1;
    /* Another answer than the right one is as long as it is. */
    return connection->received >= 5 && memcmp(end - 2, "\r\n", 2) == 0 &&
           (sets || memcmp(connection->answer, "VALUE", 5) != 0);
}

int main(int argc, char **argv)
{
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    static char expected[MAX_BYTES + 64];
    unsigned long requests, sent = 0, answered = 0, wrong = 0;
    int connections, in_order, on = 1, epoll = epoll_create1(EPOLL_CLOEXEC);
    struct connection *all;

    if (argc != 7 || epoll < 0) {
        fprintf(stderr, "usage: memcached PORT get|set REQUESTS CONNECTIONS KEYS VALUE_BYTES\n");
        return EXIT_FAILURE;
    }
    server.sin_port = htons(atoi(argv[1]));
    sets = strcmp(argv[2], "set") == 0;
    requests = strtoul(argv[3], NULL, 10);
    connections = atoi(argv[4]);
    keys = atoi(argv[5]);
    value_bytes = atoi(argv[6]);
    in_order = requests == 0;
    if (in_order)
        requests = keys;
    if (value_bytes > MAX_BYTES - 64 || (unsigned long)connections > requests)
        return EXIT_FAILURE;
    all = calloc(connections, sizeof *all);
    if (all == NULL)
        die("calloc");
    for (int number = 0; number < connections; number++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[number]};

        all[number].fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (all[number].fd < 0 || connect(all[number].fd, (struct sockaddr *)&server, sizeof server) < 0)
            die("connect");
        setsockopt(all[number].fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, all[number].fd, &event) < 0)
            die("epoll_ctl");
        ask(&all[number], next_key(sent, in_order));
        sent++;
    }
    while (answered < requests) {
        struct epoll_event events[256];
        int ready = epoll_wait(epoll, events, 256, SILENCE_MS);

        if (ready <= 0) {
            if (ready < 0 && errno == EINTR)
                continue;
            die("epoll_wait");
        }
        for (int number = 0; number < ready; number++) {
            struct connection *connection = events[number].data.ptr;
            size_t length;
            ssize_t count = recv(connection->fd, connection->answer + connection->received,
                                 MAX_BYTES - connection->received, MSG_DONTWAIT);

            if (count < 0 && (errno == EAGAIN || errno == EINTR))
                continue;
            if (count <= 0)
                die("recv");
            connection->received += count;
            length = right_answer(connection, expected);
            if (!is_whole(connection, length))
                continue;
            answered++;
            wrong += connection->received != length || memcmp(connection->answer, expected, length) != 0;
            if (sent < requests) {
                ask(connection, next_key(sent, in_order));
                sent++;
            }
        }
    }
    printf("%lu\n", wrong);
    return EXIT_SUCCESS;
}
