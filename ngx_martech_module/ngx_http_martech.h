
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the files of the NGINX side share.  Reading order:
 *
 *     module      directives, phases, life of a worker
 *     conf        the setters behind the directives
 *     source      who may send: write keys
 *     request     what request line and headers decide
 *     collect     CONTENT phase: body, events, verdicts
 *     ctx         what we know of a request, until the log
 *     body        the body as one slice
 *     command     XADD as bytes
 *     answer      what the client is told
 *     park        a request that waits for Redis
 *     ring        bytes on their way to Redis, kept until acknowledged
 *     redis       the connection
 *     handshake   its first words
 *     resp        its replies (knows no NGINX)
 *     stats       counters in shared memory
 *     status      the page that shows them
 *     variables   for log_format
 */


#ifndef _NGX_HTTP_MARTECH_H_INCLUDED_
#define _NGX_HTTP_MARTECH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>
#include <ngx_http.h>

#include "martech.h"
#include "martech_json.h"
#include "martech_event.h"
#include "martech_shard.h"

#include "ngx_http_martech_resp.h"


#define NGX_HTTP_MARTECH_ACK_REDIS   0
#define NGX_HTTP_MARTECH_ACK_MEMORY  1

#define NGX_HTTP_MARTECH_KEY_MAX     256   /* bytes of a write key */

#define NGX_HTTP_MARTECH_STATUS_OFF         0
#define NGX_HTTP_MARTECH_STATUS_JSON        1
#define NGX_HTTP_MARTECH_STATUS_PROMETHEUS  2


/* Refusals that NGINX's side adds to those of martech_rc_t. */
typedef enum {
    NGX_HTTP_MARTECH_REFUSED_PATH = MARTECH_RC_COUNT,
    NGX_HTTP_MARTECH_REFUSED_METHOD,
    NGX_HTTP_MARTECH_REFUSED_MEDIA_TYPE,
    NGX_HTTP_MARTECH_REFUSED_ENCODING,
    NGX_HTTP_MARTECH_REFUSED_BODY_SIZE,
    NGX_HTTP_MARTECH_REFUSED_KEY_MISSING,
    NGX_HTTP_MARTECH_REFUSED_KEY_UNKNOWN,
    NGX_HTTP_MARTECH_REFUSED_UNAVAILABLE,
    NGX_HTTP_MARTECH_REFUSED_OUTSIDE,      /* by NGINX, before us */
    NGX_HTTP_MARTECH_REASONS
} ngx_http_martech_reason_e;


/* Counters of one worker, in shared memory; only their owner writes them. */
typedef enum {
    NGX_HTTP_MARTECH_COUNT_REQUESTS = 0,
    NGX_HTTP_MARTECH_COUNT_RECEIVED,       /* events: the sum of those below */
    NGX_HTTP_MARTECH_COUNT_STORED,
    NGX_HTTP_MARTECH_COUNT_UNAVAILABLE,
    NGX_HTTP_MARTECH_COUNT_REJECTED,       /* by reason: rejected[] */
    NGX_HTTP_MARTECH_COUNT_BYTES,          /* of bodies */
    NGX_HTTP_MARTECH_COUNT_ABORTED,        /* client gone while parked */
    NGX_HTTP_MARTECH_COUNT_CONNECTS,       /* Redis connections made ready */
    NGX_HTTP_MARTECH_COUNT_FAILURES,       /* Redis connections lost */
    NGX_HTTP_MARTECH_COUNT_RESENT,         /* records sent once more */
    NGX_HTTP_MARTECH_COUNT_FLUSHES,        /* writes to Redis */
    NGX_HTTP_MARTECH_COUNT_ACK_MS,         /* sum over parked requests */
    NGX_HTTP_MARTECH_COUNT_ACKS,
    NGX_HTTP_MARTECH_COUNTERS
} ngx_http_martech_counter_e;


typedef enum {
    NGX_HTTP_MARTECH_GAUGE_PARKED = 0,     /* requests */
    NGX_HTTP_MARTECH_GAUGE_WAITING,        /* events in the ring */
    NGX_HTTP_MARTECH_GAUGE_BUFFER,         /* bytes of the ring in use */
    NGX_HTTP_MARTECH_GAUGE_READY,          /* 1: Redis takes events */
    NGX_HTTP_MARTECH_GAUGES
} ngx_http_martech_gauge_e;


#define NGX_HTTP_MARTECH_ACK_BUCKETS  10


