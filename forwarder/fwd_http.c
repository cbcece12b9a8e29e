
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The multi handle, its timer and its sockets.
 *
 * libcurl lets go of a socket after each transfer and takes it up again for
 * the next; so poll handles are kept in a table by descriptor, stopped, and
 * closed when libcurl says that it closes the socket.  Sockets that libcurl
 * has for itself (of its resolver) are closed without a word: a stopped
 * handle holds nothing but a number, and serves the next one of that number.
 */


#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fwd_http.h"


typedef struct {
    uv_poll_t             poll;
    fwd_http_t           *http;          /* NULL: being closed */
    curl_socket_t         fd;
    int                   events;        /* asked of libuv */
} fwd_http_socket_t;


struct fwd_http_s {
    fwd_core_t           *core;
    fwd_http_done_pt      done;
    CURLM                *multi;
    uv_timer_t            timer;
    fwd_http_socket_t   **sockets;       /* by descriptor */
    int                   sockets_size;
};


static int fwd_http_on_socket(CURL *easy, curl_socket_t fd, int what,
    void *data, void *socket_data);
static fwd_http_socket_t *fwd_http_socket(fwd_http_t *http,
    curl_socket_t fd);
static int fwd_http_on_close(void *data, curl_socket_t fd);
static void fwd_http_forget(fwd_http_t *http, curl_socket_t fd);
static void fwd_http_socket_closed(uv_handle_t *handle);
static void fwd_http_on_poll(uv_poll_t *poll, int status, int events);
static int fwd_http_on_timer(CURLM *multi, long timeout_ms, void *data);
static void fwd_http_timer(uv_timer_t *timer);
static void fwd_http_check(fwd_http_t *http);
static void fwd_http_timer_closed(uv_handle_t *handle);


fwd_http_t *
fwd_http_create(fwd_core_t *core, fwd_http_done_pt done)
{
    fwd_http_t  *http;

    http = calloc(1, sizeof(fwd_http_t));
    if (http == NULL) {
        return NULL;
    }

    http->core = core;
    http->done = done;

    http->multi = curl_multi_init();

    if (http->multi == NULL || uv_timer_init(core->loop, &http->timer) != 0) {
        curl_multi_cleanup(http->multi);
        free(http);
        return NULL;
    }

    http->timer.data = http;

    (void) curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION,
                             fwd_http_on_socket);
    (void) curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    (void) curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION,
                             fwd_http_on_timer);
    (void) curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);

    return http;
}


void
fwd_http_destroy(fwd_http_t *http)
{
    int  fd;

    if (http == NULL) {
        return;
    }

    (void) curl_multi_cleanup(http->multi);

    for (fd = 0; fd < http->sockets_size; fd++) {
        fwd_http_forget(http, fd);
    }

    free(http->sockets);
    http->sockets = NULL;
    http->sockets_size = 0;

    uv_close((uv_handle_t *) &http->timer, fwd_http_timer_closed);
}


CURL *
fwd_http_easy(fwd_http_t *http)
{
    CURL  *easy;

    easy = curl_easy_init();
    if (easy == NULL) {
        return NULL;
    }

    (void) curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
#if (LIBCURL_VERSION_NUM >= 0x075700)
    /* a transfer that ends does not wait for its resolver thread */
    (void) curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
    (void) curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION,
                            fwd_http_on_close);
    (void) curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, http);

    return easy;
}


fwd_rc_t
fwd_http_start(fwd_http_t *http, CURL *easy)
{
    return curl_multi_add_handle(http->multi, easy) == CURLM_OK
           ? FWD_OK : FWD_ERROR;
}


void
fwd_http_cancel(fwd_http_t *http, CURL *easy)
{
    (void) curl_multi_remove_handle(http->multi, easy);
}


static int
fwd_http_on_socket(CURL *easy, curl_socket_t fd, int what, void *data,
    void *socket_data)
{
    int                 events;
    fwd_http_t         *http = data;
    fwd_http_socket_t  *s;

    (void) easy;
    (void) socket_data;

    s = fwd_http_socket(http, fd);
    if (s == NULL) {
        return -1;                       /* libcurl fails its transfers */
    }

    events = 0;

    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) {
        events |= UV_READABLE;
    }

    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) {
        events |= UV_WRITABLE;
    }

    if (events == s->events) {
        return 0;
    }

    s->events = events;

    if (events == 0) {
        (void) uv_poll_stop(&s->poll);
        return 0;
    }

    return uv_poll_start(&s->poll, events, fwd_http_on_poll) == 0 ? 0 : -1;
}


