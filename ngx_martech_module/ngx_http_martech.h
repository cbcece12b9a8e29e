
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the files of the NGINX side share.  Reading order:
 *
 *     module      directives, phases, life of a worker
 *     conf        the setters behind the directives; redis_conf, spool_conf
 *     source      who may send: write keys
 *     dialect     whose wire format a request has: see
 *                 ngx_http_martech_dialect.h
 *     request     what request line and headers decide
 *     collect     CONTENT phase: body, events, verdicts
 *     event       one event, step by step: see ngx_http_martech_collect.h
 *     drop        rules for bots and internal traffic
 *     consent     who may be stored; consent_conf, signal
 *     privacy     what of it; privacy_conf
 *     ctx         what we know of a request, until the log
 *     body        the body as one slice
 *     webhook     a delivery that its vendor has signed, see
 *                 ngx_http_martech_webhook.h
 *     plan        what the tracking plan says of an event: see
 *                 ngx_http_martech_plan.h
 *     command     XADD as bytes
 *     answer      what the client is told
 *     filter      what browsers are told besides: see
 *                 ngx_http_martech_browser.h
 *     observe     pages, as the server sees them: see
 *                 ngx_http_martech_observe.h
 *     park        a request that waits for its events to be safe
 *     buffer      the memory of events, until they are safe
 *     record      what becomes of one
 *
 *     redis       where an event goes; what Redis has not taken in time
 *     cluster     which node takes which shard
 *     scout       one event ahead of the others, to see whether it does
 *     node        a server: its connection, and what is on its way to it
 *     node_send   out of its queue
 *     node_reply  what it answers
 *     connect     how a connection comes about
 *     handshake   its first words
 *     resp        replies (knows no NGINX)
 *     net         names, TLS, sentinels, passwords: see ngx_http_martech_net.h
 *
 *     spool       the disk, when Redis is away; spool_result, spool_books
 *     job         what a thread does for it
 *     replay      from there to Redis; replay_job
 *     store       files, segment: their bytes (both know no NGINX)
 *
 *     stats       counters in shared memory
 *     totals      their sums for Redis
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
#include "martech_consent.h"
#include "martech_consent_cache.h"
#include "martech_event.h"
#include "martech_privacy.h"
#include "martech_shard.h"

#include "ngx_http_martech_browser.h"
#include "ngx_http_martech_dialect.h"
#include "ngx_http_martech_net.h"
#include "ngx_http_martech_observe.h"
#include "ngx_http_martech_plan.h"
#include "ngx_http_martech_resp.h"
#include "ngx_http_martech_segment.h"
#include "ngx_http_martech_store.h"


#define NGX_HTTP_MARTECH_ACK_REDIS   0
#define NGX_HTTP_MARTECH_ACK_MEMORY  1

#define NGX_HTTP_MARTECH_KEY_MAX     256   /* bytes of a write key */

#define NGX_HTTP_MARTECH_LOG_INTERVAL  60        /* s, repeats of a fault */

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
    NGX_HTTP_MARTECH_REFUSED_INFLATE,      /* not what its encoding says */
    NGX_HTTP_MARTECH_REFUSED_INFLATE_RATIO,
    NGX_HTTP_MARTECH_REFUSED_KEY_MISSING,
    NGX_HTTP_MARTECH_REFUSED_KEY_UNKNOWN,
    NGX_HTTP_MARTECH_REFUSED_ORIGIN,
    NGX_HTTP_MARTECH_REFUSED_UNAVAILABLE,
    NGX_HTTP_MARTECH_REFUSED_OUTSIDE,      /* by NGINX, before us */
    NGX_HTTP_MARTECH_REFUSED_SIGNATURE_MISSING,
    NGX_HTTP_MARTECH_REFUSED_SIGNATURE_MALFORMED,
    NGX_HTTP_MARTECH_REFUSED_SIGNATURE_BAD,
    NGX_HTTP_MARTECH_REFUSED_SIGNATURE_NO_TIME,
    NGX_HTTP_MARTECH_REFUSED_SIGNATURE_OLD,
    NGX_HTTP_MARTECH_REFUSED_SIGNATURE_NEW,
    NGX_HTTP_MARTECH_REASONS
} ngx_http_martech_reason_e;


/* Counters of one worker, in shared memory; only their owner writes them. */
typedef enum {
    NGX_HTTP_MARTECH_COUNT_REQUESTS = 0,
    NGX_HTTP_MARTECH_COUNT_RECEIVED,       /* events: the sum of those below */
    NGX_HTTP_MARTECH_COUNT_STORED,
    NGX_HTTP_MARTECH_COUNT_SPOOLED,
    NGX_HTTP_MARTECH_COUNT_QUARANTINED,    /* of stored and replayed ones */
    NGX_HTTP_MARTECH_COUNT_REJECTED,       /* by reason: rejected[] */
    NGX_HTTP_MARTECH_COUNT_DROPPED,        /* by reason: dropped[] */
    NGX_HTTP_MARTECH_COUNT_BYTES,          /* of bodies */
    NGX_HTTP_MARTECH_COUNT_ABORTED,        /* client gone while parked */
    NGX_HTTP_MARTECH_COUNT_CONNECTS,       /* Redis connections made ready */
    NGX_HTTP_MARTECH_COUNT_FAILURES,       /* Redis connections lost */
    NGX_HTTP_MARTECH_COUNT_RESENT,         /* records sent once more */
    NGX_HTTP_MARTECH_COUNT_MOVED,          /* records sent to another node */
    NGX_HTTP_MARTECH_COUNT_REPLICAS_SHORT, /* WAIT with too few replicas */
    NGX_HTTP_MARTECH_COUNT_FLUSHES,        /* writes to Redis */
    NGX_HTTP_MARTECH_COUNT_ACK_MS,         /* sum over parked requests */
    NGX_HTTP_MARTECH_COUNT_ACKS,
    NGX_HTTP_MARTECH_COUNT_SPOOL_FOUND,    /* in the spool, and not counted
                                              as spooled here */
    NGX_HTTP_MARTECH_COUNT_SPOOL_REPLAYED,
    NGX_HTTP_MARTECH_COUNT_SPOOL_LOST,     /* damaged on disk */
    NGX_HTTP_MARTECH_COUNT_SPOOL_TAKEN,    /* by another master */
    NGX_HTTP_MARTECH_COUNT_SPOOL_WRITES,   /* batches */
    NGX_HTTP_MARTECH_COUNT_SPOOL_ERRORS,   /* of the disk */
    NGX_HTTP_MARTECH_COUNT_SIGNALS_LONG,   /* of consent, not read */
    NGX_HTTP_MARTECH_COUNTERS
} ngx_http_martech_counter_e;


typedef enum {
    NGX_HTTP_MARTECH_GAUGE_PARKED = 0,     /* requests */
    NGX_HTTP_MARTECH_GAUGE_WAITING,        /* events in the buffer */
    NGX_HTTP_MARTECH_GAUGE_BUFFER,         /* bytes of it in use */
    NGX_HTTP_MARTECH_GAUGE_READY,          /* connections that take events */
    NGX_HTTP_MARTECH_GAUGE_SPOOL_WAITING,  /* events on disk */
    NGX_HTTP_MARTECH_GAUGE_SPOOL_BYTES,    /* of segments */
    NGX_HTTP_MARTECH_GAUGE_SPOOL_READY,    /* 1: it takes events */
    NGX_HTTP_MARTECH_GAUGES
} ngx_http_martech_gauge_e;


/* Why an event was received and is nowhere. */
typedef enum {
    NGX_HTTP_MARTECH_DROPPED_UNAVAILABLE = 0,     /* its client was told */
    NGX_HTTP_MARTECH_DROPPED_KILLED,       /* died with its worker */
    NGX_HTTP_MARTECH_DROPPED_LEFT,         /* its worker had to leave */
    NGX_HTTP_MARTECH_DROPPED_CONSENT,      /* its person has denied it */
    NGX_HTTP_MARTECH_DROPPED_REASONS
} ngx_http_martech_dropped_e;


/* Reasons of martech_drop: of a configuration, and with those of former
   ones; what is more counts as the last. */
