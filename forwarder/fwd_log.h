
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The log: one JSON object a line.  Values are added as typed pairs, so that
 * nothing has to be escaped by hand and no line can be broken in two.
 *
 * Never a secret, a body, or a value of a person: the only thing of an event
 * that may stand in a line is its messageId and its request id.
 */


#ifndef _FWD_LOG_H_INCLUDED_
#define _FWD_LOG_H_INCLUDED_


#include "fwd.h"


typedef enum {
    FWD_LOG_ERROR = 0,
    FWD_LOG_WARN,
    FWD_LOG_INFO,
    FWD_LOG_DEBUG
} fwd_log_level_t;


typedef enum {
    FWD_KV_NONE = 0,
    FWD_KV_STRING,
    FWD_KV_INT,
    FWD_KV_STRINGS,               /* an array of slices */
    FWD_KV_END
} fwd_kv_kind_t;


/* One pair of a line; made by the macros below. */
typedef struct {
    fwd_kv_kind_t         kind;
    const char           *key;
    const void           *data;
    int64_t               number;        /* or length, or count */
} fwd_kv_t;


#define fwd_kv_text(k, s)   { FWD_KV_STRING, (k), (s), -1 }
#define fwd_kv_str(k, s)    { FWD_KV_STRING, (k), (s).data, (int64_t) (s).len }
#define fwd_kv_int(k, n)    { FWD_KV_INT, (k), NULL, (int64_t) (n) }
#define fwd_kv_strs(k, a, n)  { FWD_KV_STRINGS, (k), (a), (int64_t) (n) }
#define fwd_kv_skip()       { FWD_KV_NONE, NULL, NULL, 0 }


typedef struct fwd_log_s  fwd_log_t;


/* Writes to a descriptor that it does not own.  NULL if out of memory. */
fwd_log_t *fwd_log_create(int fd, fwd_log_level_t level);
void fwd_log_destroy(fwd_log_t *log);

void fwd_log_set_level(fwd_log_t *log, fwd_log_level_t level);
int fwd_log_enabled(const fwd_log_t *log, fwd_log_level_t level);

/*
 * fwd_log(log, level, "action first", fwd_kv_text("key", "value"), ...)
 * Pairs with an empty text are left out.
 * Lines are collected; fwd_log_flush() writes them, and so does an error.
 */
#define fwd_log(log, level, msg, ...)                                         \
    do {                                                                      \
        if (fwd_log_enabled(log, level)) {                                    \
            fwd_log_write(log, level, msg, (const fwd_kv_t []) {              \
                              fwd_kv_skip(), ##__VA_ARGS__,                   \
                              { FWD_KV_END, NULL, NULL, 0 } });               \
        }                                                                     \
    } while (0)

void fwd_log_write(fwd_log_t *log, fwd_log_level_t level, const char *msg,
    const fwd_kv_t *pairs);

void fwd_log_flush(fwd_log_t *log);


/*
 * Limits repeats from one cause.  Returns 1 if a line may be written at
 * now_ms; *suppressed is then the number of lines left out since the last.
 */
typedef struct {
    uint64_t              next_ms;
    uint32_t              suppressed;
} fwd_log_limit_t;

int fwd_log_pass(fwd_log_limit_t *limit, uint64_t now_ms, uint64_t every_ms,
    uint32_t *suppressed);


#endif /* _FWD_LOG_H_INCLUDED_ */
