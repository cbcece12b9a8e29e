
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The steps of one event, from a node of the body to a record in the buffer,
 * a refusal, or nothing.
 *
 * Whether its person has denied it is known before any other step may note
 * something of it.
 *
 * An event is built where it will be sent from: its place in the buffer is
 * reserved by an upper bound, the command is written in front of it, and only
 * the digits of its length come last.
 */


#include "ngx_http_martech_collect.h"
#include <sys/random.h>


static ngx_int_t ngx_http_martech_event_take(ngx_http_martech_collect_t *mc,
    ngx_http_martech_item_t *item);
static martech_rc_t ngx_http_martech_event_check(
    ngx_http_martech_collect_t *mc, ngx_http_martech_item_t *item);
static ngx_uint_t ngx_http_martech_event_dropped(
    ngx_http_martech_collect_t *mc, ngx_http_martech_item_t *item);
static void ngx_http_martech_event_edits(ngx_http_martech_collect_t *mc,
    ngx_http_martech_item_t *item);
static ngx_int_t ngx_http_martech_event_change(
    ngx_http_martech_collect_t *mc, ngx_http_martech_item_t *item);
static void ngx_http_martech_event_extra(ngx_http_martech_collect_t *mc,
    ngx_http_martech_item_t *item);
static martech_str_t ngx_http_martech_event_consent(
    ngx_http_martech_collect_t *mc, martech_consent_decision_t *decision);
static ngx_int_t ngx_http_martech_event_store(ngx_http_martech_collect_t *mc,
    ngx_http_martech_item_t *item);
static ngx_int_t ngx_http_martech_event_id(ngx_http_martech_collect_t *mc,
    ngx_http_martech_item_t *item);
static ngx_int_t ngx_http_martech_event_refuse(
    ngx_http_martech_collect_t *mc, ngx_http_martech_item_t *item,
    martech_rc_t rc);


