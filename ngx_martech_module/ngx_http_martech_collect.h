
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * One request between its body and its answer, and the steps that each of its
 * events goes through:
 *
 *     collect   body, key, facts; the loop over the events; park or answer
 *     inflate   a compressed body
 *     translate a body of a dialect that is not the event model's own
 *     event     the steps of one event, in this order:
 *     drop        rules of the request: bots, internal traffic
 *     consent     what the person has granted, and what follows from it
 *     plan        what the tracking plan says of it
 *     privacy     what is masked, dropped or hashed of it
 *
 * Nothing here waits: no slice of the body is needed afterwards.
 */


#ifndef _NGX_HTTP_MARTECH_COLLECT_H_INCLUDED_
#define _NGX_HTTP_MARTECH_COLLECT_H_INCLUDED_


#include "ngx_http_martech.h"


/* What may be changed of one event; more: it is refused. */
#define NGX_HTTP_MARTECH_EDITS      8192
#define NGX_HTTP_MARTECH_EDIT_SIZE  (256 * 1024)     /* bytes put instead */


#define NGX_HTTP_MARTECH_DECISIONS  16


/* How a decision on consent is written down; it is small and no personal
   data, so it outlives its event. */
typedef struct {
    martech_consent_decision_t  decision;
    size_t                      len;              /* 0: free */
    char                        text[MARTECH_CONSENT_TEXT_MAX];
} ngx_http_martech_decision_t;


/* Of a worker, for one event at a time; private to event. */
struct ngx_http_martech_scratch_s {
    martech_edit_t           list[NGX_HTTP_MARTECH_EDITS];
    u_char                   bytes[NGX_HTTP_MARTECH_EDIT_SIZE];
    u_char                   extra[MARTECH_CONSENT_TEXT_MAX + 1
                                   + MARTECH_PLAN_TEXT_MAX];
    ngx_http_martech_decision_t  decisions[NGX_HTTP_MARTECH_DECISIONS];
    u_char                   campaign[MARTECH_CAMPAIGN_TEXT_MAX];
};


/* One request. */
typedef struct {
    ngx_http_request_t            *r;
    ngx_http_martech_ctx_t        *ctx;
    ngx_http_martech_loc_conf_t   *mlcf;
    ngx_http_martech_main_conf_t  *mmcf;
    ngx_http_martech_worker_t     *worker;
    ngx_http_martech_slot_t       *slot;         /* NULL: memory is enough */
    ngx_uint_t                     stored;       /* records made of it */
    ngx_uint_t                     denied;       /* events dropped for it */
    ngx_http_martech_drop_t       *drop;         /* rule that holds, or NULL */
    size_t                         bytes;        /* asked of the buffer */
    ngx_queue_t                    records;      /* of this request */
    u_char                         request_id[32];
    const martech_limits_t        *limits;       /* to scan with */
    martech_limits_t               wide;         /* those of a translation */
    const char                    *field;        /* of a refusal, static */
    off_t                          offset;       /* likewise, or -1 */
    unsigned                       texts:1;      /* its memory is used */
    unsigned                       aside:1;      /* nobody waits for it */
    unsigned                       linked:1;     /* facts.page is known, or
                                                    that there is none */
    martech_str_t                  visitor;      /* empty: nobody */
    martech_batch_t                batch;
    martech_facts_t                facts;        /* as they may be stored */
    martech_str_t                  ip;           /* as they are */
    martech_str_t                  agent;
    martech_privacy_facts_t        reduced;
} ngx_http_martech_collect_t;


/* One event of it. */
typedef struct {
    martech_event_t                ev;
    martech_edits_t                edits;
    uint32_t                       node;
    uint32_t                       index;
    martech_consent_decision_t     consent;      /* if it is configured */
    unsigned                       denied:1;     /* and the policy is not tag */
    ngx_http_martech_judgement_t   judgement;    /* of the plan */
} ngx_http_martech_item_t;


/* The first bytes of gzip (RFC 1952 section 2.3.1), with which no text
   begins: some libraries compress and do not say so. */
#define ngx_http_martech_inflate_magic(p, len)                                \
    ((len) >= 2 && (p)[0] == 0x1f && (p)[1] == 0x8b)

/*
 * inflate: decompresses a body into memory of the worker, by ctx->encoding, of
 * NONE by gzip.  Returns MARTECH_OK, or the reason for a refusal.
 */
ngx_uint_t ngx_http_martech_inflate(ngx_http_martech_collect_t *mc,
    ngx_str_t *body);

/*
 * translate: makes a batch of a body, in memory of the worker.  Returns
 * MARTECH_OK, or the reason for a refusal, with field and offset set.
 */
ngx_uint_t ngx_http_martech_translate(ngx_http_martech_collect_t *mc,
    ngx_str_t *body);

/* collect: a larger tape.  NGX_DECLINED: it is as large as it may be, or there
   is no memory. */
ngx_int_t ngx_http_martech_collect_tape(ngx_http_martech_worker_t *worker,
    const martech_limits_t *limits);

/*
 * event: takes one event, into the buffer, as dropped, or onto the list of
 * refusals.  NGX_BUSY: there is no room now, or no hope; NGX_DECLINED: the
 * request is too large for the buffer.
 */
ngx_int_t ngx_http_martech_event(ngx_http_martech_collect_t *mc,
    uint32_t node, uint32_t index);
ngx_int_t ngx_http_martech_event_init(ngx_http_martech_worker_t *worker);
uint64_t ngx_http_martech_event_random(ngx_http_martech_worker_t *worker);

/* the key of a cache, size bytes that nobody else knows */
void ngx_http_martech_event_key(ngx_http_martech_worker_t *worker,
    uint64_t *key, size_t size);

/* consent: decides for an event, of which only node is known to be sound. */
void ngx_http_martech_consent_event(ngx_http_martech_collect_t *mc,
    ngx_http_martech_item_t *item);

/*
 * privacy: _facts reduces what the request knows; _event adds what must be
 * changed to the edits, and makes the event anonymous if it is denied.
 */
void ngx_http_martech_privacy_facts(ngx_http_martech_collect_t *mc);
void ngx_http_martech_privacy_event(ngx_http_martech_collect_t *mc,
    ngx_http_martech_item_t *item);

/*
 * campaign: adds what has led to the page of an event that is not denied, and
 * holds this and the id of its visitor against the rules of privacy.
 */
void ngx_http_martech_campaign_event(ngx_http_martech_collect_t *mc,
    ngx_http_martech_item_t *item);


#endif /* _NGX_HTTP_MARTECH_COLLECT_H_INCLUDED_ */
