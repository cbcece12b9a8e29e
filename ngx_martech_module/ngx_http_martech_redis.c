
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The connection to Redis: one per worker, our own.
 *
 *   DOWN --back-off--> CONNECTING --> HANDSHAKE --> READY
 *     ^                    |             |            |
 *     +--------------------+-------------+------------+   any failure
 *
 * Records are written once per round of the event loop, by a posted event, so
 * that all requests of a round share one write.  Replies come in the order of
 * the records.  A record leaves the ring only with its reply: after a lost
 * connection everything unanswered is sent again, which may store an event
 * twice and never loses one.
 *
 * The handshake ends with a command that writes nothing but is refused by a
 * server that would refuse our events (read-only, full, loading, no rights).
 * Only then the connection is READY.
 */


#include "ngx_http_martech.h"


#define NGX_HTTP_MARTECH_BACKOFF_MIN   100       /* ms */
#define NGX_HTTP_MARTECH_BACKOFF_MAX   2000      /* ms, DESIGN section 8 */
#define NGX_HTTP_MARTECH_STEADY        1000      /* ms READY that reset it */
#define NGX_HTTP_MARTECH_BUFFER_SIZE   16384
#define NGX_HTTP_MARTECH_REPLIES_MAX   1024      /* in one go */
#define NGX_HTTP_MARTECH_BUFS          64
#define NGX_HTTP_MARTECH_LOG_INTERVAL  60        /* s */


static void ngx_http_martech_redis_disconnect(
    ngx_http_martech_worker_t *worker);
static void ngx_http_martech_redis_retry(ngx_event_t *ev);
static void ngx_http_martech_redis_write_handler(ngx_event_t *wev);
static void ngx_http_martech_redis_read_handler(ngx_event_t *rev);
static ngx_err_t ngx_http_martech_redis_connected(ngx_connection_t *c);
static void ngx_http_martech_redis_flush_handler(ngx_event_t *ev);
static void ngx_http_martech_redis_flush(ngx_http_martech_worker_t *worker);
static ngx_int_t ngx_http_martech_redis_parse(
    ngx_http_martech_worker_t *worker, const u_char *p, const u_char *end,
    ngx_uint_t *replies);
static ngx_int_t ngx_http_martech_redis_reply(
    ngx_http_martech_worker_t *worker);
static void ngx_http_martech_redis_waiting(ngx_http_martech_worker_t *worker,
    ngx_uint_t progress);
static void ngx_http_martech_redis_held(ngx_event_t *ev);
static void ngx_http_martech_redis_timeout(ngx_http_martech_worker_t *worker);
static void ngx_http_martech_redis_shutdown(
    ngx_http_martech_worker_t *worker);


ngx_int_t
ngx_http_martech_redis_init(ngx_http_martech_worker_t *worker)
{
    worker->buffer = ngx_alloc(NGX_HTTP_MARTECH_BUFFER_SIZE, worker->log);

    if (worker->buffer == NULL) {
        return NGX_ERROR;
    }

    worker->state = NGX_HTTP_MARTECH_REDIS_DOWN;
    worker->down_since = ngx_current_msec;
    worker->backoff = NGX_HTTP_MARTECH_BACKOFF_MIN;

    worker->reconnect.handler = ngx_http_martech_redis_retry;
    worker->reconnect.data = &worker->dummy;
    worker->reconnect.log = worker->log;
    worker->reconnect.cancelable = 1;

    worker->hold.handler = ngx_http_martech_redis_held;
    worker->hold.data = &worker->dummy;
    worker->hold.log = worker->log;
    worker->hold.cancelable = 1;

    worker->flush.handler = ngx_http_martech_redis_flush_handler;
    worker->flush.data = &worker->dummy;
    worker->flush.log = worker->log;

    return NGX_OK;
}


