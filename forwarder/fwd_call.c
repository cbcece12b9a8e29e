
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Cutting a batch into calls.
 *
 * One pass in the order of the records: each goes to the open call of its
 * endpoint and group, or opens one.  A call that is full stays as it is, and
 * the next record opens another.
 */


#include <stdlib.h>
#include <string.h>

#include "fwd_call.h"
#include "fwd_jv.h"


#define FWD_CUT_NONE   UINT32_MAX
#define FWD_CUT_FRAME  2                 /* bytes of "[" and "]" */


/* A text on its way to its call. */
typedef struct {
    uint32_t              call;
    uint32_t              record;        /* the first one of it */
    size_t                merged;        /* offset in calls->merged */
    size_t                merged_len;    /* 0: it is the record's own */
} fwd_cut_text_t;


typedef struct {
    const fwd_dest_conf_t  *conf;
    fwd_batch_t          *batch;
    fwd_calls_t          *calls;
    fwd_cut_text_t       *texts;
    uint32_t              texts_count;
    size_t               *in_body;       /* of the calls: bytes of records */
    unsigned char        *closed;        /* of the calls */
    uint32_t             *open;          /* table of calls, by endpoint and
                                            group */
    uint32_t             *keys;          /* table of texts, by call and
                                            "@merge" */
    uint32_t              mask;          /* of both tables */
    unsigned              single:1;
} fwd_cut_t;


static fwd_rc_t fwd_cut_begin(fwd_cut_t *c);
static void fwd_cut_end(fwd_cut_t *c);
static fwd_rc_t fwd_cut_record(fwd_cut_t *c, uint32_t record);
static uint32_t *fwd_cut_slot(fwd_cut_t *c, uint32_t endpoint,
    martech_str_t group);
static uint32_t fwd_cut_open(fwd_cut_t *c, uint32_t record);
static int fwd_cut_full(const fwd_cut_t *c, uint32_t call,
    martech_str_t text);
static size_t fwd_cut_cost(const fwd_endpoint_t *endpoint,
    martech_str_t text);
static size_t fwd_cut_frame(const fwd_cut_t *c,
    const fwd_endpoint_t *endpoint, martech_str_t group);
static fwd_rc_t fwd_cut_merge(fwd_cut_t *c, uint32_t call, uint32_t record,
    int *done);
static uint32_t *fwd_cut_key(fwd_cut_t *c, uint32_t call,
    martech_str_t merge);
static jv fwd_cut_merged(jv one, jv two);
static fwd_rc_t fwd_cut_arrange(fwd_cut_t *c);
static uint32_t fwd_cut_hash(uint32_t seed, martech_str_t text);
static int fwd_cut_steps(const fwd_batch_t *batch, uint32_t record);
static void fwd_cut_sequence(fwd_cut_t *c);
static const fwd_steer_t *fwd_cut_steer(const fwd_batch_t *batch,
    uint32_t record);


static const fwd_steer_t  fwd_cut_unsaid;


fwd_rc_t
fwd_calls_cut(fwd_batch_t *batch, const fwd_dest_conf_t *conf, int single)
{
    uint32_t   i;
    fwd_rc_t   rc;
    fwd_cut_t  c;

    memset(&c, 0, sizeof(c));
    c.conf = conf;
    c.batch = batch;
    c.single = (single != 0);

    fwd_calls_free(batch->calls);
    batch->calls = NULL;

    rc = fwd_cut_begin(&c);

    if (rc == FWD_OK && fwd_cut_steps(batch, 0)) {
        batch->calls = c.calls;
        fwd_cut_sequence(&c);
        fwd_cut_end(&c);
        return FWD_OK;
    }

    for (i = 0; rc == FWD_OK && i < batch->records_count; i++) {
        rc = fwd_cut_record(&c, i);
    }

    if (rc == FWD_OK) {
        rc = fwd_cut_arrange(&c);
    }

    if (rc == FWD_OK) {
        batch->calls = c.calls;

    } else {
        fwd_calls_free(c.calls);
    }

    fwd_cut_end(&c);

    return rc;
}


