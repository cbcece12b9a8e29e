
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The log.
 *
 * Lines of one round of the event loop go out in one write.  When nobody
 * reads (a full pipe that is non-blocking) lines are thrown away and counted:
 * a log must not hold up deliveries.
 */


#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../martech/martech_json.h"
#include "../martech/martech_time.h"

#include "fwd_log.h"


#define FWD_LOG_BUF_SIZE   65536
#define FWD_LOG_LINE_MAX   8192


struct fwd_log_s {
    int                   fd;
    size_t                len;           /* bytes collected */
    uint64_t              lost;          /* lines that nobody took */
    fwd_log_level_t       level;
    unsigned char         buf[FWD_LOG_BUF_SIZE];
};


static void fwd_log_pair(martech_json_writer_t *w, const fwd_kv_t *kv);


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

    log->fd = fd;
    log->len = 0;
    log->lost = 0;
    log->level = level;

    return log;
}


void
fwd_log_destroy(fwd_log_t *log)
{
    if (log == NULL) {
        return;
    }

    fwd_log_flush(log);
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
    int64_t                ms;
    struct timespec        ts;
    unsigned char          stamp[MARTECH_TIME_LEN];
    martech_json_writer_t  w, whole;

    if (sizeof(log->buf) - log->len < FWD_LOG_LINE_MAX) {
        fwd_log_flush(log);
    }

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

    if (level == FWD_LOG_ERROR) {
        fwd_log_flush(log);
    }
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


void
fwd_log_flush(fwd_log_t *log)
{
    size_t   sent;
    ssize_t  n;

    sent = 0;

    while (sent < log->len) {
        n = write(log->fd, log->buf + sent, log->len - sent);

        if (n < 0 && errno == EINTR) {
            continue;
        }

        if (n <= 0) {
            log->lost++;
            break;
        }

        sent += (size_t) n;
    }

    log->len = 0;
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