void
ngx_http_martech_redis_set(ngx_http_martech_worker_t *worker,
    ngx_http_martech_redis_state_e state)
{
    if (worker->state == NGX_HTTP_MARTECH_REDIS_READY
        && state != NGX_HTTP_MARTECH_REDIS_READY)
    {
        worker->down_since = ngx_current_msec;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, worker->log, 0,
                   "martech redis: %s -> %s",
                   ngx_http_martech_redis_state(worker->state),
                   ngx_http_martech_redis_state(state));

    worker->state = state;

    worker->stats->gauges[NGX_HTTP_MARTECH_GAUGE_READY] =
                                   (state == NGX_HTTP_MARTECH_REDIS_READY);
}


const char *
ngx_http_martech_redis_state(ngx_uint_t state)
{
    static const char  *names[] = {
        "down", "connecting", "handshake", "ready", "closed"
    };

    return names[state];
}


ngx_uint_t
ngx_http_martech_redis_accepts(ngx_http_martech_worker_t *worker)
{
    switch (worker->state) {

    case NGX_HTTP_MARTECH_REDIS_READY:
        return 1;

    case NGX_HTTP_MARTECH_REDIS_CLOSED:
        return 0;

    default:

        /*
         * A short outage is waited for.  After one time-out every request so
         * far has waited in vain, so the next ones are told at once.
         */

        return (ngx_msec_int_t) (ngx_current_msec - worker->down_since)
               < (ngx_msec_int_t) worker->conf->timeout;
    }
}


void
ngx_http_martech_redis_connect(ngx_http_martech_worker_t *worker)
{
    ngx_int_t          rc;
    ngx_addr_t        *addr;
    ngx_connection_t  *c;

    if (worker->state != NGX_HTTP_MARTECH_REDIS_DOWN) {
        return;
    }

    addr = &worker->conf->addrs[worker->address % worker->conf->naddrs];
    worker->address++;

    ngx_memzero(&worker->peer, sizeof(ngx_peer_connection_t));

    worker->peer.sockaddr = addr->sockaddr;
    worker->peer.socklen = addr->socklen;
    worker->peer.name = &addr->name;
    worker->peer.get = ngx_event_get_peer;
    worker->peer.log = &worker->quiet;
    worker->peer.log_error = NGX_ERROR_INFO;
    worker->peer.so_keepalive = 1;

    ngx_http_martech_redis_set(worker, NGX_HTTP_MARTECH_REDIS_CONNECTING);

    ngx_set_socket_errno(0);

    rc = ngx_event_connect_peer(&worker->peer);

    c = worker->peer.connection;

    if (rc == NGX_ERROR || rc == NGX_BUSY || rc == NGX_DECLINED) {
        ngx_http_martech_redis_fail(worker, ngx_socket_errno,
                                    "cannot connect");
        return;
    }

    c->data = worker;
    c->log = worker->log;
    c->read->log = worker->log;
    c->write->log = worker->log;
    c->read->handler = ngx_http_martech_redis_read_handler;
    c->write->handler = ngx_http_martech_redis_write_handler;
    c->sendfile = 0;

    /* a worker that shuts down calls the read handler of idle connections */

    c->idle = 1;

    ngx_memzero(&worker->resp, sizeof(ngx_http_martech_resp_t));
    worker->handshake_bytes = 0;
    worker->handshake_done = 0;

    /* the deadline of connect and handshake together */

    ngx_add_timer(c->read, worker->conf->connect_timeout);
    ngx_http_martech_redis_update(worker);

    if (rc == NGX_OK) {
        ngx_http_martech_redis_write_handler(c->write);
    }
}


/*
 * The one way out of a connection that is of no use: closes it and tries the
 * next after the back-off.  The records stay in the ring.
 */

