
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The other end of the forwarder's benchmark: an HTTP/1.1 server that answers
 * every POST with 204 as fast as it can, on connections that stay, and counts
 * what came.  One process, one loop, no allocation for a request.
 *
 *     sink [--delay MS] MARKER...
 *
 * Listens on a free port of 127.0.0.1 and prints it.  Answers come after the
 * delay, if there is one; what came is counted at once.  In bodies it counts
 * the markers, which tells the number of events, and measures how old events
 * are whose messageId is "lat-" and the nanoseconds of the wall clock when they
 * were stored.  Ids of the form "num-" and a number below 2^24 are ticked
 * off one by one.
 *
 *     GET /stats        {"requests":1,"events":1,"bytes":1,
 *                        "latencies":[...]}, in microseconds, of the first
 *     GET /percentiles  {"count":1,"p50":1,"p99":1,"max":1}, in microseconds
 *     GET /numbers/N    of the numbers 0 to N - 1: {"missing":0,"twice":0,
 *                        "most":1,"first":-1}: how many never came, how many
 *                        came too much, most times of one, first missing one
 *     GET /most         {"most":1}: events in any 1,000 ms, at most
 *     GET /reset        forgets all of it
 */


/* system */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


#define SINK_CONNECTIONS_MAX  1024
#define SINK_REQUEST_MAX      (4 * 1024 * 1024)
#define SINK_BUFFER_MIN       (64 * 1024)
#define SINK_LATENCIES_MAX    (8 * 1024 * 1024)
#define SINK_LATENCIES_SHOWN  20000
#define SINK_NUMBERS_MAX      (16 * 1024 * 1024)
#define SINK_MARKERS_MAX      8
#define SINK_LATENCY          "\"lat-"
#define SINK_NUMBER           "\"messageId\":\"num-"


typedef struct {
    int                    fd;           /* -1: free */
    unsigned               continued:1;  /* 100 Continue was sent */
    uint64_t               due_ns;       /* of the answer; 0: none waits */
    size_t                 len;
    size_t                 size;
    char                  *buf;
} sink_connection_t;


/* One request, found complete in a buffer. */
typedef struct {
    const char            *head;
    size_t                 head_len;
    const char            *body;
    size_t                 body_len;
    int                    expect;
} sink_request_t;


typedef struct {
    uint64_t               requests;
    uint64_t               events;
    uint64_t               bytes;
    uint64_t               window_ms;    /* end of the window below */
    uint64_t               window_sum;
    uint64_t               window_most;
    uint32_t               window[1000];  /* events, by millisecond */
    uint32_t               latencies_count;
    uint32_t               latencies[SINK_LATENCIES_MAX];  /* us */
    uint8_t                numbers[SINK_NUMBERS_MAX];  /* times it came */
} sink_stats_t;


typedef struct {
    int                    epoll;
    int                    listener;
    const char           **markers;
    int                    markers_count;
    uint64_t               delay_ns;
    sink_stats_t           stats;
    sink_connection_t      connections[SINK_CONNECTIONS_MAX];
} sink_t;


static const char  sink_no_content[] = "HTTP/1.1 204 No Content\r\n\r\n";
static const char  sink_continue[] = "HTTP/1.1 100 Continue\r\n\r\n";


static void
sink_die(const char *what)
{
    fprintf(stderr, "sink: %s: %s\n", what, strerror(errno));
    exit(2);
}


static uint64_t
sink_now_ns(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}


static void
sink_listen(sink_t *sink)
{
    socklen_t           len;
    struct epoll_event  event;
    struct sockaddr_in  addr;

    sink->epoll = epoll_create1(0);
    sink->listener = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0);

    if (sink->epoll == -1 || sink->listener == -1) {
        sink_die("socket");
    }

    memset(&addr, 0, sizeof(addr));
    addr.sin_family = AF_INET;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    len = sizeof(addr);

    if (bind(sink->listener, (struct sockaddr *) &addr, len) == -1
        || listen(sink->listener, 512) == -1
        || getsockname(sink->listener, (struct sockaddr *) &addr, &len) == -1)
    {
        sink_die("listen");
    }

    event.events = EPOLLIN;
    event.data.ptr = NULL;

    if (epoll_ctl(sink->epoll, EPOLL_CTL_ADD, sink->listener, &event) == -1) {
        sink_die("epoll_ctl");
    }

    printf("%d\n", ntohs(addr.sin_port));
    fflush(stdout);
}


static sink_connection_t *
sink_free_connection(sink_t *sink)
{
    int  i;

    for (i = 0; i < SINK_CONNECTIONS_MAX; i++) {
        if (sink->connections[i].fd == -1) {
            return &sink->connections[i];
        }
    }

    return NULL;
}


