
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The log.
 *
 * Lines of one round of the event loop go out together.  Nobody may have to
 * wait for a reader of the log: what it does not take at once stays in a
 * buffer, and when that is full whole lines are thrown away and counted.
 *
 * O_NONBLOCK belongs to the open file, which is shared with whoever gave it
 * to us (a shell, other loops), so it is not set there.  A pipe or terminal
 * is opened once more for us alone; a socket has MSG_DONTWAIT; where neither
 * works, poll() has to say that a small write will not wait.
 */


#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/socket.h>
#include <sys/stat.h>

#include "../martech/martech_json.h"
#include "../martech/martech_time.h"

#include "fwd_log.h"


#define FWD_LOG_BUF_SIZE   (1024 * 1024)
#define FWD_LOG_LINE_MAX   8192
#define FWD_LOG_FILE_MAX   65536         /* a write to a file */
#define FWD_LOG_LAST_MS    100           /* for the last lines of all */


typedef enum {
    FWD_LOG_FILE = 0,             /* never waits for anybody */
    FWD_LOG_SOCKET,
    FWD_LOG_NONBLOCK,             /* opened again with O_NONBLOCK */
    FWD_LOG_POLL
} fwd_log_kind_t;


struct fwd_log_s {
    int                   fd;
    size_t                start;         /* of what is not written yet */
    size_t                len;           /* bytes collected, from 0 */
    uint64_t              lost;          /* lines thrown away, not yet said */
    fwd_log_kind_t        kind;
    fwd_log_level_t       level;
    unsigned              own:1;         /* fd is ours to be closed */
    unsigned char         buf[FWD_LOG_BUF_SIZE];
};


static void fwd_log_open(fwd_log_t *log, int fd);
static void fwd_log_line(fwd_log_t *log, fwd_log_level_t level,
    const char *msg, const fwd_kv_t *pairs);
static void fwd_log_pair(martech_json_writer_t *w, const fwd_kv_t *kv);
static int fwd_log_has_room(fwd_log_t *log);
static size_t fwd_log_piece(const fwd_log_t *log);
static ssize_t fwd_log_give(const fwd_log_t *log, size_t len);


static const char *const  fwd_log_levels[] = {
    "error", "warn", "info", "debug"
};


fwd_log_t *
fwd_log_create(int fd, fwd_log_level_t level)
{
    fwd_log_t  *log;

    log = malloc(sizeof(fwd_log_t));
    if (log == NULL) {
        return NULL;
    }

    log->start = 0;
    log->len = 0;
    log->lost = 0;
    log->level = level;

    fwd_log_open(log, fd);

    return log;
}


static void
fwd_log_open(fwd_log_t *log, int fd)
{
    int          again;
    char         path[32];
    struct stat  st;

    log->fd = fd;
    log->own = 0;
    log->kind = FWD_LOG_POLL;

    if (fstat(fd, &st) != 0) {
        return;
    }

    if (S_ISREG(st.st_mode)) {
        log->kind = FWD_LOG_FILE;
        return;
    }

    if (S_ISSOCK(st.st_mode)) {
        log->kind = FWD_LOG_SOCKET;
        return;
    }

    (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);

    again = open(path, O_WRONLY|O_NONBLOCK|O_NOCTTY|O_CLOEXEC);

    if (again != -1) {
        log->fd = again;
        log->own = 1;
        log->kind = FWD_LOG_NONBLOCK;
    }
}


void
fwd_log_destroy(fwd_log_t *log)
{
    struct pollfd  pfd;

    if (log == NULL) {
        return;
    }

    fwd_log_flush(log);

    if (log->start < log->len) {
        pfd.fd = log->fd;
        pfd.events = POLLOUT;
        (void) poll(&pfd, 1, FWD_LOG_LAST_MS);
        fwd_log_flush(log);
    }

    if (log->own) {
        (void) close(log->fd);
    }

    free(log);
}


void
fwd_log_set_level(fwd_log_t *log, fwd_log_level_t level)
{
    log->level = level;
}


int
fwd_log_enabled(const fwd_log_t *log, fwd_log_level_t level)
{
    return level <= log->level;
}


void
fwd_log_write(fwd_log_t *log, fwd_log_level_t level, const char *msg,
    const fwd_kv_t *pairs)
{
    uint64_t  lost;

    if (!fwd_log_has_room(log)) {
        log->lost++;
        return;
    }

    if (log->lost != 0) {
        lost = log->lost;
        log->lost = 0;

        fwd_log_line(log, FWD_LOG_WARN,
                     "nobody read the log, lines were dropped",
                     (const fwd_kv_t []) { fwd_kv_int("dropped", lost),
                                           { FWD_KV_END, NULL, NULL, 0 } });
    }

    fwd_log_line(log, level, msg, pairs);

    if (level == FWD_LOG_ERROR) {
        fwd_log_flush(log);
    }
}


