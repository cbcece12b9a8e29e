
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * CONTENT phase: from a body to records in the buffer, in one go and without
 * waiting for anything, so that no slice of the body is needed afterwards.
 *
 * What happens to one event is in ngx_http_martech_event.c.
 */


#include "ngx_http_martech_collect.h"


#define NGX_HTTP_MARTECH_TAPE_MIN  4096          /* nodes, 96 KiB */

/* What a dialect may put around a value that was within the limit itself. */
#define NGX_HTTP_MARTECH_DEPTH     8

/* A reason that is nobody's fault: the request ends with 500. */
#define NGX_HTTP_MARTECH_COLLECT_FAILED  NGX_HTTP_MARTECH_REASONS


static void ngx_http_martech_collect_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_martech_collect_request(ngx_http_request_t *r,
    ngx_str_t *batch, ngx_uint_t aside);
static ngx_int_t ngx_http_martech_collect_refuse(
    ngx_http_martech_collect_t *mc, ngx_uint_t reason, const char *field,
    off_t offset);
static ngx_uint_t ngx_http_martech_collect_text(
    ngx_http_martech_collect_t *mc, ngx_str_t *body);
static void ngx_http_martech_collect_widen(ngx_http_martech_collect_t *mc);
static martech_str_t ngx_http_martech_collect_visitor(ngx_http_request_t *r,
    ngx_http_martech_ctx_t *ctx);
static ngx_uint_t ngx_http_martech_collect_plain(martech_str_t *text);
static ngx_uint_t ngx_http_martech_collect_open(
    ngx_http_martech_collect_t *mc, ngx_str_t *text);
static ngx_uint_t ngx_http_martech_collect_key(ngx_http_martech_collect_t *mc);
static void ngx_http_martech_collect_facts(ngx_http_martech_collect_t *mc);
static void ngx_http_martech_collect_hex(u_char *out, uint32_t bits);
static void ngx_http_martech_collect_client(ngx_http_martech_collect_t *mc);
static void ngx_http_martech_collect_request_id(
    ngx_http_martech_collect_t *mc);
static void ngx_http_martech_collect_trace(ngx_http_martech_collect_t *mc);
static ngx_int_t ngx_http_martech_collect_events(
    ngx_http_martech_collect_t *mc);
static void ngx_http_martech_collect_discard(ngx_http_martech_collect_t *mc);
static ngx_int_t ngx_http_martech_collect_park(
    ngx_http_martech_collect_t *mc);
static void ngx_http_martech_collect_submit(ngx_http_martech_collect_t *mc);
static void ngx_http_martech_collect_count(ngx_http_martech_collect_t *mc);