static void
sink_close(sink_connection_t *c)
{
    close(c->fd);
    c->fd = -1;
    c->len = 0;
    c->continued = 0;
    c->due_ns = 0;
}


static void
sink_accept(sink_t *sink)
{
    int                  fd, on;
    struct epoll_event   event;
    sink_connection_t   *c;

    for ( ;; ) {
        fd = accept4(sink->listener, NULL, NULL, SOCK_NONBLOCK);
        if (fd == -1) {
            return;
        }

        c = sink_free_connection(sink);
        if (c == NULL) {
            close(fd);
            continue;
        }

        on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

        c->fd = fd;
        c->len = 0;
        c->continued = 0;

        event.events = EPOLLIN;
        event.data.ptr = c;

        if (epoll_ctl(sink->epoll, EPOLL_CTL_ADD, fd, &event) == -1) {
            sink_die("epoll_ctl");
        }
    }
}


/* Answers are short and few on one connection: they always fit its socket. */
static void
sink_send(sink_connection_t *c, const char *data, size_t len)
{
    ssize_t  n;

    while (len > 0) {
        n = write(c->fd, data, len);

        if (n > 0) {
            data += n;
            len -= (size_t) n;
            continue;
        }

        if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
            continue;
        }

        return;
    }
}


/* Value of a header in the head of a request, or NULL. */
static const char *
sink_header(const char *head, size_t len, const char *name)
{
    size_t       n;
    const char  *p, *end;

    n = strlen(name);
    end = head + len;

    for (p = head; p < end; p++) {
        p = memchr(p, '\n', (size_t) (end - p));

        if (p == NULL) {
            return NULL;
        }

        if ((size_t) (end - p) > n + 1 && strncasecmp(p + 1, name, n) == 0
            && p[n + 1] == ':')
        {
            return p + n + 2;
        }
    }

    return NULL;
}


/* 1 if a request is complete at the start of len bytes. */
static int
sink_parse(sink_request_t *r, const char *data, size_t len)
{
    const char  *end, *value;

    end = memmem(data, len, "\r\n\r\n", 4);
    if (end == NULL) {
        return 0;
    }

    r->head = data;
    r->head_len = (size_t) (end - data) + 4;
    r->body = data + r->head_len;

    value = sink_header(data, r->head_len, "content-length");
    r->body_len = value ? strtoul(value, NULL, 10) : 0;
    r->expect = sink_header(data, r->head_len, "expect") != NULL;

    if (r->body_len > SINK_REQUEST_MAX) {
        sink_die("request too large");
    }

    return r->head_len + r->body_len <= len;
}


/* The decimal number at the start of len bytes. */
static uint64_t
sink_number(const char *p, size_t len)
{
    size_t    n;
    uint64_t  number;

    number = 0;

    for (n = 0; n < len && n < 20; n++) {
        if (p[n] < '0' || p[n] > '9') {
            break;
        }

        number = number * 10 + (uint64_t) (p[n] - '0');
    }

    return number;
}


static void
sink_latency(sink_t *sink, const sink_request_t *r, uint64_t now)
{
    uint64_t       stored;
    const char    *p, *end;
    sink_stats_t  *stats;

    stats = &sink->stats;
    p = r->body;
    end = r->body + r->body_len;

    for ( ;; ) {
        p = memmem(p, (size_t) (end - p), SINK_LATENCY,
                   sizeof(SINK_LATENCY) - 1);

        if (p == NULL || stats->latencies_count == SINK_LATENCIES_MAX) {
            return;
        }

        p += sizeof(SINK_LATENCY) - 1;
        stored = sink_number(p, (size_t) (end - p));

        stats->latencies[stats->latencies_count++] =
                    (now > stored) ? (uint32_t) ((now - stored) / 1000) : 0;
    }
}


static void
sink_tick(sink_t *sink, const sink_request_t *r)
{
    uint64_t     n;
    const char  *p, *end;

    p = r->body;
    end = r->body + r->body_len;

    for ( ;; ) {
        p = memmem(p, (size_t) (end - p), SINK_NUMBER,
                   sizeof(SINK_NUMBER) - 1);
        if (p == NULL) {
            return;
        }

        p += sizeof(SINK_NUMBER) - 1;
        n = sink_number(p, (size_t) (end - p));

        if (n < SINK_NUMBERS_MAX && sink->stats.numbers[n] != UINT8_MAX) {
            sink->stats.numbers[n]++;
        }
    }
}