#define NGX_HTTP_MARTECH_DROPS_MAX    16
#define NGX_HTTP_MARTECH_DROP_SLOTS   64
#define NGX_HTTP_MARTECH_DROP_LEN     32

#define NGX_HTTP_MARTECH_ACK_BUCKETS  10


typedef struct {
    ngx_atomic_t   pid;                    /* owner, 0: free; totals stay */
    uint64_t       counters[NGX_HTTP_MARTECH_COUNTERS];
    uint64_t       gauges[NGX_HTTP_MARTECH_GAUGES];
    uint64_t       rejected[NGX_HTTP_MARTECH_REASONS];    /* events */
    uint64_t       refused[NGX_HTTP_MARTECH_REASONS];     /* requests */
    uint64_t       dropped[NGX_HTTP_MARTECH_DROPPED_REASONS];     /* events */
    uint64_t       drops[NGX_HTTP_MARTECH_DROP_SLOTS];    /* by the rules */
    uint64_t       errors[NGX_HTTP_MARTECH_REDIS_CLASSES];
    uint64_t       ack_ms[NGX_HTTP_MARTECH_ACK_BUCKETS];
    ngx_http_martech_dialect_stats_t  dialects[NGX_HTTP_MARTECH_DIALECT_SLOTS];
} ngx_http_martech_stats_t;