ngx_int_t
ngx_http_martech_collect_handler(ngx_http_request_t *r)
{
    ngx_int_t                      rc;
    ngx_uint_t                     reason;
    ngx_http_martech_ctx_t        *ctx;
    ngx_http_martech_worker_t     *worker;
    ngx_http_martech_loc_conf_t   *mlcf;
    ngx_http_martech_main_conf_t  *mmcf;

    if (r != r->main) {
        return NGX_HTTP_FORBIDDEN;
    }

    ctx = ngx_http_martech_ctx(r);

    if (ctx) {

        /*
         * An error_page has led back to a collecting location; what was
         * rejected or stored must not be taken a second time.
         */

        return ctx->status ? ctx->status : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = ngx_http_martech_ctx_create(r);
    mlcf = ngx_http_get_module_loc_conf(r, ngx_http_martech_module);
    mmcf = ngx_http_get_module_main_conf(r, ngx_http_martech_module);

    worker = ngx_http_martech_worker(mmcf);

    if (worker == NULL || ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* before anything may be said of the request */

    if (ngx_http_martech_consent_request(r, mlcf, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    reason = ngx_http_martech_cors_check(r, mlcf, ctx);

    if (reason == MARTECH_OK) {
        reason = ngx_http_martech_request(r, worker, mlcf, ctx);
    }

    if (reason == MARTECH_OK && ctx->source) {
        reason = ngx_http_martech_cors_check(r, mlcf, ctx);
    }

    if (reason == MARTECH_OK && ctx->endpoint->silent) {
        return ngx_http_martech_answer_silent(r);
    }

    if (reason == MARTECH_OK && !ngx_http_martech_redis_accepts(worker)) {
        reason = NGX_HTTP_MARTECH_REFUSED_UNAVAILABLE;
    }

    if (reason != MARTECH_OK) {
        return ngx_http_martech_answer_refused(r, reason, "", -1);
    }

    rc = ngx_http_read_client_request_body(r, ngx_http_martech_collect_body);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static void
ngx_http_martech_collect_body(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_martech_collect_request(r, NULL, 0);

    /* NGX_DONE: the request is parked and holds the reference we were given */

    if (rc != NGX_DONE) {
        ngx_http_finalize_request(r, rc);
    }
}


ngx_int_t
ngx_http_martech_collect_batch(ngx_http_request_t *r, ngx_str_t *batch)
{
    ngx_http_martech_ctx_t  *ctx;

    ctx = ngx_http_martech_ctx(r);
    ctx->type = MARTECH_EVENT_UNKNOWN;

    return ngx_http_martech_collect_request(r, batch, 0);
}


ngx_int_t
ngx_http_martech_collect_aside(ngx_http_request_t *r, ngx_str_t *batch)
{
    return ngx_http_martech_collect_request(r, batch, 1);
}


/* From the body on, or from a batch that somebody else has made of it. */

static ngx_int_t
ngx_http_martech_collect_request(ngx_http_request_t *r, ngx_str_t *batch,
    ngx_uint_t aside)
{
    ngx_int_t                   rc;
    ngx_str_t                   body;
    ngx_uint_t                  reason;
    ngx_http_martech_collect_t  mc;

    mc.r = r;
    mc.slot = NULL;
    mc.stored = 0;
    mc.denied = 0;
    mc.drop = NULL;
    mc.bytes = 0;
    ngx_queue_init(&mc.records);
    mc.ctx = ngx_http_martech_ctx(r);
    mc.mlcf = ngx_http_get_module_loc_conf(r, ngx_http_martech_module);
    mc.mmcf = ngx_http_get_module_main_conf(r, ngx_http_martech_module);
    mc.worker = ngx_http_martech_worker(mc.mmcf);
    mc.limits = &mc.mlcf->limits;
    mc.field = "";
    mc.offset = -1;
    mc.texts = aside & 1;
    mc.aside = aside & 1;
    mc.linked = 0;
    mc.visitor.len = 0;
    mc.visitor.data = NULL;

    reason = MARTECH_OK;

    if (batch == NULL) {
        batch = &body;
        reason = ngx_http_martech_collect_text(&mc, batch);

    } else {
        ngx_http_martech_collect_widen(&mc);
    }

    if (reason == MARTECH_OK) {
        reason = ngx_http_martech_collect_open(&mc, batch);
    }

    if (reason == NGX_HTTP_MARTECH_COLLECT_FAILED) {
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;

    } else if (reason != MARTECH_OK) {
        rc = ngx_http_martech_collect_refuse(&mc, reason, mc.field, mc.offset);

    } else {
        ngx_http_martech_collect_facts(&mc);
        ngx_http_martech_privacy_facts(&mc);

        mc.drop = mc.ctx->page ? mc.ctx->page->drop
                               : ngx_http_martech_drop_request(r, mc.mlcf);

        rc = ngx_http_martech_collect_events(&mc);
    }

    if (mc.texts) {
        ngx_http_martech_texts_trim(&mc.worker->texts);
    }

    return rc;
}


/* Who does not wait is told nothing, but the books have to be right. */

static ngx_int_t
ngx_http_martech_collect_refuse(ngx_http_martech_collect_t *mc,
    ngx_uint_t reason, const char *field, off_t offset)
{
    if (!mc->aside) {
        return ngx_http_martech_answer_refused(mc->r, reason, field, offset);
    }

    if (reason == NGX_HTTP_MARTECH_REFUSED_UNAVAILABLE) {
        return NGX_BUSY;
    }

    ngx_http_martech_count(mc->worker, RECEIVED, 1);
    ngx_http_martech_count(mc->worker, REJECTED, 1);

    mc->worker->stats->rejected[reason]++;

    return NGX_DECLINED;
}


/* The body as the event model reads it.  Returns the reason for a refusal, or
   MARTECH_OK. */

static ngx_uint_t
ngx_http_martech_collect_text(ngx_http_martech_collect_t *mc, ngx_str_t *body)
{
    ngx_int_t   rc;
    ngx_uint_t  reason;

    rc = ngx_http_martech_body(mc->r, mc->mlcf->limits.batch_size_max, body);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_HTTP_MARTECH_REFUSED_BODY_SIZE
                                    : NGX_HTTP_MARTECH_COLLECT_FAILED;
    }

    ngx_http_martech_count(mc->worker, BYTES, body->len);

    if (mc->ctx->encoding != NGX_HTTP_MARTECH_ENCODING_NONE
        || ngx_http_martech_inflate_magic(body->data, body->len))
    {
        mc->texts = 1;
        reason = ngx_http_martech_inflate(mc, body);

        if (reason != MARTECH_OK) {
            return reason;
        }
    }

    mc->visitor = ngx_http_martech_collect_visitor(mc->r, mc->ctx);

    if (mc->ctx->endpoint->native) {
        return MARTECH_OK;
    }

    mc->texts = 1;
    mc->ctx->request->visitor = (mc->visitor.len > 0)
                                ? mc->visitor
                                : ngx_http_martech_identity(mc->r, mc->ctx);
    ngx_http_martech_collect_widen(mc);

    return ngx_http_martech_translate(mc, body);
}


/* A batch that is not the sender's own is nested deeper than what it sent. */

static void
ngx_http_martech_collect_widen(ngx_http_martech_collect_t *mc)
{
    mc->wide = mc->mlcf->limits;
    mc->wide.depth_max += NGX_HTTP_MARTECH_DEPTH;
    mc->limits = &mc->wide;
}


/* Who sends, if a header of the dialect's own says it. */

static martech_str_t
ngx_http_martech_collect_visitor(ngx_http_request_t *r,
    ngx_http_martech_ctx_t *ctx)
{
    u_char         *p;
    martech_str_t   id = { 0, NULL };

    if (ctx->endpoint->visitor) {
        p = ngx_pnalloc(r->pool, MARTECH_ID_SIZE_MAX);

        if (p) {
            id = ctx->endpoint->visitor(ctx->request, p);
        }

        if (id.len > 0 && ngx_http_martech_collect_plain(&id)) {
            return id;
        }

        id.len = 0;
    }

    return id;
}


/* 1 if a text stands in JSON as it is. */

static ngx_uint_t
ngx_http_martech_collect_plain(martech_str_t *text)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {

        if (text->data[i] < 0x20 || text->data[i] >= 0x7f
            || text->data[i] == '"' || text->data[i] == '\\')
        {
            return 0;
        }
    }

    return 1;
}


/* Scans the text, and finds its events and who they are of.  Returns likewise.
   */

static ngx_uint_t
ngx_http_martech_collect_open(ngx_http_martech_collect_t *mc, ngx_str_t *text)
{
    ngx_uint_t    reason;
    martech_rc_t  rc;

    rc = ngx_http_martech_collect_scan(mc->worker, mc->limits, text);

    if (rc != MARTECH_OK) {

        if (rc != MARTECH_BODY_EMPTY) {
            mc->offset = (off_t) mc->worker->tape.error_offset;
        }

        return rc;
    }

    rc = martech_batch_open(&mc->batch, &mc->worker->tape, mc->ctx->type,
                            &mc->mlcf->limits, &mc->field);

    if (rc != MARTECH_OK || mc->ctx->source) {
        return rc;
    }

    reason = ngx_http_martech_collect_key(mc);

    mc->field = (reason == NGX_HTTP_MARTECH_REFUSED_ORIGIN) ? ""
                                                            : "/writeKey";
    return reason;
}


/*
 * The tape belongs to the worker and grows to the largest body seen; a
 * location uses as much of it as its own limit allows.
 */

martech_rc_t
ngx_http_martech_collect_scan(ngx_http_martech_worker_t *worker,
    const martech_limits_t *limits, ngx_str_t *text)
{
    martech_rc_t          rc;
    martech_json_tape_t  *tape;

    tape = &worker->tape;

    do {
        tape->nodes_max = ngx_min(worker->tape_size, limits->tokens_max);

        rc = (tape->nodes_max > 0)
             ? martech_json_scan(tape, text->data, text->len, limits)
             : MARTECH_JSON_TOKENS;

    } while (rc == MARTECH_JSON_TOKENS
             && ngx_http_martech_collect_tape(worker, limits) == NGX_OK);

    return rc;
}


ngx_int_t
ngx_http_martech_collect_tape(ngx_http_martech_worker_t *worker,
    const martech_limits_t *limits)
{
    uint32_t              size;
    martech_json_node_t  *nodes;

    if (worker->tape_size >= limits->tokens_max) {
        return NGX_DECLINED;
    }

    size = ngx_min(ngx_max(4 * worker->tape_size, NGX_HTTP_MARTECH_TAPE_MIN),
                   limits->tokens_max);

    nodes = ngx_alloc(size * sizeof(martech_json_node_t), worker->log);

    if (nodes == NULL) {
        return NGX_DECLINED;
    }

    if (worker->tape.nodes) {
        ngx_free(worker->tape.nodes);
    }

    worker->tape.nodes = nodes;
    worker->tape_size = size;

    return NGX_OK;
}


/*
 * A key that the headers did not bring must stand in the body.  Returns the
 * reason for a refusal, or MARTECH_OK.
 */

static ngx_uint_t
ngx_http_martech_collect_key(ngx_http_martech_collect_t *mc)
{
    u_char         buf[NGX_HTTP_MARTECH_KEY_MAX];
    martech_str_t  key;

    key = martech_batch_write_key(&mc->batch, buf, sizeof(buf));

    if (key.len == 0) {
        return NGX_HTTP_MARTECH_REFUSED_KEY_MISSING;
    }

    mc->ctx->source = ngx_http_martech_source_find(mc->mlcf->sources,
                                                   (u_char *) key.data,
                                                   key.len);

    return mc->ctx->source
           ? ngx_http_martech_cors_check(mc->r, mc->mlcf, mc->ctx)
           : (ngx_uint_t) NGX_HTTP_MARTECH_REFUSED_KEY_UNKNOWN;
}


static void
ngx_http_martech_collect_facts(ngx_http_martech_collect_t *mc)
{
    ngx_str_t        *addr;
    ngx_time_t       *tp;
    martech_facts_t  *facts;
    ngx_table_elt_t  *agent;

    facts = &mc->facts;

    ngx_memzero(facts, sizeof(martech_facts_t));

    tp = ngx_timeofday();
    facts->now_ms = (uint64_t) tp->sec * 1000 + tp->msec;

    facts->source.data = mc->ctx->source->name.data;
    facts->source.len = mc->ctx->source->name.len;

    facts->dialect = mc->ctx->dialect->name;
    facts->visitor = mc->visitor;

    ngx_http_martech_collect_request_id(mc);
    ngx_http_martech_collect_trace(mc);

    ngx_str_null(&mc->ip);
    ngx_str_null(&mc->agent);

    addr = &mc->r->connection->addr_text;

    if (mc->r->connection->sockaddr->sa_family != AF_UNIX) {
        mc->ip.data = addr->data;
        mc->ip.len = addr->len;
    }

    agent = mc->r->headers_in.user_agent;

    if (agent) {
        mc->agent.data = agent->value.data;
        mc->agent.len = agent->value.len;
    }

    if (mc->ctx->source->client || mc->ctx->page) {
        ngx_http_martech_collect_client(mc);
    }
}


/* What is known of one who browses. */

static void
ngx_http_martech_collect_client(ngx_http_martech_collect_t *mc)
{
    martech_facts_t  *facts;

    facts = &mc->facts;

    facts->ip = mc->ip;
    facts->user_agent = mc->agent;

    if (facts->visitor.len == 0) {
        facts->visitor = ngx_http_martech_identity(mc->r, mc->ctx);
    }

    if (mc->mlcf->link && mc->ctx->page == NULL
        && !ngx_http_martech_identity_denied(mc->r, mc->mlcf, mc->ctx))
    {
        mc->linked = 1;
        facts->page = ngx_http_martech_observe_known(mc->r, mc->mlcf, mc->ctx);
    }
}


/* Eight hex digits of random bits, all at once: a byte for each digit, and
   what is above 9 is moved on to the letters. */

static void
ngx_http_martech_collect_hex(u_char *out, uint32_t bits)
{
    uint64_t  digits, letters;

    digits = bits;
    digits = (digits | digits << 16) & 0x0000ffff0000ffffULL;
    digits = (digits | digits << 8) & 0x00ff00ff00ff00ffULL;
    digits = (digits | digits << 4) & 0x0f0f0f0f0f0f0f0fULL;

    letters = (digits + 0x0606060606060606ULL) >> 4 & 0x0101010101010101ULL;
    digits += 0x3030303030303030ULL + letters * ('a' - '0' - 10);

    ngx_memcpy(out, &digits, sizeof(digits));
}


static void
ngx_http_martech_collect_request_id(ngx_http_martech_collect_t *mc)
{
    if (mc->ctx->page) {
        mc->facts.request_id = mc->ctx->page->id;
        return;
    }

    ngx_http_martech_request_id(mc->r, mc->worker, mc->request_id,
                                &mc->facts.request_id);
}


/* NGINX's $request_id where it is used, so that logs and events agree. */

void
ngx_http_martech_request_id(ngx_http_request_t *r,
    ngx_http_martech_worker_t *worker, u_char *buf, martech_str_t *id)
{
    uint64_t                    n;
    ngx_http_variable_value_t  *vv;

    if (worker->conf->request_id != NGX_ERROR) {
        vv = ngx_http_get_indexed_variable(r, worker->conf->request_id);

        if (vv && !vv->not_found) {
            id->data = vv->data;
            id->len = vv->len;
        }

        return;
    }

    n = ngx_http_martech_event_random(worker);
    ngx_http_martech_collect_hex(buf, (uint32_t) n);
    ngx_http_martech_collect_hex(buf + 8, (uint32_t) (n >> 32));

    n = ngx_http_martech_event_random(worker);
    ngx_http_martech_collect_hex(buf + 16, (uint32_t) n);
    ngx_http_martech_collect_hex(buf + 24, (uint32_t) (n >> 32));

    id->data = buf;
    id->len = NGX_HTTP_MARTECH_PAGE_ID;
}


/* A trace has one parent: of two headers neither counts. */

static void
ngx_http_martech_collect_trace(ngx_http_martech_collect_t *mc)
{
    ngx_uint_t        i, found;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;
    martech_str_t     value;

    static u_char  name[] = "traceparent";

    found = 0;
    value.data = NULL;
    value.len = 0;

    for (part = &mc->r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len == sizeof(name) - 1
                && ngx_memcmp(h[i].lowcase_key, name, sizeof(name) - 1) == 0)
            {
                value.data = h[i].value.data;
                value.len = h[i].value.len;
                found++;
            }
        }
    }

    if (found == 1) {
        mc->facts.traceparent = martech_traceparent(value);
    }
}


static ngx_int_t
ngx_http_martech_collect_events(ngx_http_martech_collect_t *mc)
{
    uint32_t                    i, node;
    ngx_int_t                   rc;
    ngx_http_martech_worker_t  *worker;

    worker = mc->worker;

    mc->ctx->events = mc->batch.count;

    if (mc->mlcf->ack == NGX_HTTP_MARTECH_ACK_REDIS && !mc->aside) {
        mc->slot = ngx_http_martech_park_open(worker, mc->r);

        if (mc->slot == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    node = mc->batch.first;

    for (i = 0; i < mc->batch.count; i++) {
        rc = ngx_http_martech_event(mc, node, i);

        if (rc != NGX_OK) {

            /* all or nothing of a request is taken */

            ngx_http_martech_collect_discard(mc);

            if (rc == NGX_DECLINED) {
                return ngx_http_martech_collect_refuse(mc,
                                             MARTECH_BATCH_SIZE, "/batch", -1);
            }

            return ngx_http_martech_collect_refuse(mc,
                                 NGX_HTTP_MARTECH_REFUSED_UNAVAILABLE, "", -1);
        }

        node = worker->tape.nodes[node].next;
    }

    if (mc->ctx->quiet && !mc->ctx->denied) {

        /* its events have granted what the request had denied */

        ngx_http_martech_ctx_quiet(mc->r, mc->ctx, 0);
    }

    return ngx_http_martech_collect_park(mc);
}


static void
ngx_http_martech_collect_discard(ngx_http_martech_collect_t *mc)
{
    ngx_queue_t                *q;
    ngx_http_martech_record_t  *record;

    while (!ngx_queue_empty(&mc->records)) {
        q = ngx_queue_head(&mc->records);
        record = ngx_queue_data(q, ngx_http_martech_record_t, queue);

        ngx_queue_remove(q);
        ngx_http_martech_record_discard(mc->worker, record);
    }

    if (mc->slot) {
        ngx_http_martech_park_discard(mc->worker, mc->slot);
    }
}


/* All events have been looked at: counts them, and waits or answers. */

static ngx_int_t
ngx_http_martech_collect_park(ngx_http_martech_collect_t *mc)
{
    ngx_http_martech_ctx_t     *ctx;
    ngx_http_martech_worker_t  *worker;

    ctx = mc->ctx;
    worker = mc->worker;

    ngx_http_martech_collect_count(mc);

    if (ctx->accepted == 0) {
        ctx->verdict = NGX_HTTP_MARTECH_VERDICT_REJECTED;

    } else if (ctx->refusals) {
        ctx->verdict = NGX_HTTP_MARTECH_VERDICT_PARTIAL;

    } else if (mc->stored == 0) {
        ctx->verdict = NGX_HTTP_MARTECH_VERDICT_DROPPED;

    } else {
        ctx->verdict = NGX_HTTP_MARTECH_VERDICT_STORED;
    }

    if (mc->stored > 0) {

        if (mc->linked && !ctx->denied) {
            ngx_http_martech_loss_beacon(mc->mmcf->loss, mc->facts.page,
                                         &ctx->source->name);
        }

        if (mc->slot) {
            ngx_http_martech_park_close(worker, mc->slot);
        }

        ngx_http_martech_collect_submit(mc);

        if (mc->slot) {
            return NGX_DONE;
        }

    } else if (mc->slot) {
        ngx_http_martech_park_discard(worker, mc->slot);
    }

    return mc->aside ? NGX_OK : ngx_http_martech_answer_events(mc->r);
}


static void
ngx_http_martech_collect_submit(ngx_http_martech_collect_t *mc)
{
    ngx_queue_t                *q;
    ngx_http_martech_record_t  *record;

    while (!ngx_queue_empty(&mc->records)) {
        q = ngx_queue_head(&mc->records);
        record = ngx_queue_data(q, ngx_http_martech_record_t, queue);

        ngx_queue_remove(q);
        ngx_http_martech_redis_submit(mc->worker, record);
    }
}


static void
ngx_http_martech_collect_count(ngx_http_martech_collect_t *mc)
{
    ngx_uint_t                         i, n;
    ngx_http_martech_worker_t         *worker;
    ngx_http_martech_dialect_stats_t  *dialect;

    worker = mc->worker;

    ngx_http_martech_count(worker, RECEIVED, mc->ctx->events);

    dialect = &worker->stats->dialects[mc->ctx->dialect_number];
    dialect->received += mc->ctx->events;
    dialect->accepted += mc->ctx->accepted;

    ngx_http_martech_dropped(worker->stats, CONSENT, mc->denied);

    if (mc->drop) {
        n = mc->ctx->accepted - mc->stored - mc->denied;

        ngx_http_martech_count(worker, DROPPED, n);

        worker->stats->drops[ngx_http_martech_stats_drop(mc->mmcf->zone,
                                                     mc->drop->number)] += n;
    }

    if (mc->ctx->refusals == NULL) {
        return;
    }

    for (i = 0; i < MARTECH_RC_COUNT; i++) {
        n = mc->ctx->rejected[i];

        ngx_http_martech_count(worker, REJECTED, n);
        worker->stats->rejected[i] += n;
    }
}