/* Events in the 1,000 ms up to now, and the most there were. */
static void
sink_window(sink_stats_t *s, uint64_t now_ms, uint64_t events)
{
    uint64_t  ms;

    if (now_ms >= s->window_ms + 1000) {
        memset(s->window, 0, sizeof(s->window));
        s->window_sum = 0;

    } else {
        for (ms = s->window_ms + 1; ms <= now_ms; ms++) {
            s->window_sum -= s->window[ms % 1000];
            s->window[ms % 1000] = 0;
        }
    }

    if (now_ms > s->window_ms) {
        s->window_ms = now_ms;
    }

    s->window[s->window_ms % 1000] += (uint32_t) events;
    s->window_sum += events;

    if (s->window_sum > s->window_most) {
        s->window_most = s->window_sum;
    }
}


static void
sink_count(sink_t *sink, const sink_request_t *r)
{
    int          i;
    size_t       len;
    uint64_t     before;
    const char  *p, *end;

    end = r->body + r->body_len;
    before = sink->stats.events;

    sink->stats.requests++;
    sink->stats.bytes += r->body_len;

    for (i = 0; i < sink->markers_count; i++) {
        len = strlen(sink->markers[i]);
        p = r->body;

        for ( ;; ) {
            p = memmem(p, (size_t) (end - p), sink->markers[i], len);
            if (p == NULL) {
                break;
            }

            sink->stats.events++;
            p += len;
        }
    }

    sink_window(&sink->stats, sink_now_ns() / 1000000,
                sink->stats.events - before);
}


static void
sink_answer_stats(sink_t *sink, sink_connection_t *c)
{
    char           head[96], *body, *p;
    size_t         n;
    uint32_t       i;
    sink_stats_t  *s;

    s = &sink->stats;

    body = malloc(256 + 12 * SINK_LATENCIES_SHOWN);
    if (body == NULL) {
        sink_die("malloc");
    }

    p = body + sprintf(body, "{\"requests\":%llu,\"events\":%llu,"
                       "\"bytes\":%llu,\"latencies\":[",
                       (unsigned long long) s->requests,
                       (unsigned long long) s->events,
                       (unsigned long long) s->bytes);

    for (i = 0; i < s->latencies_count && i < SINK_LATENCIES_SHOWN; i++) {
        p += sprintf(p, "%s%u", i ? "," : "", s->latencies[i]);
    }

    p += sprintf(p, "]}");

    n = (size_t) sprintf(head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n"
                         "\r\n", (size_t) (p - body));

    sink_send(c, head, n);
    sink_send(c, body, (size_t) (p - body));
    free(body);
}


static void
sink_answer_text(sink_connection_t *c, const char *text)
{
    char  answer[512];

    sink_send(c, answer, (size_t) snprintf(answer, sizeof(answer),
              "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
              strlen(text), text));
}


static int
sink_compare(const void *a, const void *b)
{
    const uint32_t  *one = a, *two = b;

    return (*one > *two) - (*one < *two);
}


static void
sink_answer_percentiles(sink_t *sink, sink_connection_t *c)
{
    char           text[256];
    uint32_t       n;
    sink_stats_t  *s;

    s = &sink->stats;
    n = s->latencies_count;

    qsort(s->latencies, n, sizeof(uint32_t), sink_compare);

    (void) snprintf(text, sizeof(text),
                    "{\"count\":%u,\"p50\":%u,\"p99\":%u,\"max\":%u}", n,
                    n ? s->latencies[n / 2] : 0,
                    n ? s->latencies[(uint64_t) n * 99 / 100] : 0,
                    n ? s->latencies[n - 1] : 0);

    sink_answer_text(c, text);
}


static void
sink_answer_numbers(sink_t *sink, sink_connection_t *c, uint64_t count)
{
    int       first, most;
    char      text[256];
    uint64_t  i, missing, twice;

    first = -1;
    most = 0;
    missing = 0;
    twice = 0;

    for (i = 0; i < count && i < SINK_NUMBERS_MAX; i++) {

        if (sink->stats.numbers[i] == 0) {
            missing++;

            if (first == -1) {
                first = (int) i;
            }

            continue;
        }

        twice += sink->stats.numbers[i] - 1U;

        if (sink->stats.numbers[i] > most) {
            most = sink->stats.numbers[i];
        }
    }

    (void) snprintf(text, sizeof(text),
                    "{\"missing\":%llu,\"twice\":%llu,\"most\":%d,"
                    "\"first\":%d}", (unsigned long long) missing,
                    (unsigned long long) twice, most, first);

    sink_answer_text(c, text);
}