void
ngx_http_martech_redis_fail(ngx_http_martech_worker_t *worker,
    ngx_err_t err, const char *what)
{
    ngx_msec_t  delay;
    ngx_uint_t  level;

    if (worker->state == NGX_HTTP_MARTECH_REDIS_READY) {
        ngx_http_martech_count(worker, FAILURES, 1);

        if ((ngx_msec_int_t) (ngx_current_msec - worker->ready_since)
            >= NGX_HTTP_MARTECH_STEADY)
        {
            worker->backoff = NGX_HTTP_MARTECH_BACKOFF_MIN;
            worker->logged = 0;
        }
    }

    level = NGX_LOG_INFO;

    if (worker->logged == 0
        || ngx_time() - worker->logged >= NGX_HTTP_MARTECH_LOG_INTERVAL)
    {
        level = NGX_LOG_ERR;
        worker->logged = ngx_time();
    }

    ngx_log_error(level, worker->log, err,
                  "martech: redis %V: %s, %uL events wait",
                  &worker->conf->redis, what,
                  worker->ring.tail - worker->ring.head);

    ngx_http_martech_redis_disconnect(worker);
    ngx_http_martech_redis_set(worker, NGX_HTTP_MARTECH_REDIS_DOWN);

    /* full jitter: all workers have lost the same server */

    delay = 1 + (ngx_msec_t) ngx_random() % worker->backoff;
    worker->backoff = ngx_min(2 * worker->backoff,
                              NGX_HTTP_MARTECH_BACKOFF_MAX);

    ngx_add_timer(&worker->reconnect, delay);
    ngx_http_martech_redis_update(worker);
}


static void
ngx_http_martech_redis_disconnect(ngx_http_martech_worker_t *worker)
{
    ngx_uint_t         resent;
    ngx_connection_t  *c;

    c = worker->peer.connection;

    if (c) {
        worker->peer.connection = NULL;
        ngx_close_connection(c);
    }

    resent = ngx_http_martech_ring_rewind(&worker->ring);

    ngx_http_martech_count(worker, RESENT, resent);
}


static void
ngx_http_martech_redis_retry(ngx_event_t *ev)
{
    ngx_connection_t           *dummy;
    ngx_http_martech_worker_t  *worker;

    dummy = ev->data;
    worker = dummy->data;

    ngx_http_martech_redis_connect(worker);
}


static void
ngx_http_martech_redis_write_handler(ngx_event_t *wev)
{
    ngx_err_t                   err;
    ngx_connection_t           *c;
    ngx_http_martech_worker_t  *worker;

    c = wev->data;
    worker = c->data;

    if (worker->state == NGX_HTTP_MARTECH_REDIS_CONNECTING) {

        err = ngx_http_martech_redis_connected(c);

        if (err) {
            ngx_http_martech_redis_fail(worker, err, "cannot connect");
            return;
        }

        ngx_http_martech_redis_set(worker, NGX_HTTP_MARTECH_REDIS_HANDSHAKE);
    }

    if (worker->state == NGX_HTTP_MARTECH_REDIS_HANDSHAKE) {
        ngx_http_martech_handshake_write(worker);
        return;
    }

    ngx_http_martech_redis_flush(worker);
}


/* The error of a connect that has ended, or 0. */

static ngx_err_t
ngx_http_martech_redis_connected(ngx_connection_t *c)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        return ngx_socket_errno;
    }

    if (err == 0 && c->tcp_nodelay == NGX_TCP_NODELAY_UNSET
        && ngx_tcp_nodelay(c) != NGX_OK)
    {
        return ngx_socket_errno;
    }

    return err;
}


void
ngx_http_martech_redis_post(ngx_http_martech_worker_t *worker)
{
    if (!worker->flush.posted) {
        ngx_post_event(&worker->flush, &ngx_posted_events);
    }
}


static void
ngx_http_martech_redis_flush_handler(ngx_event_t *ev)
{
    ngx_connection_t           *dummy;
    ngx_http_martech_worker_t  *worker;

    dummy = ev->data;
    worker = dummy->data;

    ngx_http_martech_redis_flush(worker);
}