typedef struct {
    ngx_atomic_t   pid;                    /* owner, 0: free; totals stay */
    uint64_t       counters[NGX_HTTP_MARTECH_COUNTERS];
    uint64_t       gauges[NGX_HTTP_MARTECH_GAUGES];
    uint64_t       rejected[NGX_HTTP_MARTECH_REASONS];    /* events */
    uint64_t       refused[NGX_HTTP_MARTECH_REASONS];     /* requests */
    uint64_t       errors[NGX_HTTP_MARTECH_REDIS_CLASSES];
    uint64_t       ack_ms[NGX_HTTP_MARTECH_ACK_BUCKETS];
} ngx_http_martech_stats_t;


#define ngx_http_martech_count(worker, counter, n)                            \
    (worker)->stats->counters[NGX_HTTP_MARTECH_COUNT_##counter] += (n)


/* Write keys of one configuration level, and what each stands for. */
typedef struct {
    ngx_str_t      name;
    ngx_str_t      head;                   /* "$3\r\nsrc\r\n$..." of XADD */
    unsigned       client:1;               /* kind=client */
} ngx_http_martech_source_t;


typedef struct {
    ngx_array_t        sources;            /* ngx_http_martech_source_t * */
    ngx_rbtree_t       keys;
    ngx_rbtree_node_t  sentinel;
} ngx_http_martech_sources_t;


/* Bytes for Redis.  A record never spans chunks. */
typedef struct ngx_http_martech_chunk_s  ngx_http_martech_chunk_t;

struct ngx_http_martech_chunk_s {
    ngx_http_martech_chunk_t  *next;       /* younger, or next free */
    u_char                    *last;
    u_char                    *end;
    ngx_uint_t                 records;
};


typedef struct ngx_http_martech_slot_s    ngx_http_martech_slot_t;
typedef struct ngx_http_martech_worker_s  ngx_http_martech_worker_t;

typedef struct {
    u_char                    *data;
    ngx_http_martech_chunk_t  *chunk;
    ngx_http_martech_slot_t   *slot;       /* who waits for it, or NULL */
    uint32_t                   len;
    unsigned                   dropped:1;  /* nobody wants it any more */
    unsigned                   skipped:1;  /* dropped before it was sent */
} ngx_http_martech_record_t;


/* A queue of records: [head, sent) wait for replies, [sent, tail) to go. */
typedef struct {
    ngx_http_martech_record_t  *records;   /* size is a power of two */
    ngx_uint_t                  mask;
    uint64_t                    head;      /* sequence numbers */
    uint64_t                    sent;
    uint64_t                    tail;
    size_t                      sent_bytes;    /* of the record at sent */
    ngx_http_martech_chunk_t   *oldest;
    ngx_http_martech_chunk_t   *youngest;
    ngx_http_martech_chunk_t   *free;
    ngx_uint_t                  nfree;
    ngx_uint_t                  live;      /* records not dropped */
    size_t                      size;      /* bytes of chunks in use */
    size_t                      size_max;
} ngx_http_martech_ring_t;


/* The young end of a ring, to go back to. */
typedef struct {
    uint64_t                    tail;
    ngx_http_martech_chunk_t   *youngest;
} ngx_http_martech_mark_t;


/* A request that waits for Redis; lives outside the request's pool. */
struct ngx_http_martech_slot_s {
    ngx_queue_t                 queue;     /* worker->parked, by deadline */
    ngx_http_martech_worker_t  *worker;
    ngx_http_request_t         *r;         /* NULL once the client is gone */
    ngx_http_cleanup_t         *cleanup;   /* of r */
    uint64_t                    first;     /* sequence of the first record */
    ngx_uint_t                  count;     /* records */
    ngx_uint_t                  pending;   /* without a reply so far */
    ngx_uint_t                  failed;    /* refused by Redis */
    ngx_msec_t                  start;
};


typedef enum {
    NGX_HTTP_MARTECH_REDIS_DOWN = 0,       /* waits for the back-off */
    NGX_HTTP_MARTECH_REDIS_CONNECTING,
    NGX_HTTP_MARTECH_REDIS_HANDSHAKE,
    NGX_HTTP_MARTECH_REDIS_READY,
    NGX_HTTP_MARTECH_REDIS_CLOSED          /* the worker is leaving */
} ngx_http_martech_redis_state_e;


typedef struct ngx_http_martech_main_conf_s  ngx_http_martech_main_conf_t;


/* All that a worker has at run time. */
struct ngx_http_martech_worker_s {
    ngx_http_martech_main_conf_t    *conf;
    ngx_http_martech_stats_t        *stats;
    ngx_log_t                       *log;
    ngx_log_t                        quiet;        /* for what we log */

    ngx_http_martech_ring_t          ring;
    ngx_queue_t                      parked;
    ngx_uint_t                       clients;      /* parked and not gone */
    ngx_queue_t                      free_slots;
    ngx_event_t                      deadline;     /* of the first parked */

    martech_json_tape_t              tape;         /* scratch, reused */
    uint32_t                         tape_size;    /* nodes allocated */
    uint64_t                         random[2];    /* state, see collect */

    ngx_http_martech_redis_state_e   state;        /* set by _redis_set() */
    ngx_peer_connection_t            peer;
    ngx_http_martech_resp_t          resp;
    ngx_uint_t                       handshake_sent;   /* commands */
    ngx_uint_t                       handshake_done;   /* replies */
    size_t                           handshake_bytes;  /* written so far */
    ngx_uint_t                       address;      /* next to try */
    ngx_msec_t                       backoff;
    ngx_msec_t                       ready_since;
    ngx_msec_t                       down_since;
    ngx_msec_t                       waiting_since;    /* of last progress */
    ngx_uint_t                       waiting;      /* replies to come */
    time_t                           logged;       /* last repeat of a fault */
    ngx_event_t                      reconnect;
    ngx_event_t                      hold;         /* of a shutdown */
    ngx_event_t                      flush;        /* posted, once a round */
    ngx_connection_t                 dummy;        /* for timers' log lines */
    u_char                          *buffer;       /* replies */
};


struct ngx_http_martech_main_conf_s {
    ngx_addr_t                 *addrs;
    ngx_uint_t                  naddrs;
    ngx_str_t                   redis;             /* as configured */
    ngx_str_t                   user;
    ngx_str_t                   password;
    ngx_int_t                   database;
    ngx_msec_t                  connect_timeout;
    ngx_msec_t                  timeout;

    ngx_str_t                   prefix;
    ngx_uint_t                  shards;
    ngx_str_t                  *heads;             /* "*11\r\n$4\r\nXADD..."
                                                      by shard */
    ngx_str_t                   handshake;         /* commands as bytes */
    ngx_uint_t                  handshake_count;
    ngx_uint_t                  handshake_probe;   /* index of the probe */

    size_t                      buffer;
    ngx_uint_t                  collects;          /* locations that take */
    ngx_uint_t                  pages;             /* locations of status */
    ngx_int_t                   request_id;        /* variable index, or
                                                      NGX_ERROR: not used */
    ngx_shm_zone_t             *zone;

    ngx_http_martech_worker_t  *worker;
};


#define NGX_HTTP_MARTECH_LIMITS  8


typedef struct {
    ngx_flag_t                   collect;
    ngx_uint_t                   status;
    ngx_uint_t                   ack;
    ngx_int_t                    retry_after;      /* seconds */
    ngx_int_t                    limit_values[NGX_HTTP_MARTECH_LIMITS];
    martech_limits_t             limits;
    ngx_http_martech_sources_t  *sources;          /* NULL: no key needed */
} ngx_http_martech_loc_conf_t;


/* One refused event of a request. */
typedef struct {
    uint32_t      index;
    martech_rc_t  rc;
    const char   *field;                   /* static, JSON pointer */
    ngx_str_t     message_id;              /* request's pool */
} ngx_http_martech_refusal_t;


typedef enum {
    NGX_HTTP_MARTECH_VERDICT_NONE = 0,
    NGX_HTTP_MARTECH_VERDICT_STORED,
    NGX_HTTP_MARTECH_VERDICT_PARTIAL,      /* some rejected, rest stored */
    NGX_HTTP_MARTECH_VERDICT_REJECTED,
    NGX_HTTP_MARTECH_VERDICT_REFUSED,      /* the request, not its events */
    NGX_HTTP_MARTECH_VERDICT_UNAVAILABLE,
    NGX_HTTP_MARTECH_VERDICT_PENDING       /* ended before the outcome */
} ngx_http_martech_verdict_e;


/* Of a request in a collecting location. */
typedef struct {
    martech_event_type_t         type;     /* UNKNOWN: a batch */
    ngx_http_martech_source_t   *source;   /* NULL: key is in the body */
    ngx_http_martech_verdict_e   verdict;
    ngx_uint_t                   status;   /* left to an error_page, or 0 */
    ngx_uint_t                   events;   /* received */
    ngx_uint_t                   accepted;
    ngx_str_t                    message_id;       /* of the first event */
    ngx_array_t                 *refusals;
} ngx_http_martech_ctx_t;


extern ngx_module_t  ngx_http_martech_module;


/* module: the worker's state, made on first use; NULL without memory */
ngx_http_martech_worker_t *ngx_http_martech_worker(
    ngx_http_martech_main_conf_t *mmcf);

/* conf: setters, see the command table */
char *ngx_http_martech_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_martech_stream(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_martech_buffer(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_martech_ack(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_martech_limits(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_martech_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
void ngx_http_martech_limits_merge(ngx_http_martech_loc_conf_t *prev,
    ngx_http_martech_loc_conf_t *conf);
ngx_int_t ngx_http_martech_conf_prepare(ngx_conf_t *cf,
    ngx_http_martech_main_conf_t *mmcf);
ngx_int_t ngx_http_martech_conf_read(ngx_conf_t *cf, ngx_str_t *path,
    ngx_str_t *content);

/* source */
char *ngx_http_martech_source(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* The source of a key, or NULL. */
ngx_http_martech_source_t *ngx_http_martech_source_find(
    ngx_http_martech_sources_t *sources, u_char *key, size_t len);

/* The source of events that need no key. */
ngx_http_martech_source_t *ngx_http_martech_source_default(void);

/*
 * Finds the key in header or query and sets ctx->source.  NGX_OK: it is set;
 * NGX_DECLINED: there is no key here; NGX_ERROR: the key is unknown.
 */
ngx_int_t ngx_http_martech_source_request(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx);

/*
 * request: checks what is known without the body, and finds the source unless
 * its key must be in the body.  Returns the reason for a refusal, or
 * MARTECH_OK.
 */
ngx_uint_t ngx_http_martech_request(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx);

/*
 * ctx: our context of a request, or NULL.  It outlives an internal redirect,
 * unlike what ngx_http_get_module_ctx() returns.
 */
ngx_http_martech_ctx_t *ngx_http_martech_ctx(ngx_http_request_t *r);
ngx_http_martech_ctx_t *ngx_http_martech_ctx_create(ngx_http_request_t *r);

/*
 * command: _frame is the room around a checked event, given the constant parts
 * for its shard (head) and its source (tail).  _write writes all of it and
 * returns its length; bound is martech_event_bound() of the event.
 */
size_t ngx_http_martech_command_frame(ngx_str_t *head, ngx_str_t *tail,
    martech_event_t *ev);
size_t ngx_http_martech_command_write(u_char *start, ngx_str_t *head,
    ngx_str_t *tail, martech_event_t *ev, size_t bound);

/* collect, ctx, status: phase handlers */
ngx_int_t ngx_http_martech_collect_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_martech_log_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_martech_status_handler(ngx_http_request_t *r);

/*
 * body: the whole body as one slice, in place if it is in one buffer, else
 * in the request's pool.  NGX_OK, NGX_ERROR, or NGX_DECLINED if it is longer
 * than max.
 */
ngx_int_t ngx_http_martech_body(ngx_http_request_t *r, size_t max,
    ngx_str_t *body);

/*
 * answer: each sends an answer and returns what ngx_http_finalize_request()
 * takes.  _refused: the request as a whole, offset is that of a JSON error or
 * -1.  _events: what became of the events, once they are stored or refused.
 */
ngx_int_t ngx_http_martech_answer_refused(ngx_http_request_t *r,
    ngx_uint_t reason, const char *field, off_t offset);
ngx_int_t ngx_http_martech_answer_events(ngx_http_request_t *r);

/* The stable name of a reason (martech_rc_t or above), never NULL. */
const char *ngx_http_martech_reason_name(ngx_uint_t reason);

/*
 * park: _open takes a slot for a request, NULL without memory; the records
 * that are committed next belong to it.  Then _close parks the request until
 * all of them are answered, or _discard gives the slot back.  _reply is called
 * for each record, in order, and may finish the request.
 */
ngx_http_martech_slot_t *ngx_http_martech_park_open(
    ngx_http_martech_worker_t *worker, ngx_http_request_t *r);
void ngx_http_martech_park_close(ngx_http_martech_worker_t *worker,
    ngx_http_martech_slot_t *slot);
void ngx_http_martech_park_discard(ngx_http_martech_worker_t *worker,
    ngx_http_martech_slot_t *slot);
void ngx_http_martech_park_reply(ngx_http_martech_worker_t *worker,
    ngx_http_martech_slot_t *slot, ngx_uint_t stored);
void ngx_http_martech_park_deadline(ngx_event_t *ev);

/* Answers all parked requests with 503 now. */
void ngx_http_martech_park_fail(ngx_http_martech_worker_t *worker);

/*
 * ring: _reserve returns room for size bytes, or NULL if the ring is full;
 * _commit makes a record of the first len of them.  _rollback undoes all
 * commits since the mark; none of them may have been flushed.
 */
u_char *ngx_http_martech_ring_reserve(ngx_http_martech_ring_t *ring,
    size_t size, ngx_log_t *log);
void ngx_http_martech_ring_commit(ngx_http_martech_ring_t *ring, size_t len,
    ngx_http_martech_slot_t *slot);
ngx_http_martech_mark_t ngx_http_martech_ring_mark(
    ngx_http_martech_ring_t *ring);
void ngx_http_martech_ring_rollback(ngx_http_martech_ring_t *ring,
    ngx_http_martech_mark_t mark);

/* Nobody waits for the slot's records any more; unsent ones are not sent. */
void ngx_http_martech_ring_drop(ngx_http_martech_ring_t *ring,
    ngx_http_martech_slot_t *slot);

/* The oldest record that was sent, or NULL; _pop removes it. */
ngx_http_martech_record_t *ngx_http_martech_ring_head(
    ngx_http_martech_ring_t *ring);
void ngx_http_martech_ring_pop(ngx_http_martech_ring_t *ring);

/* Up to n buffers of bytes to send next; returns how many. */
ngx_uint_t ngx_http_martech_ring_unsent(ngx_http_martech_ring_t *ring,
    ngx_buf_t *bufs, ngx_uint_t n);
void ngx_http_martech_ring_advance(ngx_http_martech_ring_t *ring, size_t sent);

/* Removes records at the old end that will not be sent. */
void ngx_http_martech_ring_purge(ngx_http_martech_ring_t *ring);

/* All records are unsent again; returns how many had been sent. */
ngx_uint_t ngx_http_martech_ring_rewind(ngx_http_martech_ring_t *ring);

#define ngx_http_martech_ring_at(ring, seq)                                   \
    (&(ring)->records[(seq) & (ring)->mask])

/* redis */
ngx_int_t ngx_http_martech_redis_init(ngx_http_martech_worker_t *worker);
void ngx_http_martech_redis_connect(ngx_http_martech_worker_t *worker);

/* 1 if an event taken now has a chance to be stored in time. */
ngx_uint_t ngx_http_martech_redis_accepts(ngx_http_martech_worker_t *worker);

/* The ring has changed: sets the gauges, and what may hold a shutdown. */
void ngx_http_martech_redis_update(ngx_http_martech_worker_t *worker);

/* New records are in the ring: write them at the end of this loop round. */
void ngx_http_martech_redis_post(ngx_http_martech_worker_t *worker);
void ngx_http_martech_redis_close(ngx_http_martech_worker_t *worker);

/* The only ways to another state, and out of a connection of no use. */
void ngx_http_martech_redis_set(ngx_http_martech_worker_t *worker,
    ngx_http_martech_redis_state_e state);
void ngx_http_martech_redis_fail(ngx_http_martech_worker_t *worker,
    ngx_err_t err, const char *what);

/* handshake: writes what is left of it; takes one reply, see redis */
void ngx_http_martech_handshake_write(ngx_http_martech_worker_t *worker);
ngx_int_t ngx_http_martech_handshake_reply(ngx_http_martech_worker_t *worker);

/* Bytes of an error reply that may be logged. */
size_t ngx_http_martech_redis_quotable(ngx_http_martech_resp_t *resp);

/* The name of the state, for the status page. */
const char *ngx_http_martech_redis_state(ngx_uint_t state);

/* stats */
ngx_int_t ngx_http_martech_stats_zone(ngx_conf_t *cf,
    ngx_http_martech_main_conf_t *mmcf);
ngx_http_martech_stats_t *ngx_http_martech_stats_claim(ngx_shm_zone_t *zone);
void ngx_http_martech_stats_release(ngx_http_martech_stats_t *stats);
void ngx_http_martech_stats_sum(ngx_shm_zone_t *zone,
    ngx_http_martech_stats_t *sum, ngx_uint_t *workers);
void ngx_http_martech_stats_ack(ngx_http_martech_stats_t *stats,
    ngx_msec_t ms);
ngx_uint_t ngx_http_martech_stats_bound(ngx_uint_t bucket);

/* variables */
ngx_int_t ngx_http_martech_add_variables(ngx_conf_t *cf);


#endif /* _NGX_HTTP_MARTECH_H_INCLUDED_ */
