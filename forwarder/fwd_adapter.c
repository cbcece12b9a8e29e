
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The adapter.
 *
 * Rules that make it safe: any call into hiredis may free the context, and
 * then our cleanup hook has run, which clears a->ac; so after each call only
 * the adapter is looked at.  The adapter lives until libuv has closed its
 * handle, that is at least to the end of the present callback.
 *
 * Commands of one round go out in one write: the write hook posts the write
 * to the end of the round and asks for POLLOUT only when the socket was full
 * (hiredis calls the hook again after a short write).
 */


#include <stdlib.h>

#include <sys/ioctl.h>

#include "fwd_adapter.h"


#define FWD_ADAPTER_READS_MAX  64        /* 16 KiB each, then others go on */


typedef struct {
    uv_poll_t             poll;
    redisAsyncContext    *ac;            /* NULL: given up by hiredis */
    fwd_core_t           *core;
    fwd_post_t            write;         /* the posted write */
    int                   events;        /* asked of libuv */
    unsigned              connected:1;
    unsigned              writing:1;     /* inside HandleWrite */
} fwd_adapter_t;


static void fwd_adapter_poll(uv_poll_t *poll, int status, int events);
static void fwd_adapter_read(fwd_adapter_t *a);
static void fwd_adapter_write(void *data);
static void fwd_adapter_watch(fwd_adapter_t *a, int events);
static void fwd_adapter_add_read(void *data);
static void fwd_adapter_del_read(void *data);
static void fwd_adapter_add_write(void *data);
static void fwd_adapter_del_write(void *data);
static void fwd_adapter_cleanup(void *data);
static void fwd_adapter_closed(uv_handle_t *handle);


fwd_rc_t
fwd_adapter_attach(fwd_core_t *core, redisAsyncContext *ac)
{
    fwd_adapter_t  *a;

    a = calloc(1, sizeof(fwd_adapter_t));
    if (a == NULL) {
        return FWD_ERROR;
    }

    if (uv_poll_init(core->loop, &a->poll, ac->c.fd) != 0) {
        free(a);
        return FWD_ERROR;
    }

    a->core = core;
    a->ac = ac;
    a->poll.data = a;
    fwd_post_init(&a->write, fwd_adapter_write, a);

    ac->ev.data = a;
    ac->ev.addRead = fwd_adapter_add_read;
    ac->ev.delRead = fwd_adapter_del_read;
    ac->ev.addWrite = fwd_adapter_add_write;
    ac->ev.delWrite = fwd_adapter_del_write;
    ac->ev.cleanup = fwd_adapter_cleanup;

    return FWD_OK;
}


static void
fwd_adapter_poll(uv_poll_t *poll, int status, int events)
{
    fwd_adapter_t  *a;

    a = poll->data;

    if (a->ac == NULL) {
        return;
    }

    if (status != 0) {
        /* hiredis finds the error by its own read or write */
        events = UV_READABLE|UV_WRITABLE;
    }

    if ((events & UV_WRITABLE) && !a->connected) {

        /* the first event of a connecting socket, an error as well */
        a->connected = 1;
        redisAsyncHandleWrite(a->ac);

    } else if (events & UV_READABLE) {
        fwd_adapter_read(a);

        if (a->ac != NULL && (events & UV_WRITABLE)) {
            fwd_adapter_write(a);
        }

    } else if (events & UV_WRITABLE) {
        fwd_adapter_write(a);
    }
}


/*
 * One call reads 16 KiB at most.  A large reply would take a round for each
 * piece, so go on while the kernel has more, up to a limit.
 */

static void
fwd_adapter_read(fwd_adapter_t *a)
{
    int  n, pending;

    for (n = 0; n < FWD_ADAPTER_READS_MAX; n++) {
        redisAsyncHandleRead(a->ac);

        if (a->ac == NULL) {
            return;
        }

        if (ioctl(a->ac->c.fd, FIONREAD, &pending) != 0 || pending <= 0) {
            return;
        }
    }
}


static void
fwd_adapter_write(void *data)
{
    fwd_adapter_t  *a = data;

    if (a->ac == NULL) {
        return;
    }

    a->writing = 1;
    redisAsyncHandleWrite(a->ac);
    a->writing = 0;
}


static void
fwd_adapter_watch(fwd_adapter_t *a, int events)
{
    if (a->ac == NULL || events == a->events) {
        return;
    }

    a->events = events;

    if (events == 0) {
        (void) uv_poll_stop(&a->poll);
        return;
    }

    (void) uv_poll_start(&a->poll, events, fwd_adapter_poll);
}


static void
fwd_adapter_add_read(void *data)
{
    fwd_adapter_t  *a = data;

    fwd_adapter_watch(a, a->events|UV_READABLE);
}


static void
fwd_adapter_del_read(void *data)
{
    fwd_adapter_t  *a = data;

    fwd_adapter_watch(a, a->events & ~UV_READABLE);
}


static void
fwd_adapter_add_write(void *data)
{
    fwd_adapter_t  *a = data;

    if (a->connected && !a->writing) {
        fwd_post(a->core, &a->write);
        return;
    }

    fwd_adapter_watch(a, a->events|UV_WRITABLE);
}


static void
fwd_adapter_del_write(void *data)
{
    fwd_adapter_t  *a = data;

    fwd_adapter_watch(a, a->events & ~UV_WRITABLE);
}


/*
 * hiredis closes the descriptor right after this call, so it has to be out
 * of the loop's set now; uv_close() takes it out at once.
 */

static void
fwd_adapter_cleanup(void *data)
{
    fwd_adapter_t  *a = data;

    a->ac = NULL;

    fwd_post_cancel(&a->write);
    (void) uv_poll_stop(&a->poll);
    uv_close((uv_handle_t *) &a->poll, fwd_adapter_closed);
}


static void
fwd_adapter_closed(uv_handle_t *handle)
{
    free(handle->data);
}