static void
ngx_http_martech_redis_flush(ngx_http_martech_worker_t *worker)
{
    off_t              before;
    ngx_buf_t          bufs[NGX_HTTP_MARTECH_BUFS];
    ngx_uint_t         i, n;
    ngx_chain_t        links[NGX_HTTP_MARTECH_BUFS], *rest;
    ngx_connection_t  *c;

    c = worker->peer.connection;

    if (worker->state != NGX_HTTP_MARTECH_REDIS_READY) {
        ngx_http_martech_redis_update(worker);
        return;
    }

    while (c->write->ready) {
        n = ngx_http_martech_ring_unsent(&worker->ring, bufs,
                                         NGX_HTTP_MARTECH_BUFS);
        if (n == 0) {
            break;
        }

        for (i = 0; i < n; i++) {
            links[i].buf = &bufs[i];
            links[i].next = (i + 1 < n) ? &links[i + 1] : NULL;
        }

        before = c->sent;
        rest = c->send_chain(c, links, 0);

        ngx_http_martech_count(worker, FLUSHES, 1);

        if (rest == NGX_CHAIN_ERROR) {
            ngx_http_martech_redis_fail(worker, 0, "cannot send");
            return;
        }

        ngx_http_martech_ring_advance(&worker->ring,
                                      (size_t) (c->sent - before));
        if (rest) {
            break;
        }
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_http_martech_redis_fail(worker, 0, "event failed");
        return;
    }

    ngx_http_martech_redis_waiting(worker, 0);
}


static void
ngx_http_martech_redis_read_handler(ngx_event_t *rev)
{
    ssize_t                     n;
    ngx_uint_t                  replies;
    ngx_connection_t           *c;
    ngx_http_martech_worker_t  *worker;

    c = rev->data;
    worker = c->data;

    if (rev->timedout) {
        ngx_http_martech_redis_timeout(worker);
        return;
    }

    if (c->close) {
        ngx_http_martech_redis_shutdown(worker);
        return;
    }

    if (worker->state == NGX_HTTP_MARTECH_REDIS_CONNECTING) {

        /* a refused connection becomes readable as well */

        ngx_http_martech_redis_write_handler(c->write);
        return;
    }

    replies = 0;

    while (replies < NGX_HTTP_MARTECH_REPLIES_MAX) {
        n = c->recv(c, worker->buffer, NGX_HTTP_MARTECH_BUFFER_SIZE);

        if (n == NGX_AGAIN) {

            if (ngx_handle_read_event(rev, 0) != NGX_OK) {
                ngx_http_martech_redis_fail(worker, 0, "event failed");
                return;
            }

            break;
        }

        if (n == NGX_ERROR || n == 0) {
            ngx_http_martech_redis_fail(worker, 0, "connection lost");
            return;
        }

        if (ngx_http_martech_redis_parse(worker, worker->buffer,
                                         worker->buffer + n, &replies)
            != NGX_OK)
        {
            return;
        }
    }

    if (replies >= NGX_HTTP_MARTECH_REPLIES_MAX) {

        /* others first; this comes back in the next round */

        ngx_post_event(rev, &ngx_posted_next_events);
    }

    ngx_http_martech_redis_waiting(worker, replies > 0);
}


/* NGX_ERROR: the connection has failed and is closed. */

static ngx_int_t
ngx_http_martech_redis_parse(ngx_http_martech_worker_t *worker,
    const u_char *p, const u_char *end, ngx_uint_t *replies)
{
    int        rc;
    ngx_int_t  result;

    for ( ;; ) {
        rc = ngx_http_martech_resp_parse(&worker->resp, &p, end);

        if (rc == 0) {
            return NGX_OK;
        }

        if (rc < 0) {
            ngx_http_martech_redis_fail(worker, 0, "sends what is no reply");
            return NGX_ERROR;
        }

        (*replies)++;

        if (worker->state == NGX_HTTP_MARTECH_REDIS_HANDSHAKE) {
            result = ngx_http_martech_handshake_reply(worker);

        } else {
            result = ngx_http_martech_redis_reply(worker);
        }

        if (result != NGX_OK) {
            return NGX_ERROR;
        }
    }
}