int
fwd_calls_alone(const fwd_batch_t *batch, uint32_t item)
{
    uint32_t  first, count;

    first = fwd_batch_records(batch, item, &count);

    return count != 0 && fwd_cut_steps(batch, first);
}


/* 1 if the record takes the steps of the sequence. */

static int
fwd_cut_steps(const fwd_batch_t *batch, uint32_t record)
{
    return batch->steers != NULL
           && batch->steers[record].endpoint == FWD_ENDPOINT_SEQUENCE;
}


/* Its calls are filled in when their turn comes. */

static void
fwd_cut_sequence(fwd_cut_t *c)
{
    uint32_t      i;
    fwd_calls_t  *calls;

    calls = c->calls;
    calls->sequence = 1;
    calls->count = 1;

    for (i = 0; i < calls->size; i++) {
        calls->list[i].first = i;
        calls->list[i].undoes = (i != 0);
        calls->list[i].count = 1;
        calls->list[i].records = 1;
        fwd_buf_init(&calls->list[i].own, FWD_CALL_BODY_MAX);
    }
}


void
fwd_calls_free(fwd_calls_t *calls)
{
    uint32_t  i;

    if (calls == NULL) {
        return;
    }

    for (i = 0; calls->list != NULL && i < calls->size; i++) {
        fwd_buf_free(&calls->list[i].own);

        if (calls->list[i].exchange != NULL) {
            fwd_buf_free(&calls->list[i].exchange->request_headers);
            fwd_buf_free(&calls->list[i].exchange->url);
            fwd_buf_free(&calls->list[i].exchange->headers);
            fwd_buf_free(&calls->list[i].exchange->answer);
            free(calls->list[i].exchange);
        }
    }

    fwd_buf_free(&calls->merged);
    free(calls->verdicts);
    free(calls->list);
    free(calls->texts);
    free(calls->arrays);
    free(calls->call_of);
    free(calls->text_of);
    free(calls);
}


fwd_exchange_t *
fwd_call_exchange(fwd_batch_t *batch)
{
    fwd_call_t      *call;
    fwd_exchange_t  *kept;

    call = &batch->calls->list[batch->calls->next];

    if (call->exchange != NULL) {
        return call->exchange;
    }

    kept = calloc(1, sizeof(fwd_exchange_t));

    if (kept != NULL) {
        fwd_buf_init(&kept->request_headers, FWD_CALL_HEADER_MAX);
        fwd_buf_init(&kept->url, FWD_CALL_URL_MAX);
        fwd_buf_init(&kept->headers, FWD_CALL_HEADER_MAX);
        fwd_buf_init(&kept->answer, FWD_EXCHANGE_ANSWER_MAX);
        call->exchange = kept;
    }

    return kept;
}


int
fwd_calls_fits(const fwd_endpoint_t *endpoint, martech_str_t text)
{
    if (endpoint->record_max != 0 && text.len > endpoint->record_max) {
        return 0;
    }

    if (endpoint->in_body_max != 0 && text.len > endpoint->in_body_max) {
        return 0;
    }

    return fwd_cut_cost(endpoint, text) <= endpoint->bytes_max;
}