static void
fwd_log_line(fwd_log_t *log, fwd_log_level_t level, const char *msg,
    const fwd_kv_t *pairs)
{
    int64_t                ms;
    struct timespec        ts;
    unsigned char          stamp[MARTECH_TIME_LEN];
    martech_json_writer_t  w, whole;

    (void) clock_gettime(CLOCK_REALTIME, &ts);
    ms = (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
    martech_time_format(stamp, ms);

    /* room for the closing bracket and the line end */
    martech_json_writer_init(&w, log->buf + log->len, FWD_LOG_LINE_MAX - 2);

    martech_json_begin(&w, '{');
    martech_json_name(&w, "ts");
    martech_json_string(&w, stamp, sizeof(stamp));
    martech_json_name(&w, "level");
    martech_json_cstring(&w, fwd_log_levels[level]);
    martech_json_name(&w, "msg");
    martech_json_cstring(&w, msg);

    for ( /* void */ ; pairs->kind != FWD_KV_END; pairs++) {

        /* a pair that does not fit is left out, the line stays JSON */
        whole = w;
        fwd_log_pair(&w, pairs);

        if (w.overflow) {
            w = whole;
        }
    }

    w.end += 2;
    martech_json_end(&w, '}');
    *w.pos++ = '\n';

    log->len = (size_t) (w.pos - log->buf);
}


static void
fwd_log_pair(martech_json_writer_t *w, const fwd_kv_t *kv)
{
    size_t                len;
    int64_t               i;
    const martech_str_t  *str;

    switch (kv->kind) {

    case FWD_KV_STRING:
        len = (kv->number < 0) ? strlen(kv->data) : (size_t) kv->number;

        if (len != 0) {
            martech_json_name(w, kv->key);
            martech_json_string(w, kv->data, len);
        }

        break;

    case FWD_KV_INT:
        martech_json_name(w, kv->key);
        martech_json_int(w, kv->number);
        break;

    case FWD_KV_STRINGS:
        str = kv->data;
        martech_json_name(w, kv->key);
        martech_json_begin(w, '[');

        for (i = 0; i < kv->number; i++) {
            martech_json_string(w, str[i].data, str[i].len);
        }

        martech_json_end(w, ']');
        break;

    default:
        break;
    }
}


/* For two lines: the second may have to say that some were dropped. */

static int
fwd_log_has_room(fwd_log_t *log)
{
    if (sizeof(log->buf) - log->len >= 2 * FWD_LOG_LINE_MAX) {
        return 1;
    }

    fwd_log_flush(log);

    /* moved only when much is gone, or each line would move a megabyte */

    if (log->start >= sizeof(log->buf) / 2) {
        log->len -= log->start;
        memmove(log->buf, log->buf + log->start, log->len);
        log->start = 0;
    }

    return sizeof(log->buf) - log->len >= 2 * FWD_LOG_LINE_MAX;
}


void
fwd_log_flush(fwd_log_t *log)
{
    ssize_t  n;

    while (log->start < log->len) {
        n = fwd_log_give(log, fwd_log_piece(log));

        if (n < 0 && errno == EINTR) {
            continue;
        }

        if (n <= 0) {
            break;
        }

        log->start += (size_t) n;
    }

    if (log->start == log->len) {
        log->start = 0;
        log->len = 0;
    }
}


/*
 * What goes out in one write: whole lines, so that those of several loops
 * are not mixed; but a pipe takes no more than PIPE_BUF in one piece.
 */

static size_t
fwd_log_piece(const fwd_log_t *log)
{
    size_t                max, len;
    const unsigned char  *p;

    max = (log->kind == FWD_LOG_FILE) ? FWD_LOG_FILE_MAX : PIPE_BUF;
    len = log->len - log->start;

    if (len <= max) {
        return len;
    }

    p = memrchr(log->buf + log->start, '\n', max);

    return p != NULL ? (size_t) (p + 1 - (log->buf + log->start)) : max;
}


static ssize_t
fwd_log_give(const fwd_log_t *log, size_t len)
{
    struct pollfd         pfd;
    const unsigned char  *p;

    p = log->buf + log->start;

    if (log->kind == FWD_LOG_SOCKET) {
        return send(log->fd, p, len, MSG_DONTWAIT|MSG_NOSIGNAL);
    }

    if (log->kind == FWD_LOG_POLL) {
        pfd.fd = log->fd;
        pfd.events = POLLOUT;

        if (poll(&pfd, 1, 0) != 1) {
            errno = EAGAIN;
            return -1;
        }
    }

    return write(log->fd, p, len);
}


int
fwd_log_pass(fwd_log_limit_t *limit, uint64_t now_ms, uint64_t every_ms,
    uint32_t *suppressed)
{
    if (now_ms < limit->next_ms) {
        limit->suppressed++;
        return 0;
    }

    *suppressed = limit->suppressed;

    limit->suppressed = 0;
    limit->next_ms = now_ms + every_ms;

    return 1;
}