/* The reply to the oldest record.  NGX_ERROR: the connection has failed. */

static ngx_int_t
ngx_http_martech_redis_reply(ngx_http_martech_worker_t *worker)
{
    ngx_uint_t                       stored;
    ngx_http_martech_resp_t         *resp;
    ngx_http_martech_slot_t         *slot;
    ngx_http_martech_record_t       *record;
    ngx_http_martech_redis_class_e   class;

    resp = &worker->resp;
    record = ngx_http_martech_ring_head(&worker->ring);

    if (record == NULL) {
        ngx_http_martech_redis_fail(worker, 0, "answers what was not asked");
        return NGX_ERROR;
    }

    stored = (resp->type == NGX_HTTP_MARTECH_RESP_BULK
              || resp->type == NGX_HTTP_MARTECH_RESP_STATUS);

    if (!stored) {
        class = (resp->type == NGX_HTTP_MARTECH_RESP_ERROR)
                ? ngx_http_martech_resp_class(resp->text, resp->len)
                : NGX_HTTP_MARTECH_REDIS_OTHER;

        worker->stats->errors[class]++;

        switch (class) {

        case NGX_HTTP_MARTECH_REDIS_LOADING:
        case NGX_HTTP_MARTECH_REDIS_READONLY:
        case NGX_HTTP_MARTECH_REDIS_DENIED:

            /* not this server, not now: the record stays in the ring */

            ngx_http_martech_redis_fail(worker, 0,
                                    ngx_http_martech_resp_class_name(class));
            return NGX_ERROR;

        case NGX_HTTP_MARTECH_REDIS_OOM:
        case NGX_HTTP_MARTECH_REDIS_BUSY:

            /*
             * A client that waits is told at once.  An event that was
             * acknowledged from memory has nobody to tell: it waits until the
             * probe of a new connection finds that Redis writes again.
             */

            if (record->slot == NULL && !record->dropped) {
                ngx_http_martech_redis_fail(worker, 0,
                                    ngx_http_martech_resp_class_name(class));
                return NGX_ERROR;
            }

            break;

        default:
            break;
        }

        if (ngx_time() - worker->logged >= NGX_HTTP_MARTECH_LOG_INTERVAL) {
            worker->logged = ngx_time();

            ngx_log_error(NGX_LOG_ERR, worker->log, 0,
                          "martech: redis %V: refuses an event (%s): %*s",
                          &worker->conf->redis,
                          ngx_http_martech_resp_class_name(class),
                          ngx_http_martech_redis_quotable(resp), resp->text);
        }
    }

    if (record->dropped) {

        /* counted when its request was told that it is not stored */

    } else if (stored) {
        ngx_http_martech_count(worker, STORED, 1);

    } else {
        ngx_http_martech_count(worker, UNAVAILABLE, 1);
    }

    /* popped before the request goes on: it may bring the next one */

    slot = record->slot;
    ngx_http_martech_ring_pop(&worker->ring);

    if (slot) {
        ngx_http_martech_park_reply(worker, slot, stored);
    }

    return NGX_OK;
}


/*
 * Keeps the deadline of the oldest unanswered record: replies have an order,
 * so when one does not come, none will, and the connection has to go.
 *
 * The timer is not taken down when the ring runs empty, which would cost two
 * tree operations a round; it only ceases to hold back a shutdown.
 */