static void
sink_answer(sink_t *sink, sink_connection_t *c, const sink_request_t *r)
{
    char  text[64];

    if (strncmp(r->head, "GET /stats", 10) == 0) {
        sink_answer_stats(sink, c);
        return;
    }

    if (strncmp(r->head, "GET /percentiles", 16) == 0) {
        sink_answer_percentiles(sink, c);
        return;
    }

    if (strncmp(r->head, "GET /most", 9) == 0) {
        (void) snprintf(text, sizeof(text), "{\"most\":%llu}",
                        (unsigned long long) sink->stats.window_most);
        sink_answer_text(c, text);
        return;
    }

    if (strncmp(r->head, "GET /numbers/", 13) == 0) {
        sink_answer_numbers(sink, c, sink_number(r->head + 13,
                                                 r->head_len - 13));
        return;
    }

    if (strncmp(r->head, "GET /reset", 10) == 0) {
        sink->stats.requests = 0;
        sink->stats.events = 0;
        sink->stats.bytes = 0;
        sink->stats.window_most = 0;
        sink->stats.window_sum = 0;
        sink->stats.window_ms = 0;
        memset(sink->stats.window, 0, sizeof(sink->stats.window));
        sink->stats.latencies_count = 0;
        memset(sink->stats.numbers, 0, sizeof(sink->stats.numbers));

    } else {
        sink_latency(sink, r, sink_now_ns());
        sink_tick(sink, r);
        sink_count(sink, r);
    }

    sink_send(c, sink_no_content, sizeof(sink_no_content) - 1);
}


/* Answers every request that is complete; keeps the rest for later. */
static void
sink_requests(sink_t *sink, sink_connection_t *c)
{
    size_t          done;
    sink_request_t  r;

    done = 0;
    r.expect = 0;

    while (done < c->len && sink_parse(&r, c->buf + done, c->len - done)) {
        done += r.head_len + r.body_len;
        c->continued = 0;
        sink_answer(sink, c, &r);
        r.expect = 0;
    }

    if (r.expect && !c->continued) {
        sink_send(c, sink_continue, sizeof(sink_continue) - 1);
        c->continued = 1;
    }

    memmove(c->buf, c->buf + done, c->len - done);
    c->len -= done;
}


static void
sink_read(sink_t *sink, sink_connection_t *c)
{
    ssize_t  n;

    if (c->len == c->size) {
        c->size = c->size ? 2 * c->size : SINK_BUFFER_MIN;

        if (c->size > 2 * SINK_REQUEST_MAX) {
            sink_die("head too large");
        }

        c->buf = realloc(c->buf, c->size);
        if (c->buf == NULL) {
            sink_die("realloc");
        }
    }

    n = read(c->fd, c->buf + c->len, c->size - c->len);

    if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR)) {
        sink_close(c);
        return;
    }

    if (n > 0) {
        c->len += (size_t) n;
        sink_requests(sink, c);
    }
}


/* Gives the answers that are due; returns the ms until the next one, or -1. */
static int
sink_answer_due(sink_t *sink)
{
    int                 i;
    uint64_t            now, next;
    sink_connection_t  *c;

    now = sink_now_ns();
    next = UINT64_MAX;

    for (i = 0; i < SINK_CONNECTIONS_MAX; i++) {
        c = &sink->connections[i];

        if (c->fd == -1 || c->due_ns == 0) {
            continue;
        }

        if (c->due_ns <= now) {
            c->due_ns = 0;
            sink_send(c, sink_no_content, sizeof(sink_no_content) - 1);

        } else if (c->due_ns < next) {
            next = c->due_ns;
        }
    }

    return (next == UINT64_MAX) ? -1 : (int) ((next - now) / 1000000) + 1;
}


int
main(int argc, char *argv[])
{
    int                  i, n;
    sink_t              *sink;
    struct epoll_event   events[128];

    signal(SIGPIPE, SIG_IGN);

    sink = calloc(1, sizeof(sink_t));
    if (sink == NULL) {
        sink_die("cannot start");
    }

    if (argc > 2 && strcmp(argv[1], "--delay") == 0) {
        sink->delay_ns = strtoull(argv[2], NULL, 10) * 1000000;
        argc -= 2;
        argv += 2;
    }

    if (argc - 1 > SINK_MARKERS_MAX) {
        sink_die("too many markers");
    }

    sink->markers = (const char **) argv + 1;
    sink->markers_count = argc - 1;

    for (i = 0; i < SINK_CONNECTIONS_MAX; i++) {
        sink->connections[i].fd = -1;
    }

    sink_listen(sink);

    for ( ;; ) {
        n = epoll_wait(sink->epoll, events, 128,
                       sink->delay_ns ? sink_answer_due(sink) : -1);

        for (i = 0; i < n; i++) {

            if (events[i].data.ptr == NULL) {
                sink_accept(sink);

            } else {
                sink_read(sink, events[i].data.ptr);
            }
        }
    }
}