ngx_int_t
ngx_http_martech_event_init(ngx_http_martech_worker_t *worker)
{
    /* its pages cost nothing before they are used */

    worker->scratch = ngx_alloc(sizeof(ngx_http_martech_scratch_t),
                                worker->log);

    if (worker->scratch == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(worker->scratch->decisions,
                sizeof(worker->scratch->decisions));

    return NGX_OK;
}


ngx_int_t
ngx_http_martech_event(ngx_http_martech_collect_t *mc, uint32_t node,
    uint32_t index)
{
    martech_rc_t             rc;
    ngx_http_martech_item_t  item;

    item.node = node;
    item.index = index;
    item.denied = 0;

    mc->facts.random[0] = ngx_http_martech_event_random(mc->worker);
    mc->facts.random[1] = ngx_http_martech_event_random(mc->worker);

    rc = ngx_http_martech_event_check(mc, &item);

    if (rc != MARTECH_OK) {

        if (ngx_http_martech_event_id(mc, &item) != NGX_OK) {
            return NGX_BUSY;
        }

        return ngx_http_martech_event_refuse(mc, &item, rc);
    }

    if (ngx_http_martech_event_dropped(mc, &item)) {
        return ngx_http_martech_event_id(mc, &item);
    }

    return ngx_http_martech_event_take(mc, &item);
}


/*
 * Who has denied it has no identity cookie, and an event that counts on that
 * has no id.  It will lose any id that it has, or be dropped, so it is judged
 * as if it had one: its sender shall not see who denies.
 */

static martech_rc_t
ngx_http_martech_event_check(ngx_http_martech_collect_t *mc,
    ngx_http_martech_item_t *item)
{
    martech_rc_t  rc;

    static const martech_str_t  nobody =
                       martech_string("00000000-0000-0000-0000-000000000000");

    rc = martech_event_check(&item->ev, &mc->batch, item->node, &mc->facts,
                             &mc->mlcf->limits);

    if (mc->ctx->consent == NULL) {
        return rc;
    }

    ngx_http_martech_consent_event(mc, item);

    if (rc == MARTECH_NO_USER_ANON_ID && item->denied && mc->mlcf->cookie) {
        mc->facts.visitor = nobody;
        rc = martech_event_check(&item->ev, &mc->batch, item->node, &mc->facts,
                                 &mc->mlcf->limits);
        mc->facts.visitor.len = 0;
    }

    return rc;
}


/*
 * 1 if nothing of the event is wanted; its sender is told that it is taken.
 * What only says who somebody is has nothing left to say without that.
 */

static ngx_uint_t
ngx_http_martech_event_dropped(ngx_http_martech_collect_t *mc,
    ngx_http_martech_item_t *item)
{
    if (mc->drop) {
        mc->ctx->accepted++;
        return 1;
    }

    if (item->denied
        && (mc->mlcf->consent->policy == NGX_HTTP_MARTECH_CONSENT_DROP
            || item->ev.type == MARTECH_EVENT_IDENTIFY
            || item->ev.type == MARTECH_EVENT_GROUP
            || item->ev.type == MARTECH_EVENT_ALIAS))
    {
        mc->ctx->accepted++;
        mc->denied++;
        return 1;
    }

    return 0;
}


/* An event that is to be stored, unless the plan rejects it. */

static ngx_int_t
ngx_http_martech_event_take(ngx_http_martech_collect_t *mc,
    ngx_http_martech_item_t *item)
{
    ngx_int_t  rc;

    ngx_http_martech_event_edits(mc, item);

    rc = ngx_http_martech_plan_event(mc->r, mc->ctx, &item->ev, &item->edits,
                                     item->denied, &item->judgement);
    if (rc != NGX_OK) {
        return NGX_BUSY;
    }

    if (item->judgement.action == MARTECH_PLAN_REJECT) {

        if (ngx_http_martech_event_id(mc, item) != NGX_OK) {
            return NGX_BUSY;
        }

        return ngx_http_martech_event_refuse(mc, item, MARTECH_PLAN_VIOLATION);
    }

    rc = ngx_http_martech_event_change(mc, item);

    if (ngx_http_martech_event_id(mc, item) != NGX_OK) {
        return NGX_BUSY;
    }

    if (rc != NGX_OK) {
        return ngx_http_martech_event_refuse(mc, item, MARTECH_PRIVACY_LIMIT);
    }

    return ngx_http_martech_event_store(mc, item);
}


static void
ngx_http_martech_event_edits(ngx_http_martech_collect_t *mc,
    ngx_http_martech_item_t *item)
{
    martech_edits_t  *edits;

    edits = &item->edits;

    edits->list = mc->worker->scratch->list;
    edits->max = NGX_HTTP_MARTECH_EDITS;
    edits->count = 0;
    edits->buf = mc->worker->scratch->bytes;
    edits->size = NGX_HTTP_MARTECH_EDIT_SIZE;
    edits->used = 0;
    edits->full = 0;
}


/* NGX_DECLINED: there is more to change than there is room for. */

static ngx_int_t
ngx_http_martech_event_change(ngx_http_martech_collect_t *mc,
    ngx_http_martech_item_t *item)
{
    uint64_t          fresh[2];
    martech_edits_t  *edits;

    edits = &item->edits;

    if (mc->mlcf->privacy) {
        ngx_http_martech_privacy_event(mc, item);
    }

    ngx_http_martech_campaign_event(mc, item);

    if (edits->full) {
        return NGX_DECLINED;
    }

    if (edits->count > 0) {
        martech_edit_sort(edits);

        fresh[0] = ngx_http_martech_event_random(mc->worker);
        fresh[1] = ngx_http_martech_event_random(mc->worker);

        item->ev.edits = edits;
        martech_event_edited(&item->ev, fresh);
    }

    ngx_http_martech_event_extra(mc, item);

    return NGX_OK;
}


/* What is said of consent and plan in context.martech. */

static void
ngx_http_martech_event_extra(ngx_http_martech_collect_t *mc,
    ngx_http_martech_item_t *item)
{
    u_char         *p, *extra;
    martech_str_t   consent, *members;

    members = &item->judgement.members;

    if (mc->ctx->consent == NULL) {
        item->ev.extra = *members;
        return;
    }

    extra = mc->worker->scratch->extra;

    consent = ngx_http_martech_event_consent(mc, &item->consent);

    if (members->len == 0) {
        item->ev.extra = consent;
        return;
    }

    p = ngx_cpymem(extra, consent.data, consent.len);
    *p++ = ',';
    p = ngx_cpymem(p, members->data, members->len);

    item->ev.extra.data = extra;
    item->ev.extra.len = p - extra;
}


/* There are few decisions, so the text of each is kept in a place for it. */

static martech_str_t
ngx_http_martech_event_consent(ngx_http_martech_collect_t *mc,
    martech_consent_decision_t *decision)
{
    uint32_t                      i, place;
    martech_str_t                 text;
    ngx_http_martech_decision_t  *kept;

    place = decision->granted;

    for (i = 0; i < MARTECH_PURPOSES; i++) {
        place = place * 31 + decision->by[i];
    }

    kept = &mc->worker->scratch->decisions[place
                                           % NGX_HTTP_MARTECH_DECISIONS];

    if (kept->len == 0
        || ngx_memcmp(&kept->decision, decision,
                      sizeof(martech_consent_decision_t))
           != 0)
    {
        kept->decision = *decision;
        kept->len = martech_consent_write(decision, kept->text);
    }

    text.data = (u_char *) kept->text;
    text.len = kept->len;

    return text;
}


static ngx_int_t
ngx_http_martech_event_store(ngx_http_martech_collect_t *mc,
    ngx_http_martech_item_t *item)
{
    size_t                      bound, frame, len;
    u_char                     *p;
    uint64_t                    hash;
    ngx_str_t                  *head, *tail;
    ngx_uint_t                  shard, quarantined;
    martech_event_t            *ev;
    ngx_http_martech_record_t  *record;
    ngx_http_martech_worker_t  *worker;

    ev = &item->ev;
    worker = mc->worker;

    hash = martech_shard_hash(ev->identity);
    shard = (ngx_uint_t) (hash % mc->mmcf->shards);
    quarantined = (item->judgement.action == MARTECH_PLAN_QUARANTINE);

    head = quarantined ? &mc->mmcf->quarantine_heads[shard]
                       : &mc->mmcf->heads[shard];
    tail = quarantined ? &mc->ctx->source->quarantine
                       : &mc->ctx->source->head;

    if (!ngx_http_martech_redis_takes(worker, shard)) {
        return NGX_BUSY;
    }

    bound = martech_event_bound(ev);
    frame = ngx_http_martech_command_frame(head, tail, ev);

    if (mc->bytes + frame + bound > worker->buffer.size_max / 2) {
        return NGX_DECLINED;
    }

    p = ngx_http_martech_buffer_reserve(&worker->buffer, frame + bound,
                                        worker->log);
    if (p == NULL) {
        return NGX_BUSY;
    }

    len = ngx_http_martech_command_write(p, head, tail, ev, bound);

    record = ngx_http_martech_buffer_commit(&worker->buffer, len);

    record->hash = hash;
    record->shard = (uint16_t) shard;
    record->head = (uint16_t) head->len;
    record->quarantined = (unsigned) (quarantined & 1);

    ngx_queue_insert_tail(&mc->records, &record->queue);
    worker->live++;

    if (mc->slot) {
        ngx_http_martech_park_add(mc->slot, record);
    }

    mc->bytes += len;
    mc->stored++;
    mc->ctx->accepted++;

    return NGX_OK;
}


/*
 * xorshift128+, seeded from the kernel.  Ids must be unique; nothing depends
 * on nobody guessing the next.
 */

uint64_t
ngx_http_martech_event_random(ngx_http_martech_worker_t *worker)
{
    uint64_t  a, b;

    a = worker->random[0];
    b = worker->random[1];

    worker->random[0] = b;

    a ^= a << 23;
    worker->random[1] = a ^ b ^ (a >> 18) ^ (b >> 5);

    return worker->random[1] + b;
}


void
ngx_http_martech_event_key(ngx_http_martech_worker_t *worker, uint64_t *key,
    size_t size)
{
    size_t  i;

    if (getrandom(key, size, 0) == (ssize_t) size) {
        return;
    }

    for (i = 0; i < size / sizeof(uint64_t); i++) {
        key[i] = ngx_http_martech_event_random(worker);
    }
}


/*
 * Keeps the first event's id for the log, as it is stored; it may point into
 * the body.  One that was denied is not kept.
 */

static ngx_int_t
ngx_http_martech_event_id(ngx_http_martech_collect_t *mc,
    ngx_http_martech_item_t *item)
{
    ngx_str_t        *id;
    martech_event_t  *ev;

    ev = &item->ev;

    if (item->index > 0 || item->denied || ev->message_id.len == 0) {
        return NGX_OK;
    }

    id = &mc->ctx->message_id;

    id->data = ngx_pnalloc(mc->r->pool, ev->message_id.len);

    if (id->data == NULL) {
        return NGX_BUSY;
    }

    id->len = ev->message_id.len;
    ngx_memcpy(id->data, ev->message_id.data, id->len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_martech_event_refuse(ngx_http_martech_collect_t *mc,
    ngx_http_martech_item_t *item, martech_rc_t rc)
{
    martech_str_t               *id;
    ngx_http_martech_ctx_t      *ctx;
    ngx_http_martech_refusal_t  *refusal;

    ctx = mc->ctx;
    id = &item->ev.message_id;

    if (ctx->refusals == NULL) {
        ctx->refusals = ngx_array_create(mc->r->pool, 4,
                                         sizeof(ngx_http_martech_refusal_t));
        ctx->rejected = ngx_pcalloc(mc->r->pool,
                                    MARTECH_RC_COUNT * sizeof(uint32_t));

        if (ctx->refusals == NULL || ctx->rejected == NULL) {
            return NGX_BUSY;
        }
    }

    ctx->rejected[rc]++;

    if (ctx->refusals->nelts == NGX_HTTP_MARTECH_REFUSALS) {
        return NGX_OK;
    }

    refusal = ngx_array_push(ctx->refusals);

    if (refusal == NULL) {
        return NGX_BUSY;
    }

    refusal->index = item->index;
    refusal->rc = rc;
    refusal->field = item->ev.field;
    refusal->rule = (rc == MARTECH_PLAN_VIOLATION) ? item->judgement.rule
                                                   : NULL;
    refusal->message_id.len = 0;

    if (id->len == 0) {
        return NGX_OK;
    }

    refusal->message_id.data = ngx_pnalloc(mc->r->pool, id->len);

    if (refusal->message_id.data == NULL) {
        return NGX_BUSY;
    }

    refusal->message_id.len = id->len;
    ngx_memcpy(refusal->message_id.data, id->data, id->len);

    return NGX_OK;
}