static void
ngx_http_martech_redis_waiting(ngx_http_martech_worker_t *worker,
    ngx_uint_t progress)
{
    ngx_uint_t    waiting;
    ngx_event_t  *rev;

    ngx_http_martech_ring_purge(&worker->ring);
    ngx_http_martech_redis_update(worker);

    if (worker->state != NGX_HTTP_MARTECH_REDIS_READY) {
        return;
    }

    waiting = (worker->ring.head < worker->ring.tail);

    if (progress || (waiting && !worker->waiting)) {
        worker->waiting_since = ngx_current_msec;
    }

    worker->waiting = waiting;

    rev = worker->peer.connection->read;

    if (waiting && !rev->timer_set) {
        ngx_add_timer(rev, worker->conf->timeout);
    }
}


/*
 * A worker that shuts down stays while there are events to store: always when
 * Redis takes them, where the deadline of the next reply makes it stay; and
 * during an outage as long as requests would be taken, by a timer of its own.
 */

void
ngx_http_martech_redis_update(ngx_http_martech_worker_t *worker)
{
    ngx_uint_t  ready;
    ngx_msec_t  down;

    worker->stats->gauges[NGX_HTTP_MARTECH_GAUGE_WAITING] = worker->ring.live;
    worker->stats->gauges[NGX_HTTP_MARTECH_GAUGE_BUFFER] = worker->ring.size;

    ready = (worker->state == NGX_HTTP_MARTECH_REDIS_READY);

    if (worker->peer.connection) {
        worker->peer.connection->read->cancelable = !ready
                                                    || worker->ring.live == 0;
    }

    worker->hold.cancelable = ready || worker->ring.live == 0;

    if (worker->hold.cancelable || worker->hold.timer_set
        || !ngx_http_martech_redis_accepts(worker))
    {
        return;
    }

    down = ngx_current_msec - worker->down_since;

    ngx_add_timer(&worker->hold, worker->conf->timeout - down);
}


/* The outage has lasted too long to be waited for, or it is over. */

static void
ngx_http_martech_redis_held(ngx_event_t *ev)
{
    ngx_connection_t           *dummy;
    ngx_http_martech_worker_t  *worker;

    dummy = ev->data;
    worker = dummy->data;

    ngx_http_martech_redis_update(worker);
}


static void
ngx_http_martech_redis_timeout(ngx_http_martech_worker_t *worker)
{
    ngx_event_t  *rev;
    ngx_msec_t    waited;

    rev = worker->peer.connection->read;
    rev->timedout = 0;

    if (worker->state == NGX_HTTP_MARTECH_REDIS_READY) {

        if (!worker->waiting) {
            return;
        }

        waited = ngx_current_msec - worker->waiting_since;

        if (waited < worker->conf->timeout) {
            ngx_add_timer(rev, worker->conf->timeout - waited);
            return;
        }
    }

    ngx_http_martech_redis_fail(worker, NGX_ETIMEDOUT,
                                "does not answer in time");
}


/*
 * A worker that shuts down calls the handlers of idle connections, so that
 * they close.  This one is needed until the end, for requests that are still
 * being read; exit_process closes it.  When worker_shutdown_timeout is over,
 * "error" is set as well.
 */

static void
ngx_http_martech_redis_shutdown(ngx_http_martech_worker_t *worker)
{
    ngx_connection_t  *c;

    c = worker->peer.connection;
    c->close = 0;

    if (c->error) {
        ngx_http_martech_redis_close(worker);
        ngx_http_martech_park_fail(worker);
    }
}


void
ngx_http_martech_redis_close(ngx_http_martech_worker_t *worker)
{
    if (worker->state == NGX_HTTP_MARTECH_REDIS_CLOSED) {
        return;
    }

    if (worker->flush.posted) {
        ngx_delete_posted_event(&worker->flush);
    }

    if (worker->reconnect.timer_set) {
        ngx_del_timer(&worker->reconnect);
    }

    if (worker->hold.timer_set) {
        ngx_del_timer(&worker->hold);
    }

    ngx_http_martech_redis_disconnect(worker);
    ngx_http_martech_redis_set(worker, NGX_HTTP_MARTECH_REDIS_CLOSED);
}