static fwd_http_socket_t *
fwd_http_socket(fwd_http_t *http, curl_socket_t fd)
{
    int                  size;
    fwd_http_socket_t   *s, **sockets;

    if (fd >= http->sockets_size) {
        size = http->sockets_size ? http->sockets_size : 64;

        while (size <= fd) {
            size *= 2;
        }

        sockets = realloc(http->sockets,
                          (size_t) size * sizeof(fwd_http_socket_t *));
        if (sockets == NULL) {
            return NULL;
        }

        memset(sockets + http->sockets_size, 0,
               (size_t) (size - http->sockets_size)
               * sizeof(fwd_http_socket_t *));

        http->sockets = sockets;
        http->sockets_size = size;
    }

    s = http->sockets[fd];

    if (s != NULL) {
        return s;
    }

    s = calloc(1, sizeof(fwd_http_socket_t));
    if (s == NULL) {
        return NULL;
    }

    if (uv_poll_init_socket(http->core->loop, &s->poll, fd) != 0) {
        free(s);
        return NULL;
    }

    s->poll.data = s;
    s->http = http;
    s->fd = fd;
    http->sockets[fd] = s;

    return s;
}


static int
fwd_http_on_close(void *data, curl_socket_t fd)
{
    fwd_http_forget(data, fd);

    return close(fd);
}


static void
fwd_http_forget(fwd_http_t *http, curl_socket_t fd)
{
    fwd_http_socket_t  *s;

    if (fd >= http->sockets_size || http->sockets[fd] == NULL) {
        return;
    }

    s = http->sockets[fd];
    http->sockets[fd] = NULL;

    s->http = NULL;
    (void) uv_poll_stop(&s->poll);
    uv_close((uv_handle_t *) &s->poll, fwd_http_socket_closed);
}


static void
fwd_http_socket_closed(uv_handle_t *handle)
{
    free(handle->data);
}


static void
fwd_http_on_poll(uv_poll_t *poll, int status, int events)
{
    int                 flags, running;
    fwd_http_t         *http;
    fwd_http_socket_t  *s;

    s = poll->data;
    http = s->http;

    if (http == NULL) {
        return;
    }

    flags = 0;

    if (status < 0) {
        flags = CURL_CSELECT_ERR;
    }

    if (events & UV_READABLE) {
        flags |= CURL_CSELECT_IN;
    }

    if (events & UV_WRITABLE) {
        flags |= CURL_CSELECT_OUT;
    }

    /* s may be gone after this */
    (void) curl_multi_socket_action(http->multi, s->fd, flags, &running);

    fwd_http_check(http);
}


static int
fwd_http_on_timer(CURLM *multi, long timeout_ms, void *data)
{
    fwd_http_t  *http = data;

    (void) multi;

    if (timeout_ms < 0) {
        return uv_timer_stop(&http->timer) == 0 ? 0 : -1;
    }

    return uv_timer_start(&http->timer, fwd_http_timer,
                          (uint64_t) timeout_ms, 0)
           == 0 ? 0 : -1;
}


static void
fwd_http_timer(uv_timer_t *timer)
{
    int          running;
    fwd_http_t  *http;

    http = timer->data;

    (void) curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0,
                                    &running);
    fwd_http_check(http);
}


static void
fwd_http_check(fwd_http_t *http)
{
    int       left;
    CURL     *easy;
    CURLMsg  *msg;
    CURLcode  code;

    for ( ;; ) {
        msg = curl_multi_info_read(http->multi, &left);

        if (msg == NULL) {
            return;
        }

        if (msg->msg != CURLMSG_DONE) {
            continue;
        }

        /* msg is gone after the removal */

        easy = msg->easy_handle;
        code = msg->data.result;

        (void) curl_multi_remove_handle(http->multi, easy);
        http->done(easy, code);
    }
}


static void
fwd_http_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}
