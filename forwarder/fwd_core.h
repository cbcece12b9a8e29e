
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What belongs to one event loop and is needed everywhere in it: the loop,
 * the log, random numbers, work posted to the end of the round, and fail
 * points.  Nothing here is shared between loops.
 */


#ifndef _FWD_CORE_H_INCLUDED_
#define _FWD_CORE_H_INCLUDED_


#include <uv.h>

#include "fwd.h"
#include "fwd_list.h"
#include "fwd_log.h"


/*
 * Places where a test can end the process as kill -9 would; the names stand
 * in docs/FORWARDER.md.
 */
typedef enum {
    FWD_FAIL_AFTER_CLAIM = 0,
    FWD_FAIL_AFTER_READ,
    FWD_FAIL_AFTER_ROUTE,
    FWD_FAIL_BEFORE_SEND,
    FWD_FAIL_AFTER_SEND,
    FWD_FAIL_BEFORE_DONE,
    FWD_FAIL_AFTER_DONE,
    FWD_FAIL_BEFORE_RETRY,
    FWD_FAIL_AFTER_RETRY,
    FWD_FAIL_BEFORE_DEAD,
    FWD_FAIL_AFTER_DEAD,
    FWD_FAIL_BEFORE_MOVE,
    FWD_FAIL_AFTER_MOVE,
    FWD_FAIL_FILE_AFTER_WRITE,
    FWD_FAIL_BEFORE_TRIM,
    FWD_FAIL_COUNT                /* number of points, not a point */
} fwd_fail_point_t;


/* Work for the end of the round; a member of the object that wants it. */
typedef struct {
    fwd_link_t            link;
    void                (*handler)(void *data);
    void                 *data;
} fwd_post_t;


typedef struct {
    uv_loop_t            *loop;
    fwd_engine_t         *engine;        /* of this loop; NULL: there is none
                                            (a command) */
    fwd_log_t            *log;
    fwd_link_t            posted;
    uv_prepare_t          prepare;       /* runs what was posted */
    unsigned              holds;         /* works that a stop waits for */
    uint64_t              random[2];     /* state, seeded at init */
    fwd_fail_point_t      fail_point;    /* FWD_FAIL_COUNT: none */
    uint32_t              fail_count;    /* passes left; worker threads of
                                            libuv count too: atomic */
} fwd_core_t;


/* Binds to a loop; the log is not owned.  stop() before the loop is closed. */
fwd_rc_t fwd_core_init(fwd_core_t *core, uv_loop_t *loop, fwd_log_t *log)
    FWD_MUST_CHECK;
void fwd_core_stop(fwd_core_t *core);

/* Monotonic, the loop's own idea of now. */
uint64_t fwd_core_now_ms(const fwd_core_t *core);

/* Wall clock, for stamps and due times in Redis. */
uint64_t fwd_wall_ms(void);

uint64_t fwd_core_random(fwd_core_t *core);

/*
 * Runs the handler once before the loop waits again, however often it is
 * posted.  cancel() must come before the memory of p goes.
 */
void fwd_post_init(fwd_post_t *p, void (*handler)(void *data), void *data);
void fwd_post(fwd_core_t *core, fwd_post_t *p);
void fwd_post_cancel(fwd_post_t *p);

/* Reads "name" or "name:count" (the count-th pass ends the process). */
fwd_rc_t fwd_fail_parse(fwd_core_t *core, const char *text, fwd_error_t *err)
    FWD_MUST_CHECK;

/* Ends the process if this point is armed. */
void fwd_fail(fwd_core_t *core, fwd_fail_point_t point);


#endif /* _FWD_CORE_H_INCLUDED_ */