#define ngx_http_martech_count(worker, counter, n)                            \
    (worker)->stats->counters[NGX_HTTP_MARTECH_COUNT_##counter] += (n)


#define ngx_http_martech_dropped(stats, reason, n)                            \
    do {                                                                      \
        (stats)->counters[NGX_HTTP_MARTECH_COUNT_DROPPED] += (n);             \
        (stats)->dropped[NGX_HTTP_MARTECH_DROPPED_##reason] += (n);           \
    } while (0)


/* Write keys of one configuration level, and what each stands for. */
typedef struct {
    ngx_str_t      name;
    ngx_str_t      head;                   /* "$3\r\nsrc\r\n$..." of XADD */
    ngx_str_t      quarantine;             /* the same for the quarantine */
    ngx_uint_t     number;                 /* in its set */
    unsigned       client:1;               /* kind=client */
    ngx_http_martech_cors_t  *cors;        /* NULL: that of the location */
} ngx_http_martech_source_t;


typedef struct {
    ngx_array_t        sources;            /* ngx_http_martech_source_t * */
    ngx_rbtree_t       keys;
    ngx_rbtree_node_t  sentinel;
} ngx_http_martech_sources_t;


typedef struct ngx_http_martech_scratch_s  ngx_http_martech_scratch_t;
typedef struct ngx_http_martech_slot_s    ngx_http_martech_slot_t;
typedef struct ngx_http_martech_node_s    ngx_http_martech_node_t;
typedef struct ngx_http_martech_spool_s   ngx_http_martech_spool_t;
typedef struct ngx_http_martech_replay_s  ngx_http_martech_replay_t;
typedef struct ngx_http_martech_webhook_s  ngx_http_martech_webhook_t;


/* Commands grow from last up, their records from end down, see buffer. */
typedef struct ngx_http_martech_chunk_s  ngx_http_martech_chunk_t;

struct ngx_http_martech_chunk_s {
    ngx_http_martech_chunk_t  *next;       /* free */
    u_char                    *last;
    u_char                    *end;
    size_t                     size;       /* all of it */
    ngx_uint_t                 records;
};


typedef struct {
    ngx_http_martech_chunk_t  *current;    /* new records go here */
    ngx_http_martech_chunk_t  *free;
    ngx_uint_t                 nfree;
    ngx_uint_t                 records;
    size_t                     size;       /* bytes of chunks in use */
    size_t                     size_max;
} ngx_http_martech_buffer_t;


typedef enum {
    NGX_HTTP_MARTECH_OUTCOME_STORED = 0,
    NGX_HTTP_MARTECH_OUTCOME_SPOOLED,
    NGX_HTTP_MARTECH_OUTCOME_DROPPED
} ngx_http_martech_outcome_e;


#define NGX_HTTP_MARTECH_RECORD_EVENT        0    /* kind */
#define NGX_HTTP_MARTECH_RECORD_REPLAY       1    /* of the replay's block */
#define NGX_HTTP_MARTECH_RECORD_WAIT         2    /* of the node */
#define NGX_HTTP_MARTECH_RECORD_TOTALS       3    /* of the worker */

#define NGX_HTTP_MARTECH_RECORD_NOWHERE      0    /* place: list of a node */
#define NGX_HTTP_MARTECH_RECORD_QUEUED       1
#define NGX_HTTP_MARTECH_RECORD_SENT         2
#define NGX_HTTP_MARTECH_RECORD_UNCONFIRMED  3
#define NGX_HTTP_MARTECH_RECORD_MOVED        4

#define NGX_HTTP_MARTECH_SPOOLING_NO         0
#define NGX_HTTP_MARTECH_SPOOLING_QUEUE      1    /* may be taken back */
#define NGX_HTTP_MARTECH_SPOOLING_WRITE      2    /* a thread has it */


/* An event on its way. */
typedef struct {
    ngx_queue_t                queue;      /* list of the node, see place */
    ngx_queue_t                spool;      /* list of the spool */
    ngx_queue_t                siblings;   /* slot->records */
    u_char                    *data;       /* the command: XADD ... */
    ngx_http_martech_chunk_t  *chunk;      /* that it lies in */
    ngx_http_martech_slot_t   *slot;       /* who waits for it, or NULL */
    ngx_http_martech_node_t   *node;       /* the last it was given to */
    ngx_http_martech_node_t   *ask;        /* for its key alone, or NULL */
    uint64_t                   hash;       /* of the identity */
    ngx_msec_t                 start;
    uint32_t                   len;        /* of data */
    uint16_t                   head;       /* of data: up to the payload */
    uint16_t                   shard;
    unsigned                   kind:2;
    unsigned                   place:3;    /* set by _record_place() only */
    unsigned                   spooling:2;
    unsigned                   decided:1;  /* stored, spooled or dropped */
    unsigned                   dropped:1;  /* not wanted from the node */
    unsigned                   stored:1;   /* by Redis, while it is written */
    unsigned                   asking:1;   /* ASKING goes before it */
    unsigned                   asked:1;    /* ... and is not answered yet */
    unsigned                   refused:1;  /* of a replay: sent again later */
    unsigned                   moves:5;    /* in a row */
    unsigned                   quarantined:1;      /* that is where it goes */
    unsigned                   scout:1;    /* on its way, see scout */
} ngx_http_martech_record_t;


/* 1 if it goes into the stream {P:NN}:in, and not to another key. */
#define ngx_http_martech_record_stream(record)                                \
    (((record)->kind == NGX_HTTP_MARTECH_RECORD_EVENT                         \
      || (record)->kind == NGX_HTTP_MARTECH_RECORD_REPLAY)                    \
     && !(record)->quarantined)


/* A request that waits; lives outside the request's pool. */
struct ngx_http_martech_slot_s {
    ngx_queue_t                 queue;     /* worker->parked, by deadline */
    ngx_queue_t                 records;   /* not decided */
    ngx_http_martech_worker_t  *worker;
    ngx_http_request_t         *r;         /* NULL once the client is gone */
    ngx_http_cleanup_t         *cleanup;   /* of r */
    ngx_uint_t                  pending;   /* records */
    ngx_msec_t                  start;
    unsigned                    failed:1;  /* one was dropped */
    unsigned                    spooled:1; /* one was spooled */
};


typedef enum {
    NGX_HTTP_MARTECH_NODE_DOWN = 0,        /* waits for the back-off */
    NGX_HTTP_MARTECH_NODE_CONNECTING,
    NGX_HTTP_MARTECH_NODE_HANDSHAKE,
    NGX_HTTP_MARTECH_NODE_READY,
    NGX_HTTP_MARTECH_NODE_CLOSED           /* the worker is leaving */
} ngx_http_martech_node_state_e;


/* The commands of a handshake. */
typedef enum {
    NGX_HTTP_MARTECH_SAY_AUTH = 0,
    NGX_HTTP_MARTECH_SAY_SELECT,
    NGX_HTTP_MARTECH_SAY_NAME,
    NGX_HTTP_MARTECH_SAY_ROLE,
    NGX_HTTP_MARTECH_SAY_PROBE,
    NGX_HTTP_MARTECH_SAYS
} ngx_http_martech_handshake_e;


#define NGX_HTTP_MARTECH_NODES_MAX     64
#define NGX_HTTP_MARTECH_REPLIES_SIZE  16384
#define NGX_HTTP_MARTECH_TLS_SIZE      16384


struct ngx_http_martech_node_s {
    ngx_http_martech_worker_t       *worker;
    ngx_http_martech_endpoint_t     *endpoint;     /* NULL: not in use */
    ngx_str_t                        name;         /* for logs */

    ngx_queue_t                      queued;       /* records, in order */
    ngx_queue_t                      sent;
    ngx_queue_t                      unconfirmed;
    ngx_queue_t                      moved;
    size_t                           sent_bytes;   /* of the first queued */
    ngx_http_martech_record_t        wait;         /* the command WAIT */

    ngx_http_martech_node_state_e    state;        /* by _node_set() only */
    ngx_http_martech_dial_t          dial;
    ngx_connection_t                *connection;   /* NULL: none */
    ngx_http_martech_resp_t          resp;
    u_char                          *tls;          /* bytes given to TLS */
    size_t                           tls_len;
    size_t                           tls_sent;
    u_char                          *handshake;    /* commands, or NULL */
    size_t                           handshake_len;
    size_t                           handshake_sent;
    ngx_uint_t                       handshake_count;  /* commands */
    ngx_uint_t                       handshake_done;   /* replies */
    ngx_http_martech_handshake_e     commands[NGX_HTTP_MARTECH_SAYS];

    ngx_msec_t                       backoff;
    ngx_msec_t                       ready_since;
    ngx_uint_t                       flaps;        /* ready for a moment */
    ngx_msec_t                       down_since;
    ngx_msec_t                       waiting_since;    /* of last progress */
    ngx_msec_t                       refused_since;
    time_t                           logged;       /* last repeat of a fault */
    ngx_event_t                      reconnect;
    ngx_event_t                      flush;        /* posted, once a round */
    ngx_event_t                      rest;         /* the end of a rest */
    ngx_connection_t                 dummy;        /* for timers' log lines */
    unsigned                         refused:1;    /* full, or cannot write */
    unsigned                         paused:1;     /* see cluster */
    unsigned                         resting:1;    /* likewise */
};


/*
 * Where a shard is; ask: where its stream is already, or NULL; next: what of
 * the two changes once the node that said so has settled.
 */
typedef struct {
    ngx_http_martech_node_t         *node;
    ngx_http_martech_node_t         *ask;
    ngx_http_martech_node_t         *next;
    ngx_msec_t                       ask_since;
    unsigned                         next_asking:1;
    unsigned                         unsure:1;     /* see scout */
    unsigned                         scouted:1;    /* its scout is out */
} ngx_http_martech_shard_t;


#define NGX_HTTP_MARTECH_TOTALS       8
#define NGX_HTTP_MARTECH_TOTALS_SIZE  1024       /* bytes of the command */


/* What the workers share about them; in the zone. */
typedef struct {
    ngx_atomic_t                     publisher;    /* pid, 0: nobody */
    ngx_atomic_t                     again;        /* redis may have others */
    ngx_atomic_t                     sent;         /* at least once */
    ngx_atomic_t                     refused;      /* there is no use */
    uint64_t                         values[NGX_HTTP_MARTECH_TOTALS];
} ngx_http_martech_shared_totals_t;


typedef struct {
    ngx_http_martech_record_t        record;       /* the command HSET */
    ngx_event_t                      timer;
    u_char                           command[NGX_HTTP_MARTECH_TOTALS_SIZE];
} ngx_http_martech_totals_t;


/* All that a worker has at run time. */
struct ngx_http_martech_worker_s {
    ngx_http_martech_main_conf_t    *conf;
    ngx_http_martech_stats_t        *stats;
    ngx_log_t                       *log;
    ngx_connection_t                 dummy;        /* for timers' log lines */

    ngx_http_martech_buffer_t        buffer;
    ngx_uint_t                       live;         /* events not decided */
    ngx_queue_t                      parked;
    ngx_uint_t                       clients;      /* parked and not gone */
    ngx_queue_t                      free_slots;
    ngx_event_t                      deadline;     /* of the first parked */

    martech_json_tape_t              tape;         /* scratch, reused */
    uint32_t                         tape_size;    /* nodes allocated */
    ngx_http_martech_texts_t         texts;        /* scratch, likewise */
    martech_request_t                request;      /* the one at hand */
    uint64_t                         random[2];    /* state, see event */
    ngx_http_martech_scratch_t      *scratch;      /* for one event */
    martech_consent_cache_t         *consents;     /* read of late */
    martech_agent_cache_t           *agents;       /* reduced of late */

    ngx_http_martech_node_t         *nodes;
    ngx_uint_t                       nnodes;       /* places in nodes */
    ngx_http_martech_shard_t        *shards;
    ngx_uint_t                       seed;         /* next address to try */
    ngx_http_martech_sentinel_t      sentinel;
    u_char                          *replies;      /* what was just read */
    ngx_http_martech_plan_work_t    *plan;         /* NULL: there is none */

    ngx_http_martech_spool_t        *spool;        /* NULL: none configured */
    ngx_http_martech_replay_t       *replay;
    ngx_http_martech_totals_t        totals;
    ngx_msec_t                       patience;     /* with Redis */
    ngx_msec_t                       swept;
    ngx_msec_t                       leaving_since;    /* 0: it stays */
    ngx_event_t                      sweep;
    unsigned                         expired:1;    /* may stay no longer */
    unsigned                         closed:1;     /* takes nothing more */
};


typedef struct {
    ngx_str_t                        path;         /* empty: no spool */
    size_t                           size_max;     /* bytes, all workers */
    size_t                           segment;      /* bytes of one file */
    ngx_msec_t                       interval;     /* 0: sync=always */
    ngx_msec_t                       after;        /* patience with Redis */
    ngx_thread_pool_t               *threads;
} ngx_http_martech_spool_conf_t;


struct ngx_http_martech_main_conf_s {
    ngx_http_martech_server_t        server;       /* martech_redis */
    ngx_str_t                        prefix;
    ngx_uint_t                       shards;
    ngx_str_t                       *heads;        /* "*11\r\n$4\r\nXADD..."
                                                      by shard */
    ngx_str_t                       *quarantine_heads;     /* likewise */
    ngx_uint_t                       quarantine;   /* entries of a shard */
    ngx_http_martech_plans_t         plans;
    ngx_str_t                        wait;         /* WAIT as bytes, or
                                                      empty */
    size_t                           buffer;
    ngx_http_martech_spool_conf_t    spool;
    ngx_uint_t                       collects;     /* locations that take, or
                                                      are observed */
    ngx_uint_t                       pages;        /* locations of status */
    ngx_uint_t                       forgets;      /* and of martech_forget */
    ngx_uint_t                       observes;     /* martech_observe on */
    ngx_shm_zone_t                  *days;         /* see anonymous, or NULL */
    ngx_shm_zone_t                  *loss;         /* see loss, or NULL */
    ngx_str_t                        drops[NGX_HTTP_MARTECH_DROPS_MAX];
                                                   /* reasons, by number */
    ngx_uint_t                       ndrops;
    ngx_int_t                        request_id;   /* variable index, or
                                                      NGX_ERROR: not used */
    ngx_shm_zone_t                  *zone;

    ngx_http_martech_worker_t       *worker;
    unsigned                         failed:1;     /* there is no memory */
};


/* A rule of martech_drop. */
typedef struct ngx_http_martech_drop_s {
    ngx_http_complex_value_t     value;
    ngx_uint_t                   number;           /* in mmcf->drops */
} ngx_http_martech_drop_t;


typedef enum {
    NGX_HTTP_MARTECH_CONSENT_TAG = 0,
    NGX_HTTP_MARTECH_CONSENT_DROP,
    NGX_HTTP_MARTECH_CONSENT_ANONYMIZE
} ngx_http_martech_consent_policy_e;


typedef enum {
    NGX_HTTP_MARTECH_CARRIER_NONE = 0,     /* the event itself */
    NGX_HTTP_MARTECH_CARRIER_HEADER,
    NGX_HTTP_MARTECH_CARRIER_COOKIE,
    NGX_HTTP_MARTECH_CARRIER_ARG,
    NGX_HTTP_MARTECH_CARRIER_VALUE
} ngx_http_martech_carrier_e;


#define NGX_HTTP_MARTECH_SIGNALS_MAX  16


/* A signal of martech_consent and where it stands. */
typedef struct {
    martech_consent_signal_t     signal;
    ngx_http_martech_carrier_e   carrier;
    ngx_str_t                    name;             /* a header's in lower
                                                      case */
    ngx_http_complex_value_t     value;
} ngx_http_martech_signal_t;


/* One martech_consent. */
typedef struct {
    ngx_http_martech_consent_policy_e  policy;
    uint8_t                      require;          /* purposes */
    uint8_t                      granted;          /* by default */
    ngx_http_complex_value_t    *value;            /* that says it, or NULL */
    uint8_t                      gpc;              /* what GPC denies, 0: the
                                                      usual ones */
    uint8_t                      dnt;
    ngx_uint_t                   nsignals;
    ngx_http_martech_signal_t    signals[NGX_HTTP_MARTECH_SIGNALS_MAX];
    unsigned                     log:1;            /* denied requests, too */
    unsigned                     event:1;          /* an event may say it */
} ngx_http_martech_consent_conf_t;


/* What the signals of a request say, by their number. */
typedef struct {
    martech_consent_t            says[NGX_HTTP_MARTECH_SIGNALS_MAX];
    uint8_t                      granted;          /* by default */
    martech_consent_decision_t   decision;         /* without an event */
    unsigned                     denied:1;         /* by it */
} ngx_http_martech_consent_t;


typedef enum {
    NGX_HTTP_MARTECH_REDACT_POINTER = 0,
    NGX_HTTP_MARTECH_REDACT_NAME,
    NGX_HTTP_MARTECH_REDACT_NAME_REGEX,
    NGX_HTTP_MARTECH_REDACT_VALUE,
    NGX_HTTP_MARTECH_REDACT_PATTERN,
    NGX_HTTP_MARTECH_REDACT_PERSONAL
} ngx_http_martech_redact_e;


/* One martech_redact, of a pattern: one name of it. */
typedef struct {
    ngx_http_martech_redact_e    what;
    ngx_str_t                    text;
    martech_redact_t             how;
} ngx_http_martech_redact_t;


/* The directives of privacy as they stand; made into rules by the merge. */
typedef struct {
    ngx_array_t                 *redact;   /* ngx_http_martech_redact_t */
    ngx_array_t                 *scrub;    /* ngx_str_t; empty: off */
    ngx_str_t                    key;      /* content of the file */
    ngx_uint_t                   ip;       /* martech_keep_t */
    ngx_uint_t                   agent;
} ngx_http_martech_privacy_conf_t;


#define NGX_HTTP_MARTECH_LIMITS  9


struct ngx_http_martech_loc_conf_s {
    ngx_flag_t                   collect;
    ngx_http_martech_webhook_t  *webhook;          /* NULL: events of clients */
    ngx_uint_t                   status;
    ngx_uint_t                   ack;
    ngx_int_t                    retry_after;      /* seconds */
    ngx_array_t                 *plans;            /* rules, NULL: none */
    ngx_http_martech_plan_use_t *uses;             /* by source, or NULL */
    ngx_int_t                    limit_values[NGX_HTTP_MARTECH_LIMITS];
    martech_limits_t             limits;
    ngx_http_martech_sources_t  *sources;          /* NULL: no key needed */
    ngx_array_t                 *drops;            /* rules, NULL: none */
    ngx_array_t                 *categories;       /* of consent */
    ngx_http_martech_consent_conf_t  *consent;     /* NULL: off */
    martech_consent_rules_t      consent_rules;
    ngx_http_martech_privacy_conf_t  redact;
    martech_privacy_t           *privacy;          /* NULL: nothing to do */
    ngx_flag_t                   forget;
    ngx_http_martech_cors_t     *cors;             /* NULL: no list */
    ngx_http_martech_cookie_t   *cookie;           /* NULL: none */
    ngx_http_martech_campaign_conf_t  *campaign;   /* NULL: off */
    ngx_http_martech_observe_t  *observe;          /* NULL: off */
    ngx_http_martech_source_t   *observed;         /* that pages are of; NULL:
                                                      there are none here */
    ngx_http_martech_cookie_t   *link;             /* tells the page's id; NULL:
                                                      it is not told */
    unsigned                     cors_some:1;      /* a source has a list */
    unsigned                     cors_all:1;       /* each of them has */
    ngx_http_martech_dialects_t *dialects;
    size_t                       skip;             /* of the URI in front of
                                                      a path; 0: it varies */
};


/* One refused event of a request. */
typedef struct {
    uint32_t      index;
    martech_rc_t  rc;
    const char   *field;                   /* JSON pointer, static or in the
                                              request's pool */
    const char   *rule;                    /* of the plan, or NULL; static */
    ngx_str_t     message_id;              /* request's pool */
} ngx_http_martech_refusal_t;

#define NGX_HTTP_MARTECH_REFUSALS  100     /* of a request, in its answer */


typedef enum {
    NGX_HTTP_MARTECH_VERDICT_NONE = 0,
    NGX_HTTP_MARTECH_VERDICT_STORED,
    NGX_HTTP_MARTECH_VERDICT_SPOOLED,      /* at least one event of it */
    NGX_HTTP_MARTECH_VERDICT_PARTIAL,      /* some rejected, rest stored */
    NGX_HTTP_MARTECH_VERDICT_REJECTED,
    NGX_HTTP_MARTECH_VERDICT_REFUSED,      /* the request, not its events */
    NGX_HTTP_MARTECH_VERDICT_UNAVAILABLE,
    NGX_HTTP_MARTECH_VERDICT_PENDING,      /* ended before the outcome */
    NGX_HTTP_MARTECH_VERDICT_DROPPED,      /* accepted, and nothing stored */
    NGX_HTTP_MARTECH_VERDICT_PREFLIGHT,    /* a question, see cors */
    NGX_HTTP_MARTECH_VERDICT_ANSWERED      /* it brings no events */
} ngx_http_martech_verdict_e;


/* Of a request in a collecting location. */
struct ngx_http_martech_ctx_s {
    martech_event_type_t         type;     /* UNKNOWN: a batch */
    ngx_http_martech_source_t   *source;   /* NULL: key is in the body */
    ngx_http_martech_verdict_e   verdict;
    ngx_uint_t                   status;   /* left to an error_page, or 0 */
    ngx_uint_t                   events;   /* received */
    ngx_uint_t                   accepted;
    ngx_str_t                    message_id;       /* of the first event */
    ngx_array_t                 *refusals;         /* the first of them */
    uint32_t                    *rejected;         /* all, by their code */
    ngx_http_martech_consent_t  *consent;          /* NULL: not configured */
    uint8_t                      granted;          /* of all its events */
    ngx_http_request_t          *quiet;            /* it, while nothing of it
                                                      may be logged; set by
                                                      _ctx_quiet() only */
    ngx_log_handler_pt           log_handler;      /* NGINX's meanwhile */
    ngx_http_martech_loc_conf_t *conf;             /* of the location, also
                                                      on an error_page */
    ngx_http_martech_visit_t     visit;
    ngx_http_martech_page_t     *page;     /* NULL: it is none */
    unsigned                     spooled:1;        /* not all in Redis yet */
    unsigned                     denied:1;         /* the person has, for one
                                                      event at least */
    unsigned                     encoding:2;       /* of the body */
    ngx_uint_t                   methods;          /* that the path has */
    const martech_endpoint_t    *endpoint;         /* NULL: there is none */
    const martech_dialect_t     *dialect;          /* of the endpoint */
    ngx_uint_t                   dialect_number;   /* for its counters */
    martech_request_t           *request;          /* as the dialect sees it;
                                                      NULL: it need not any
                                                      more */
};


extern ngx_module_t  ngx_http_martech_module;


/* module: the worker's state, made on first use; NULL without memory */
ngx_http_martech_worker_t *ngx_http_martech_worker(
    ngx_http_martech_main_conf_t *mmcf);

/* From the kernel; never 0. */
uint64_t ngx_http_martech_random64(void);

/*
 * Takes nothing more: brings what is not safe to disk, answers who waits, and
 * lets go of connections, timers and files.  The memory stays.
 */
void ngx_http_martech_worker_close(ngx_http_martech_worker_t *worker);

/* conf: setters, see the command table */
char *ngx_http_martech_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_martech_spool(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_martech_stream(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_martech_buffer(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_martech_ack(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_martech_limits(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_martech_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
void ngx_http_martech_limits_merge(ngx_http_martech_loc_conf_t *prev,
    ngx_http_martech_loc_conf_t *conf);
ngx_int_t ngx_http_martech_conf_prepare(ngx_conf_t *cf,
    ngx_http_martech_main_conf_t *mmcf);
ngx_int_t ngx_http_martech_spool_prepare_conf(ngx_conf_t *cf,
    ngx_http_martech_main_conf_t *mmcf);

/* The value of "name=value", or NULL if this is another parameter. */
u_char *ngx_http_martech_conf_value(ngx_str_t *param, const char *name,
    ngx_str_t *s);

/* Logs that a parameter is invalid and what is allowed: NGX_CONF_ERROR. */
char *ngx_http_martech_conf_invalid(ngx_conf_t *cf, ngx_str_t *value,
    const char *allowed);

/*
 * Reads a file at configuration time, relative to the configuration's folder.
 * _read: a small one, into the pool of the configuration.  _load: at most max
 * bytes, into any pool; *path becomes the full name.
 */
ngx_int_t ngx_http_martech_conf_read(ngx_conf_t *cf, ngx_str_t *path,
    ngx_str_t *content);
ngx_int_t ngx_http_martech_conf_load(ngx_conf_t *cf, ngx_pool_t *pool,
    ngx_str_t *path, size_t max, ngx_str_t *content);

/* source */
char *ngx_http_martech_source(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* The source of a key, or NULL. */
ngx_http_martech_source_t *ngx_http_martech_source_find(
    ngx_http_martech_sources_t *sources, u_char *key, size_t len);

/* A set of one source of this name, which no key leads to; NULL: error. */
ngx_http_martech_sources_t *ngx_http_martech_source_single(ngx_conf_t *cf,
    ngx_str_t *name);

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
    ngx_http_martech_worker_t *worker, ngx_http_martech_loc_conf_t *mlcf,
    ngx_http_martech_ctx_t *ctx);

/* Sets ctx->encoding; 0: the body is encoded in a way that we do not know. */
ngx_uint_t ngx_http_martech_request_encoding(ngx_http_request_t *r,
    ngx_http_martech_ctx_t *ctx);

/*
 * plan_conf: the directives, what a location inherits, and what is made of all
 * of it at the end of the configuration.
 */
char *ngx_http_martech_plan(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_martech_quarantine(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_martech_plan_merge(ngx_conf_t *cf,
    ngx_http_martech_loc_conf_t *prev, ngx_http_martech_loc_conf_t *conf);
ngx_int_t ngx_http_martech_plan_prepare(ngx_conf_t *cf,
    ngx_http_martech_main_conf_t *mmcf);

/*
 * plan: checks an accepted event, counts what is found, and adds to edits the
 * name that the plan has for it.  denied: its person has denied what is
 * needed, so nothing of it may be noted.  NGX_OK: it goes on, as action says
 * (MARTECH_PLAN_REJECT: it is to be refused, with ev->field and rule);
 * NGX_ERROR: there is no memory.
 */
ngx_int_t ngx_http_martech_plan_init(ngx_http_martech_worker_t *worker);
ngx_int_t ngx_http_martech_plan_event(ngx_http_request_t *r,
    ngx_http_martech_ctx_t *ctx, martech_event_t *ev, martech_edits_t *edits,
    ngx_uint_t denied, ngx_http_martech_judgement_t *judgement);

/*
 * quality: _zone asks for the memory of a plan's counters; _count adds the
 * event that was checked last; _get reads a counter, _fields is the number of
 * those for fields in a row.
 */
ngx_int_t ngx_http_martech_quality_zone(ngx_conf_t *cf,
    ngx_http_martech_plan_t *plan);
void ngx_http_martech_quality_count(ngx_http_martech_plan_work_t *work,
    const ngx_http_martech_plan_use_t *use, const martech_event_t *ev);
uint64_t ngx_http_martech_quality_get(const ngx_http_martech_plan_t *plan,
    ngx_uint_t source, ngx_uint_t row, ngx_uint_t column);
unsigned ngx_http_martech_quality_fields(const ngx_http_martech_plan_t *plan,
    ngx_uint_t row);

/* The name of a row: of an event of the plan, or "(unplanned)". */
martech_str_t ngx_http_martech_quality_name(
    const ngx_http_martech_plan_t *plan, ngx_uint_t row, const char **type);

/* violations: a ring of the last ones; _json writes it as an array */
ngx_int_t ngx_http_martech_violations_zone(ngx_conf_t *cf,
    ngx_http_martech_plans_t *plans);
void ngx_http_martech_violations_note(ngx_http_martech_worker_t *worker,
    const ngx_http_martech_plan_use_t *use, const martech_event_t *ev);
size_t ngx_http_martech_violations_size(void);
ngx_int_t ngx_http_martech_violations_json(ngx_pool_t *pool,
    ngx_http_martech_plans_t *plans, martech_json_writer_t *w);

/*
 * quality_page: _json writes the array of plans and sources, which needs _size
 * bytes; _page makes the page of "?plan=", NGX_DECLINED: there is no such
 * plan.  quality_metrics: Prometheus text as a chain, empty without plans.
 */
size_t ngx_http_martech_quality_size(ngx_http_martech_plans_t *plans);
void ngx_http_martech_quality_json(ngx_http_martech_plans_t *plans,
    martech_json_writer_t *w);
ngx_int_t ngx_http_martech_quality_page(ngx_http_request_t *r,
    ngx_http_martech_plans_t *plans, ngx_str_t *name, ngx_str_t *page);
ngx_int_t ngx_http_martech_quality_metrics(ngx_pool_t *pool,
    ngx_http_martech_plans_t *plans, ngx_chain_t **out, size_t *len);

/*
 * ctx: our context of a request, or NULL.  It outlives an internal redirect,
 * unlike what ngx_http_get_module_ctx() returns.
 */
ngx_http_martech_ctx_t *ngx_http_martech_ctx(ngx_http_request_t *r);
ngx_http_martech_ctx_t *ngx_http_martech_ctx_create(ngx_http_request_t *r);

/*
 * From now on nothing of a request is logged: no line of an access log, and no
 * client in a line of the error log.  Or (on = 0) it is again.
 */
void ngx_http_martech_ctx_quiet(ngx_http_request_t *r,
    ngx_http_martech_ctx_t *ctx, ngx_uint_t on);

/* drop: the directive; the rule that holds for a request, or NULL */
char *ngx_http_martech_drop(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_http_martech_drop_t *ngx_http_martech_drop_request(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf);

/* consent_conf: the directives, and what a location inherits */
char *ngx_http_martech_consent(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_martech_consent_category(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_martech_consent_merge(ngx_conf_t *cf,
    ngx_http_martech_loc_conf_t *prev, ngx_http_martech_loc_conf_t *conf);

/* consent, privacy: what a worker keeps of signals that it has read, and of
   user agents. */
ngx_int_t ngx_http_martech_consent_init(ngx_http_martech_worker_t *worker);
ngx_int_t ngx_http_martech_privacy_init(ngx_http_martech_worker_t *worker);

/*
 * consent: reads the signals of a request and sets ctx->consent, if consent is
 * configured.  NGX_ERROR: there is no memory.
 */
ngx_int_t ngx_http_martech_consent_request(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx);

/*
 * consent: 1 if the signals of a request deny what the location needs, and its
 * policy is not tag; for a page, of which nothing is stored.
 */
ngx_uint_t ngx_http_martech_consent_denies(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf);

/* consent: as _request(), for a page: what it denies is logged all the same. */
ngx_int_t ngx_http_martech_consent_page(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx);

/*
 * header: _find sets value to the first of a name (in lower case), or returns
 * NGX_DECLINED; _add adds one to the answer, whose name and value stay with
 * the caller.
 */
ngx_int_t ngx_http_martech_header_find(ngx_http_request_t *r,
    const char *name, ngx_str_t *value);
ngx_int_t ngx_http_martech_header_add(ngx_http_request_t *r,
    const char *name, const char *value, size_t len);

/*
 * cookie: _next finds the next of a name, beginning with zeroed cookies, or
 * returns NGX_DECLINED.  _has: there is one.  _set adds Set-Cookie with the
 * attributes of a martech_cookie; max_age 0 expires it.
 */
ngx_int_t ngx_http_martech_cookie_next(ngx_http_request_t *r,
    ngx_http_martech_cookies_t *cookies, ngx_str_t *name,
    martech_str_t *value);
ngx_uint_t ngx_http_martech_cookie_has(ngx_http_request_t *r,
    ngx_str_t *name);
ngx_int_t ngx_http_martech_cookie_set(ngx_http_request_t *r,
    ngx_http_martech_cookie_t *cookie, ngx_str_t *name, martech_str_t value,
    time_t max_age);

/* Expires a cookie for the host, and for each domain= that it is in. */
ngx_int_t ngx_http_martech_cookie_forget(ngx_http_request_t *r,
    ngx_http_martech_cookie_t *cookie, ngx_str_t *name);

/* cookie_conf: the directives, and what a location inherits; _usual are the
   attributes of a cookie without martech_cookie. */
char *ngx_http_martech_cookie(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_martech_campaign(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_martech_cookie_merge(ngx_conf_t *cf,
    ngx_http_martech_loc_conf_t *prev, ngx_http_martech_loc_conf_t *conf);
char *ngx_http_martech_cookie_name(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *name);
const char *ngx_http_martech_cookie_wrong(ngx_http_martech_cookie_t *cookie,
    ngx_str_t *name);
ngx_http_martech_cookie_t *ngx_http_martech_cookie_usual(void);

/* cors_conf: the directive, origin= of a source, and what is inherited */
char *ngx_http_martech_cors(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_martech_cors_source(ngx_conf_t *cf,
    ngx_http_martech_source_t *source, ngx_str_t *origin);
void ngx_http_martech_cors_merge(ngx_http_martech_loc_conf_t *prev,
    ngx_http_martech_loc_conf_t *conf);

/*
 * cors: _check returns the reason for a refusal, or MARTECH_OK; to be called
 * again once ctx->source is known.  _headers adds those of an answer.
 * _preflight is the handler of the ACCESS phase, as browsers send no
 * credentials with a preflight.
 */
ngx_uint_t ngx_http_martech_cors_check(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx);
ngx_int_t ngx_http_martech_cors_headers(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx);
ngx_int_t ngx_http_martech_cors_preflight(ngx_http_request_t *r);

/* 1 if no page sent the request, or one of the same or an allowed origin. */
ngx_uint_t ngx_http_martech_cors_trusted(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf);

/*
 * identity: the id of the visitor, that of the cookie or a new one; empty
 * without martech_cookie, or if it is denied.  _headers sets or expires the
 * cookies of an answer; ctx is NULL for a page.
 */
martech_str_t ngx_http_martech_identity(ngx_http_request_t *r,
    ngx_http_martech_ctx_t *ctx);
ngx_int_t ngx_http_martech_identity_headers(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx);

/*
 * identity: _denied: 1 if nobody may be known by an id.  _html, _prefetch: 1 if
 * an answer is a page by its type; if nobody has asked for it yet.
 * _page_visitor sets whose an observed page is, once its cookies are set.
 */
ngx_uint_t ngx_http_martech_identity_denied(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx);
ngx_uint_t ngx_http_martech_identity_html(ngx_http_request_t *r);
ngx_uint_t ngx_http_martech_identity_prefetch(ngx_http_request_t *r);
void ngx_http_martech_identity_page_visitor(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx);

/*
 * anonymous: writes an id of today (MARTECH_UUID_LEN bytes); NGX_ERROR: there
 * are no random bytes.  _zone asks for the memory of the salt.
 */
ngx_int_t ngx_http_martech_anonymous(ngx_http_request_t *r,
    ngx_http_martech_cookie_t *cookie, ngx_http_martech_source_t *source,
    u_char *out);
ngx_int_t ngx_http_martech_anonymous_zone(ngx_conf_t *cf);

/* campaign: the value of the cookie for a page; empty: its URL has none. */
ngx_int_t ngx_http_martech_campaign_page(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, martech_str_t *value);

/* forget, filter */
char *ngx_http_martech_forget(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_int_t ngx_http_martech_forget_handler(ngx_http_request_t *r);
void ngx_http_martech_filter_init(void);

/*
 * signal: the values of all signals in a request; no data: it has none.
 * _again: the n-th (from 1) further value of one that came in several headers.
 */
void ngx_http_martech_signal_values(ngx_http_request_t *r,
    ngx_http_martech_consent_conf_t *conf, martech_str_t *values,
    ngx_uint_t *again);
ngx_int_t ngx_http_martech_signal_again(ngx_http_request_t *r,
    ngx_http_martech_signal_t *signal, ngx_uint_t n, martech_str_t *value);

/* privacy_conf: the directives, and what a location makes of them */
char *ngx_http_martech_redact(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_martech_redact_key(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_martech_scrub_url(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_martech_ip(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_martech_user_agent(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
void ngx_http_martech_privacy_create(ngx_http_martech_privacy_conf_t *redact);
char *ngx_http_martech_privacy_merge(ngx_conf_t *cf,
    ngx_http_martech_loc_conf_t *prev, ngx_http_martech_loc_conf_t *conf);

/*
 * plan: checks an accepted event, counts what is found, and adds to edits the
 * name that the plan has for it.  denied: its person has denied what is
 * needed, so nothing of it may be noted.  NGX_OK: it goes on, as action says
 * (MARTECH_PLAN_REJECT: it is to be refused with pointer and rule); NGX_ERROR:
 * there is no memory.
 */
ngx_int_t ngx_http_martech_plan_event(ngx_http_request_t *r,
    ngx_http_martech_ctx_t *ctx, martech_event_t *ev, martech_edits_t *edits,
    ngx_uint_t denied, ngx_http_martech_judgement_t *judgement);

/*
 * command: _frame is the room around a checked event, given the constant parts
 * for its shard (head) and its source (tail).  _write writes all of it and
 * returns its length; bound is martech_event_bound() of the event.
 */
size_t ngx_http_martech_command_frame(ngx_str_t *head, ngx_str_t *tail,
    martech_event_t *ev);
size_t ngx_http_martech_command_write(u_char *start, ngx_str_t *head,
    ngx_str_t *tail, martech_event_t *ev, size_t bound);

/*
 * collect: takes a batch of a request that ctx->source, endpoint, dialect and
 * dialect_number are set for; the batch needs to stay only until this returns.
 * Returns what ngx_http_finalize_request() takes, or NGX_DONE: the request is
 * parked, and holds the reference that it was called with.  _scan scans a text
 * into the worker's tape, which grows as far as the limits let it.
 */
ngx_int_t ngx_http_martech_collect_batch(ngx_http_request_t *r,
    ngx_str_t *batch);
martech_rc_t ngx_http_martech_collect_scan(ngx_http_martech_worker_t *worker,
    const martech_limits_t *limits, ngx_str_t *text);

/*
 * collect: the same for a request that has its answer already, so that nobody
 * waits.  NGX_DECLINED: it was rejected as a whole.  NGX_BUSY, or another
 * error: there is no room, and nothing of it is counted.
 */
ngx_int_t ngx_http_martech_collect_aside(ngx_http_request_t *r,
    ngx_str_t *batch);

/* collect: the id of a request, NGINX's own or one in buf (32 bytes). */
void ngx_http_martech_request_id(ngx_http_request_t *r,
    ngx_http_martech_worker_t *worker, u_char *buf, martech_str_t *id);

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
 * _plain: status 200 with this body, which lives as long as the request.
 */
ngx_int_t ngx_http_martech_answer_refused(ngx_http_request_t *r,
    ngx_uint_t reason, const char *field, off_t offset);
ngx_int_t ngx_http_martech_answer_events(ngx_http_request_t *r);
ngx_int_t ngx_http_martech_answer_plain(ngx_http_request_t *r,
    const char *type, u_char *body, size_t len);

/* Of a request that brings no events. */
ngx_int_t ngx_http_martech_answer_silent(ngx_http_request_t *r);

/* The stable name of a reason (martech_rc_t or above), never NULL. */
const char *ngx_http_martech_reason_name(ngx_uint_t reason);

/*
 * park: _open takes a slot for a request, NULL without memory; _add gives it a
 * record.  Then _close parks the request until all of them are decided, or
 * _discard gives the slot back.  _outcome is called for each record, and may
 * finish the request.
 */
ngx_http_martech_slot_t *ngx_http_martech_park_open(
    ngx_http_martech_worker_t *worker, ngx_http_request_t *r);
void ngx_http_martech_park_add(ngx_http_martech_slot_t *slot,
    ngx_http_martech_record_t *record);
void ngx_http_martech_park_close(ngx_http_martech_worker_t *worker,
    ngx_http_martech_slot_t *slot);
void ngx_http_martech_park_discard(ngx_http_martech_worker_t *worker,
    ngx_http_martech_slot_t *slot);
void ngx_http_martech_park_outcome(ngx_http_martech_worker_t *worker,
    ngx_http_martech_slot_t *slot, ngx_http_martech_outcome_e outcome);
void ngx_http_martech_park_deadline(ngx_event_t *ev);

/* Lets go of the requests without an answer; their events are still there. */
void ngx_http_martech_park_detach(ngx_http_martech_worker_t *worker);

/* Answers all parked requests with 503 now. */
void ngx_http_martech_park_fail(ngx_http_martech_worker_t *worker);

/*
 * buffer: _reserve returns room for size bytes and a record, or NULL if the
 * buffer is full; _commit makes a record of the first len of them; _free
 * gives it back, in any order.
 */
u_char *ngx_http_martech_buffer_reserve(ngx_http_martech_buffer_t *buffer,
    size_t size, ngx_log_t *log);
ngx_http_martech_record_t *ngx_http_martech_buffer_commit(
    ngx_http_martech_buffer_t *buffer, size_t len);
void ngx_http_martech_buffer_free(ngx_http_martech_buffer_t *buffer,
    ngx_http_martech_record_t *record);

/*
 * record: _place moves it to the end of a node's list, or to none (queue
 * NULL).  _done decides it, and may finish its request.  _drop gives it up
 * wherever it is.  _left: the node has nothing to do with it any more;
 * _settle: neither has the spool.  _discard: it was never submitted.
 */
void ngx_http_martech_record_place(ngx_http_martech_record_t *record,
    ngx_queue_t *queue, ngx_uint_t place);
void ngx_http_martech_record_done(ngx_http_martech_worker_t *worker,
    ngx_http_martech_record_t *record, ngx_http_martech_outcome_e outcome);
void ngx_http_martech_record_drop(ngx_http_martech_worker_t *worker,
    ngx_http_martech_record_t *record);
void ngx_http_martech_record_left(ngx_http_martech_worker_t *worker,
    ngx_http_martech_record_t *record);
void ngx_http_martech_record_settle(ngx_http_martech_worker_t *worker,
    ngx_http_martech_record_t *record);
void ngx_http_martech_record_discard(ngx_http_martech_worker_t *worker,
    ngx_http_martech_record_t *record);

/*
 * redis: _accepts: an event taken now has a chance to be safe in time; _takes:
 * one of this shard.  _submit sends a new record on its way.
 */
ngx_int_t ngx_http_martech_redis_init(ngx_http_martech_worker_t *worker);
ngx_uint_t ngx_http_martech_redis_accepts(ngx_http_martech_worker_t *worker);
ngx_uint_t ngx_http_martech_redis_takes(ngx_http_martech_worker_t *worker,
    ngx_uint_t shard);
void ngx_http_martech_redis_submit(ngx_http_martech_worker_t *worker,
    ngx_http_martech_record_t *record);

/*
 * What a node says of a record.  NGX_DECLINED of _refused: the record must
 * not be lost and has nowhere else to go; it is still with the node.
 */
void ngx_http_martech_redis_stored(ngx_http_martech_worker_t *worker,
    ngx_http_martech_record_t *record);
ngx_int_t ngx_http_martech_redis_refused(ngx_http_martech_worker_t *worker,
    ngx_http_martech_record_t *record, ngx_http_martech_redis_class_e class);

/* Records have come or gone: sets the gauges, and what may hold a shutdown. */
void ngx_http_martech_redis_update(ngx_http_martech_worker_t *worker);

/* Hands to the spool what has waited too long. */
void ngx_http_martech_redis_sweep(ngx_http_martech_worker_t *worker);

/*
 * NGINX asks our connection to close.  _surrender: all that is with nodes goes
 * to the spool.
 */
void ngx_http_martech_redis_shutdown(ngx_http_martech_worker_t *worker,
    ngx_connection_t *c);
void ngx_http_martech_redis_surrender(ngx_http_martech_worker_t *worker);
void ngx_http_martech_redis_close(ngx_http_martech_worker_t *worker);

/*
 * cluster: _place is the node that takes the events of a shard now.  _push
 * gives a record to the node of its key.  _asking: an ASK said of the shard is
 * still good.  _moved: the node has answered that another one has it;
 * NGX_DECLINED: we cannot go there.  _settle: all replies of the node are in.
 * _rest: its rest is over.  _lost: it cannot be reached.  _used: it has a
 * shard, or records.  _start: the first connection.  _seed: the node at the
 * next of the configured addresses.
 */
ngx_int_t ngx_http_martech_cluster_init(ngx_http_martech_worker_t *worker);
ngx_http_martech_node_t *ngx_http_martech_cluster_place(
    ngx_http_martech_worker_t *worker, ngx_uint_t n);
void ngx_http_martech_cluster_push(ngx_http_martech_worker_t *worker,
    ngx_http_martech_record_t *record);
ngx_uint_t ngx_http_martech_cluster_asking(ngx_http_martech_shard_t *shard);
ngx_int_t ngx_http_martech_cluster_moved(ngx_http_martech_node_t *node,
    ngx_http_martech_record_t *record);
void ngx_http_martech_cluster_settle(ngx_http_martech_node_t *node);
void ngx_http_martech_cluster_rest(ngx_event_t *ev);
void ngx_http_martech_cluster_lost(ngx_http_martech_node_t *node);
ngx_uint_t ngx_http_martech_cluster_used(ngx_http_martech_node_t *node);
void ngx_http_martech_cluster_start(ngx_http_martech_worker_t *worker);
ngx_http_martech_node_t *ngx_http_martech_cluster_seed(
    ngx_http_martech_worker_t *worker);

/*
 * scout: _needed: the record goes alone, as its shard is unsure; _ahead: and
 * another one of it is on its way, so that this one has to wait.  _sent: the
 * record is on its way.  _back: it is not any more, taken tells whether the
 * node has taken it; called for every record that leaves "sent", of any kind.
 */
ngx_uint_t ngx_http_martech_scout_needed(ngx_http_martech_node_t *node,
    ngx_http_martech_record_t *record);
ngx_uint_t ngx_http_martech_scout_ahead(ngx_http_martech_node_t *node,
    ngx_http_martech_record_t *record);
void ngx_http_martech_scout_sent(ngx_http_martech_node_t *node,
    ngx_http_martech_record_t *record);
void ngx_http_martech_scout_back(ngx_http_martech_node_t *node,
    ngx_http_martech_record_t *record, ngx_uint_t taken);

/*
 * node: _use gives it an endpoint (and takes that, unless it is part of the
 * configuration), or NULL.  _hopeful: an event given to it now has a chance to
 * be stored in time.  _push queues a record, _forget takes it back as far as
 * it can.  _fail gives up the connection and tries another one later; _ready:
 * the handshake has succeeded.
 */
void ngx_http_martech_node_init(ngx_http_martech_node_t *node,
    ngx_http_martech_worker_t *worker);
void ngx_http_martech_node_use(ngx_http_martech_node_t *node,
    ngx_http_martech_endpoint_t *endpoint);
void ngx_http_martech_node_set(ngx_http_martech_node_t *node,
    ngx_http_martech_node_state_e state);
const char *ngx_http_martech_node_state(ngx_uint_t state);
ngx_uint_t ngx_http_martech_node_hopeful(ngx_http_martech_node_t *node);
void ngx_http_martech_node_push(ngx_http_martech_node_t *node,
    ngx_http_martech_record_t *record);
void ngx_http_martech_node_forget(ngx_http_martech_record_t *record);
void ngx_http_martech_node_fail(ngx_http_martech_node_t *node, ngx_err_t err,
    const char *what);
void ngx_http_martech_node_ready(ngx_http_martech_node_t *node);
void ngx_http_martech_node_post(ngx_http_martech_node_t *node);
void ngx_http_martech_node_flush(ngx_http_martech_node_t *node);
void ngx_http_martech_node_read_handler(ngx_event_t *rev);
void ngx_http_martech_node_progress(ngx_http_martech_node_t *node,
    ngx_uint_t progress);
void ngx_http_martech_node_timeout(ngx_http_martech_node_t *node);
void ngx_http_martech_node_disconnect(ngx_http_martech_node_t *node);
void ngx_http_martech_node_close(ngx_http_martech_node_t *node);

/* 1 if there is nothing in a list of the node but the totals, if at all. */
#define ngx_http_martech_node_empty(node, list)                               \
    (ngx_queue_empty(list)                                                    \
     || (ngx_queue_head(list) == &(node)->worker->totals.record.queue         \
         && ngx_queue_last(list) == ngx_queue_head(list)))

/*
 * connect: begins to connect a node that is down; ends in _node_ready() or
 * _node_fail().  _cancel stops that.
 */
void ngx_http_martech_connect(ngx_http_martech_node_t *node);
void ngx_http_martech_connect_cancel(ngx_http_martech_node_t *node);

/* handshake: makes it, writes what is left of it, takes one reply */
ngx_int_t ngx_http_martech_handshake_start(ngx_http_martech_node_t *node);
void ngx_http_martech_handshake_write(ngx_http_martech_node_t *node);
ngx_int_t ngx_http_martech_handshake_reply(ngx_http_martech_node_t *node);

/*
 * spool: _accepts: an event has a chance to be written.  _put takes a record
 * to be written; NGX_DECLINED: it does not take any now; _take does so in any
 * case, for _finish.  _forget takes it back unless it is being written.
 * _finish writes all of them at once, in this thread; _close lets go of the
 * files.
 */
ngx_int_t ngx_http_martech_spool_init(ngx_http_martech_worker_t *worker);
ngx_uint_t ngx_http_martech_spool_accepts(ngx_http_martech_worker_t *worker);
ngx_int_t ngx_http_martech_spool_put(ngx_http_martech_worker_t *worker,
    ngx_http_martech_record_t *record);
void ngx_http_martech_spool_take(ngx_http_martech_worker_t *worker,
    ngx_http_martech_record_t *record);
void ngx_http_martech_spool_forget(ngx_http_martech_worker_t *worker,
    ngx_http_martech_record_t *record);
void ngx_http_martech_spool_finish(ngx_http_martech_worker_t *worker);
void ngx_http_martech_spool_close(ngx_http_martech_worker_t *worker);

/*
 * replay: _post: Redis is ready, or there may be something to replay.
 * _busy: a thread is using the folder.
 * _stored, _refused: what Redis says of a record of the replay's; _pending: it
 * has not said all yet.
 */
ngx_int_t ngx_http_martech_replay_init(ngx_http_martech_worker_t *worker);
void ngx_http_martech_replay_post(ngx_http_martech_worker_t *worker);
ngx_uint_t ngx_http_martech_replay_busy(ngx_http_martech_worker_t *worker);
void ngx_http_martech_replay_stored(ngx_http_martech_worker_t *worker,
    ngx_http_martech_record_t *record);
void ngx_http_martech_replay_refused(ngx_http_martech_worker_t *worker,
    ngx_http_martech_record_t *record);
ngx_uint_t ngx_http_martech_replay_pending(
    ngx_http_martech_worker_t *worker);
void ngx_http_martech_replay_close(ngx_http_martech_worker_t *worker);

/*
 * stats: a worker claims its block and releases it.  _worker notes the worker
 * of this process and returns the former one, or NULL.
 */
ngx_int_t ngx_http_martech_stats_zone(ngx_conf_t *cf,
    ngx_http_martech_main_conf_t *mmcf);
ngx_http_martech_stats_t *ngx_http_martech_stats_claim(ngx_shm_zone_t *zone);
void ngx_http_martech_stats_release(ngx_shm_zone_t *zone,
    ngx_http_martech_stats_t *stats);
ngx_http_martech_worker_t *ngx_http_martech_stats_worker(ngx_shm_zone_t *zone,
    ngx_http_martech_worker_t *worker);
void ngx_http_martech_stats_sum(ngx_shm_zone_t *zone,
    ngx_http_martech_stats_t *sum, ngx_uint_t *workers);
void ngx_http_martech_stats_ack(ngx_http_martech_stats_t *stats,
    ngx_msec_t ms);
ngx_uint_t ngx_http_martech_stats_bound(ngx_uint_t bucket);

/*
 * A worker has found so many events in folders that it has adopted: returns
 * how many of them a worker before it has counted as spooled.
 */
uint64_t ngx_http_martech_stats_adopt(ngx_shm_zone_t *zone, uint64_t found);

/*
 * Events of workers that have left, which nobody has adopted; _forget: nobody
 * will, NGX_DECLINED when their number has changed.
 */
uint64_t ngx_http_martech_stats_orphans(ngx_shm_zone_t *zone);
ngx_int_t ngx_http_martech_stats_forget(ngx_shm_zone_t *zone, uint64_t n);

/* Who counts here, for segments; a gauge of all workers together. */
uint64_t ngx_http_martech_stats_id(ngx_shm_zone_t *zone);
uint64_t ngx_http_martech_stats_gauge(ngx_shm_zone_t *zone,
    ngx_http_martech_gauge_e gauge);

ngx_http_martech_shared_totals_t *ngx_http_martech_stats_totals(
    ngx_shm_zone_t *zone);

/*
 * The slot of a reason of martech_drop by its number in the configuration; and
 * the name of a slot, NULL if it is free.
 */
ngx_uint_t ngx_http_martech_stats_drop(ngx_shm_zone_t *zone,
    ngx_uint_t number);
const char *ngx_http_martech_stats_drop_name(ngx_shm_zone_t *zone,
    ngx_uint_t slot);

/* 1 if a block of a process may be taken: there is none, it is us, or dead. */
ngx_uint_t ngx_http_martech_stats_free(ngx_atomic_uint_t pid);

/*
 * totals: _ready: there is a new connection.  _reply takes the answer to the
 * command, NGX_ERROR: the connection has failed; _lost: there will be none.
 * _close: the worker leaves, its connections are still there.
 */
void ngx_http_martech_totals_init(ngx_http_martech_worker_t *worker);
void ngx_http_martech_totals_ready(ngx_http_martech_worker_t *worker);
ngx_int_t ngx_http_martech_totals_reply(ngx_http_martech_node_t *node,
    ngx_http_martech_record_t *record);
void ngx_http_martech_totals_lost(ngx_http_martech_worker_t *worker);
void ngx_http_martech_totals_close(ngx_http_martech_worker_t *worker);

/* variables */
ngx_int_t ngx_http_martech_add_variables(ngx_conf_t *cf);


#endif /* _NGX_HTTP_MARTECH_H_INCLUDED_ */