static fwd_rc_t
fwd_cut_begin(fwd_cut_t *c)
{
    uint32_t      n, size;
    fwd_calls_t  *calls;

    /* a sequence has two places */
    n = c->batch->records_count > 2 ? c->batch->records_count : 2;

    for (size = 16; size < 2 * n; size *= 2) { /* void */ }

    c->mask = size - 1;

    calls = calloc(1, sizeof(fwd_calls_t));
    c->calls = calls;

    if (calls == NULL) {
        return FWD_AGAIN;
    }

    fwd_buf_init(&calls->merged, FWD_BATCH_MAPPED_MAX);

    calls->size = n;
    calls->list = calloc(n, sizeof(fwd_call_t));
    calls->texts = calloc(n, sizeof(martech_str_t));
    calls->arrays = calloc(n, sizeof(martech_str_t));
    calls->call_of = calloc(n, sizeof(uint32_t));
    calls->text_of = calloc(n, sizeof(uint32_t));
    c->texts = calloc(n, sizeof(fwd_cut_text_t));
    c->in_body = calloc(n, sizeof(size_t));
    c->closed = calloc(n, 1);
    c->open = malloc(size * sizeof(uint32_t));
    c->keys = malloc(size * sizeof(uint32_t));

    if (calls->list == NULL || calls->texts == NULL || calls->arrays == NULL
        || calls->call_of == NULL || calls->text_of == NULL
        || c->texts == NULL || c->in_body == NULL || c->closed == NULL
        || c->open == NULL || c->keys == NULL)
    {
        return FWD_AGAIN;
    }

    memset(c->open, 0xff, size * sizeof(uint32_t));
    memset(c->keys, 0xff, size * sizeof(uint32_t));

    return FWD_OK;
}


static void
fwd_cut_end(fwd_cut_t *c)
{
    free(c->texts);
    free(c->in_body);
    free(c->closed);
    free(c->open);
    free(c->keys);
}


static fwd_rc_t
fwd_cut_record(fwd_cut_t *c, uint32_t record)
{
    int                 alone, done;
    uint32_t            call, *slot;
    fwd_rc_t            rc;
    const fwd_item_t   *item;
    const fwd_steer_t  *steer;

    steer = fwd_cut_steer(c->batch, record);
    item = c->batch->items[c->batch->record_items[record]];
    alone = (c->single || steer->alone || (item != NULL && item->alone));

    slot = fwd_cut_slot(c, steer->endpoint, steer->group);
    call = alone ? FWD_CUT_NONE : *slot;
    done = 0;

    if (call != FWD_CUT_NONE && steer->merge.len != 0) {
        rc = fwd_cut_merge(c, call, record, &done);

        if (rc != FWD_OK || done) {
            return rc;
        }
    }

    if (call == FWD_CUT_NONE || c->closed[call]
        || fwd_cut_full(c, call, c->batch->records[record]))
    {
        call = fwd_cut_open(c, record);

        if (alone) {
            c->closed[call] = 1;

        } else {
            *slot = call;
        }
    }

    c->calls->list[call].count++;
    c->calls->list[call].records++;
    c->calls->list[call].bytes +=
                          fwd_cut_cost(c->calls->list[call].endpoint,
                                       c->batch->records[record]);
    c->in_body[call] += c->batch->records[record].len + 1;

    c->texts[c->texts_count].call = call;
    c->texts[c->texts_count].record = record;
    c->calls->call_of[record] = call;
    c->calls->text_of[record] = c->texts_count++;

    if (steer->merge.len != 0) {
        *fwd_cut_key(c, call, steer->merge) = c->texts_count - 1;
    }

    return FWD_OK;
}


/* Of the last call that was opened for an endpoint and group. */

static uint32_t *
fwd_cut_slot(fwd_cut_t *c, uint32_t endpoint, martech_str_t group)
{
    uint32_t           i;
    const fwd_call_t  *call;

    i = fwd_cut_hash(endpoint, group) & c->mask;

    while (c->open[i] != FWD_CUT_NONE) {
        call = &c->calls->list[c->open[i]];

        if (call->endpoint->index == endpoint && call->group.len == group.len
            && (group.len == 0
                || memcmp(call->group.data, group.data, group.len) == 0))
        {
            break;
        }

        i = (i + 1) & c->mask;
    }

    return &c->open[i];
}


