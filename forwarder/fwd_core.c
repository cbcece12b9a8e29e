
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Things of one event loop.
 */


#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/random.h>

#include "fwd_core.h"
#include "fwd_units.h"


static void fwd_core_prepare(uv_prepare_t *handle);


static const char *const  fwd_fail_names[] = {
    [FWD_FAIL_AFTER_CLAIM] = "after_claim",
    [FWD_FAIL_AFTER_READ] = "after_read",
    [FWD_FAIL_AFTER_ROUTE] = "after_route",
    [FWD_FAIL_BEFORE_SEND] = "before_send",
    [FWD_FAIL_AFTER_SEND] = "after_send",
    [FWD_FAIL_BEFORE_DONE] = "before_done",
    [FWD_FAIL_AFTER_DONE] = "after_done",
    [FWD_FAIL_BEFORE_RETRY] = "before_retry",
    [FWD_FAIL_AFTER_RETRY] = "after_retry",
    [FWD_FAIL_BEFORE_DEAD] = "before_dead",
    [FWD_FAIL_AFTER_DEAD] = "after_dead",
    [FWD_FAIL_BEFORE_MOVE] = "before_move",
    [FWD_FAIL_AFTER_MOVE] = "after_move",
    [FWD_FAIL_FILE_AFTER_WRITE] = "file_after_write",
    [FWD_FAIL_BEFORE_TRIM] = "before_trim"
};


fwd_rc_t
fwd_core_init(fwd_core_t *core, uv_loop_t *loop, fwd_log_t *log)
{
    ssize_t  n;

    memset(core, 0, sizeof(fwd_core_t));

    core->loop = loop;
    core->log = log;
    core->fail_point = FWD_FAIL_COUNT;

    fwd_list_init(&core->posted);

    n = getrandom(core->random, sizeof(core->random), 0);

    if (n != sizeof(core->random)) {
        core->random[0] = (uint64_t) getpid() * 0x9e3779b97f4a7c15ULL;
        core->random[1] = fwd_wall_ms();
    }

    core->random[0] |= 1;                /* all zero would stay zero */

    if (uv_prepare_init(loop, &core->prepare) != 0) {
        return FWD_ERROR;
    }

    core->prepare.data = core;

    /* it must not keep the loop alive by itself */
    uv_unref((uv_handle_t *) &core->prepare);

    if (uv_prepare_start(&core->prepare, fwd_core_prepare) != 0) {
        return FWD_ERROR;
    }

    return FWD_OK;
}


void
fwd_core_stop(fwd_core_t *core)
{
    if (core->loop == NULL) {
        return;
    }

    (void) uv_prepare_stop(&core->prepare);
    uv_close((uv_handle_t *) &core->prepare, NULL);
    core->loop = NULL;
}


uint64_t
fwd_core_now_ms(const fwd_core_t *core)
{
    return uv_now(core->loop);
}


uint64_t
fwd_wall_ms(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}


/* xorshift128+: for jitter and ids, not for secrets */

uint64_t
fwd_core_random(fwd_core_t *core)
{
    uint64_t  a, b;

    a = core->random[0];
    b = core->random[1];

    core->random[0] = b;
    a ^= a << 23;
    core->random[1] = a ^ b ^ (a >> 18) ^ (b >> 5);

    return core->random[1] + b;
}


void
fwd_post_init(fwd_post_t *p, void (*handler)(void *data), void *data)
{
    memset(p, 0, sizeof(fwd_post_t));

    p->handler = handler;
    p->data = data;
}


void
fwd_post(fwd_core_t *core, fwd_post_t *p)
{
    if (p->link.next == NULL) {
        fwd_list_push(&core->posted, &p->link);
    }
}


void
fwd_post_cancel(fwd_post_t *p)
{
    if (p->link.next != NULL) {
        fwd_list_remove(&p->link);
    }
}


/*
 * Handlers post in a line: a destination posts steps, steps post the write
 * of the connection.  Each runs when its turn comes, so a round ends with
 * one write that carries everything.
 */

static void
fwd_core_prepare(uv_prepare_t *handle)
{
    fwd_core_t  *core;
    fwd_post_t  *p;
    fwd_link_t  *link;

    core = handle->data;

    while (!fwd_list_empty(&core->posted)) {
        link = core->posted.next;
        p = fwd_list_data(link, fwd_post_t, link);

        fwd_list_remove(link);
        p->handler(p->data);
    }

    fwd_log_flush(core->log);
}


fwd_rc_t
fwd_fail_parse(fwd_core_t *core, const char *text, fwd_error_t *err)
{
    size_t       i, len;
    uint64_t     count;
    const char  *colon;

    count = 1;
    colon = strchr(text, ':');
    len = (colon != NULL) ? (size_t) (colon - text) : strlen(text);

    if (colon != NULL
        && (fwd_units_number(&count, colon + 1) != FWD_OK
            || count == 0 || count > UINT32_MAX))
    {
        return fwd_error(err, "invalid count in MARTECH_FAIL_AT \"%s\"",
                         text);
    }

    for (i = 0; i < FWD_FAIL_COUNT; i++) {
        if (strlen(fwd_fail_names[i]) == len
            && memcmp(fwd_fail_names[i], text, len) == 0)
        {
            core->fail_point = (fwd_fail_point_t) i;
            core->fail_count = (uint32_t) count;
            return FWD_OK;
        }
    }

    return fwd_error(err, "unknown name in MARTECH_FAIL_AT \"%s\"", text);
}


void
fwd_fail(fwd_core_t *core, fwd_fail_point_t point)
{
    if (core->fail_point != point) {
        return;
    }

    if (__atomic_sub_fetch(&core->fail_count, 1, __ATOMIC_RELAXED) == 0) {
        (void) kill(getpid(), SIGKILL);
    }
}