static uint32_t
fwd_cut_open(fwd_cut_t *c, uint32_t record)
{
    fwd_call_t         *call;
    const fwd_steer_t  *steer;

    steer = fwd_cut_steer(c->batch, record);
    call = &c->calls->list[c->calls->count];

    call->endpoint = &c->conf->http.endpoints[steer->endpoint];
    call->group = steer->group;
    call->path = steer->path;
    call->bytes = fwd_cut_frame(c, call->endpoint, call->group);

    return c->calls->count++;
}


static int
fwd_cut_full(const fwd_cut_t *c, uint32_t call, martech_str_t text)
{
    const fwd_call_t      *to;
    const fwd_endpoint_t  *endpoint;

    to = &c->calls->list[call];
    endpoint = to->endpoint;

    return to->count >= endpoint->count_max
           || to->bytes + fwd_cut_cost(endpoint, text) > endpoint->bytes_max
           || (endpoint->in_body_max != 0
               && c->in_body[call] + text.len > endpoint->in_body_max);
}


/* With the comma or line end behind it. */

static size_t
fwd_cut_cost(const fwd_endpoint_t *endpoint, martech_str_t text)
{
    return endpoint->body != NULL ? fwd_body_cost(endpoint->body, text)
                                  : text.len + 1;
}


/* The body without records; what it has of an id or a token is little. */

static size_t
fwd_cut_frame(const fwd_cut_t *c, const fwd_endpoint_t *endpoint,
    martech_str_t group)
{
    size_t        len;
    fwd_buf_t     text;
    const char   *missing;
    fwd_scope_t   scope;

    if (endpoint->body == NULL) {
        return FWD_CUT_FRAME;
    }

    memset(&scope, 0, sizeof(scope));
    scope.conf = c->conf;
    scope.path = jv_invalid();
    scope.group = group.len ? jv_parse_sized((const char *) group.data,
                                             (int) group.len)
                            : jv_invalid();
    scope.id = "00000000-0000-0000-0000-000000000000";
    scope.now_ms = 1700000000000;

    fwd_buf_init(&text, FWD_CALL_BODY_MAX);
    len = (fwd_body_write(endpoint->body, &scope, &text, &missing) == FWD_OK)
          ? text.len : 0;

    fwd_buf_free(&text);
    jv_free(scope.group);
    jv_free(scope.path);

    return len;
}


/* *done: the record has become a part of one that was there. */

static fwd_rc_t
fwd_cut_merge(fwd_cut_t *c, uint32_t call, uint32_t record, int *done)
{
    jv                 value;
    size_t             at, before, after;
    uint32_t          *slot;
    fwd_buf_t         *merged;
    fwd_call_t        *to;
    martech_str_t      old, own, text;
    fwd_cut_text_t    *first;

    *done = 0;
    slot = fwd_cut_key(c, call, fwd_cut_steer(c->batch, record)->merge);

    if (*slot == FWD_CUT_NONE) {
        return FWD_OK;
    }

    merged = &c->calls->merged;
    first = &c->texts[*slot];
    to = &c->calls->list[call];
    own = c->batch->records[record];
    old = c->batch->records[first->record];

    if (first->merged_len != 0) {
        old.data = merged->data + first->merged;
        old.len = first->merged_len;
    }

    before = fwd_cut_cost(to->endpoint, old);
    value = fwd_cut_merged(jv_parse_sized((const char *) old.data,
                                          (int) old.len),
                           jv_parse_sized((const char *) own.data,
                                          (int) own.len));
    at = merged->len;
    fwd_jv_dump(merged, value);

    if (merged->failed) {
        return FWD_AGAIN;
    }

    text.data = merged->data + at;
    text.len = merged->len - at;
    after = fwd_cut_cost(to->endpoint, text);

    if (to->bytes - before + after > to->endpoint->bytes_max
        || !fwd_calls_fits(to->endpoint, text))
    {
        /* the later one follows in a call of its own */
        merged->len = at;
        c->closed[call] = 1;
        return FWD_OK;
    }

    to->bytes = to->bytes - before + after;
    to->records++;
    c->in_body[call] = c->in_body[call] - old.len + text.len;
    first->merged = at;
    first->merged_len = text.len;

    c->calls->call_of[record] = call;
    c->calls->text_of[record] = *slot;
    *done = 1;

    return FWD_OK;
}


static uint32_t *
fwd_cut_key(fwd_cut_t *c, uint32_t call, martech_str_t merge)
{
    uint32_t             i;
    martech_str_t        other;
    const fwd_cut_text_t  *text;

    i = fwd_cut_hash(call, merge) & c->mask;

    while (c->keys[i] != FWD_CUT_NONE) {
        text = &c->texts[c->keys[i]];
        other = fwd_cut_steer(c->batch, text->record)->merge;

        if (text->call == call && other.len == merge.len
            && memcmp(other.data, merge.data, merge.len) == 0)
        {
            break;
        }

        i = (i + 1) & c->mask;
    }

    return &c->keys[i];
}


/* Later members win; objects are merged one level deep. */

static jv
fwd_cut_merged(jv one, jv two)
{
    int  i;
    jv   key, value, old;

    if (jv_get_kind(one) != JV_KIND_OBJECT
        || jv_get_kind(two) != JV_KIND_OBJECT)
    {
        jv_free(one);
        return two;
    }

    for (i = jv_object_iter(two); jv_object_iter_valid(two, i);
         i = jv_object_iter_next(two, i))
    {
        key = jv_object_iter_key(two, i);
        value = jv_object_iter_value(two, i);
        old = jv_object_get(jv_copy(one), jv_copy(key));

        if (jv_get_kind(old) == JV_KIND_OBJECT
            && jv_get_kind(value) == JV_KIND_OBJECT)
        {
            value = jv_object_merge(old, value);

        } else {
            jv_free(old);
        }

        one = jv_object_set(one, key, value);
    }

    jv_free(two);

    return one;
}


/* The texts of a call stand together, in the order of the records. */

static fwd_rc_t
fwd_cut_arrange(fwd_cut_t *c)
{
    uint32_t         i, at, *place;
    fwd_call_t      *call;
    fwd_cut_text_t  *from;
    martech_str_t   *text;

    place = calloc(c->texts_count + 1, sizeof(uint32_t));

    if (place == NULL) {
        return FWD_AGAIN;
    }

    at = 0;

    for (i = 0; i < c->calls->count; i++) {
        c->calls->list[i].first = at;
        at += c->calls->list[i].count;
        c->calls->list[i].count = 0;
    }

    for (i = 0; i < c->texts_count; i++) {
        from = &c->texts[i];
        call = &c->calls->list[from->call];
        place[i] = call->count;
        text = &c->calls->texts[call->first + call->count];

        *text = c->batch->records[from->record];
        c->calls->arrays[call->first + call->count] =
                              fwd_cut_steer(c->batch, from->record)->array;

        if (from->merged_len != 0) {
            text->data = c->calls->merged.data + from->merged;
            text->len = from->merged_len;
        }

        call->count++;
    }

    for (i = 0; i < c->batch->records_count; i++) {
        c->calls->text_of[i] = place[c->calls->text_of[i]];
    }

    free(place);

    return FWD_OK;
}


/* FNV-1a: the keys are our own map's. */

static uint32_t
fwd_cut_hash(uint32_t seed, martech_str_t text)
{
    size_t    i;
    uint32_t  hash;

    hash = 2166136261u ^ (seed * 0x9e3779b1u);

    for (i = 0; i < text.len; i++) {
        hash = (hash ^ text.data[i]) * 16777619u;
    }

    return hash ^ (hash >> 15);
}


static const fwd_steer_t *
fwd_cut_steer(const fwd_batch_t *batch, uint32_t record)
{
    return batch->steers != NULL ? &batch->steers[record] : &fwd_cut_unsaid;
}
