
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Dead letters.
 *
 * Texts of others (bodies, answers) may be no UTF-8; libjq's strings replace
 * what is not, so that the record is JSON whatever came.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jv.h>

#include "fwd_call.h"
#include "fwd_core.h"
#include "fwd_dead.h"
#include "fwd_mask.h"


#define FWD_DEAD_PART_MAX  (1024 * 1024) /* a body of control characters */
#define FWD_DEAD_FIXED     2048          /* all that is not a body */


typedef struct {
    const char           *reason;
    const char           *hint;
} fwd_dead_hint_t;


static fwd_outcome_t fwd_dead_class(const fwd_item_t *item);
static void fwd_dead_add(fwd_args_t *args, fwd_buf_t *part);
static const fwd_call_t *fwd_dead_call_of(const fwd_batch_t *batch,
    uint32_t index);
static void fwd_dead_masked_url(jv *request, const char *url);
static void fwd_dead_dump(fwd_buf_t *out, jv value);
static jv fwd_dead_set(jv object, const char *name, const void *data,
    size_t len);
static jv fwd_dead_header(jv headers, const char *line, size_t len);
static jv fwd_dead_lines(jv headers, const fwd_buf_t *lines);
static void fwd_dead_body(fwd_buf_t *out, const fwd_batch_t *batch,
    uint64_t framing, uint32_t index);


static const char *const  fwd_dead_methods[] = {
    [FWD_METHOD_POST] = "POST",
    [FWD_METHOD_PUT] = "PUT",
    [FWD_METHOD_PATCH] = "PATCH",
    [FWD_METHOD_GET] = "GET",
    [FWD_METHOD_DELETE] = "DELETE"
};


static const fwd_dead_hint_t  fwd_dead_hints[] = {
    { "gave_up", "attempts and age are used up; replay once the receiver "
      "answers again" },
    { "map_error", "map.jq failed on this event; correct it, then replay "
      "with the present map" },
    { "map_killed", "map.jq took too much time or memory on this event; "
      "correct it, then replay with the present map" },
    { "record_too_large", "the record is larger than the receiver takes; "
      "make the map give less, then replay with the present map" },
    { "missing", "the event was not in the stream any more; nothing is left "
      "to replay" },
    { "ambiguous", "the request was sent, its answer never came: ask the "
      "receiver whether it has the event before a replay" },
    { "unclassified", "the receiver gives a status that has no known "
      "meaning; answer.jq of the destination can give it one" },
    { "answer_error", "answer.jq of the destination fails; correct it, then "
      "replay" },
    { NULL, NULL }
};


void
fwd_dead_args(fwd_args_t *args, const fwd_item_t *item, uint64_t now_ms)
{
    fwd_buf_t           part;
    const fwd_event_t  *ev;

    ev = item->event;
    fwd_buf_init(&part, FWD_DEAD_PART_MAX);

    fwd_args_add(args, ev->message_id.data, ev->message_id.len);
    fwd_args_add(args, ev->source.data, ev->source.len);
    fwd_args_add(args, ev->text.data, ev->text.len);
    fwd_args_text(args, item->reason);
    fwd_args_text(args, fwd_outcome_name(fwd_dead_class(item)));
    fwd_args_number(args, item->status > 0 ? (uint64_t) item->status : 0);
    fwd_args_number(args, item->attempts);
    fwd_args_number(args, (item->tries && item->tries->first_ms)
                          ? item->tries->first_ms : now_ms);
    fwd_args_number(args, now_ms);

    fwd_dead_history(&part, item->tries);
    fwd_dead_add(args, &part);

    if (item->letter != NULL && item->letter->calls != NULL) {
        fwd_dead_call(&part, item->letter, item->dest->conf,
                      item->letter_index);

    } else if (item->letter != NULL) {
        fwd_dead_request(&part, item->letter, &item->dest->conf->http,
                         item->letter_index);
    }

    fwd_dead_add(args, &part);

    if (item->letter != NULL) {
        fwd_dead_answer(&part, item->letter, item->letter_index);
    }

    fwd_dead_add(args, &part);

    fwd_args_text(args, item->dest->versions ? item->dest->versions : "");
    fwd_args_text(args, fwd_dead_hint(item->reason, fwd_dead_class(item),
                                      item->status));
    fwd_args_number(args, ev->replays);

    fwd_buf_free(&part);
}


size_t
fwd_dead_size(const fwd_item_t *item)
{
    size_t    bytes;
    uint32_t  i, first, count;

    bytes = 0;

    if (item->letter != NULL) {
        first = fwd_batch_records(item->letter, item->letter_index, &count);

        for (i = 0; i < count; i++) {
            bytes += item->letter->records[first + i].len;
        }

        if (bytes > FWD_DEAD_BODY_MAX) {
            bytes = FWD_DEAD_BODY_MAX;
        }

        bytes += item->letter->exchange.answer.len;
    }

    return item->event->text.len + bytes + FWD_DEAD_FIXED;
}


/* What was not sent has no outcome, but a reason. */

static fwd_outcome_t
fwd_dead_class(const fwd_item_t *item)
{
    fwd_outcome_t  outcome;

    if (item->letter != NULL) {
        return item->outcome;
    }

    if (fwd_outcome_parse(&outcome, item->reason) == FWD_OK) {
        return outcome;
    }

    return strncmp(item->reason, "map_", 4) == 0 ? FWD_OUTCOME_MAP_ERROR
                                                 : FWD_OUTCOME_REJECTED;
}


static void
fwd_dead_add(fwd_args_t *args, fwd_buf_t *part)
{
    fwd_args_copy(args, part->data, part->len);
    fwd_buf_reset(part);
}


static void
fwd_dead_dump(fwd_buf_t *out, jv value)
{
    jv  text;

    text = jv_dump_string(value, 0);

    fwd_buf_add(out, jv_string_value(text),
                (size_t) jv_string_length_bytes(jv_copy(text)));
    jv_free(text);
}


static jv
fwd_dead_set(jv object, const char *name, const void *data, size_t len)
{
    return jv_object_set(object, jv_string(name),
                         jv_string_sized(len ? data : "", (int) len));
}


void
fwd_dead_history(fwd_buf_t *out, const fwd_attempts_t *tries)
{
    jv                    list, one;
    uint32_t              i;
    const fwd_attempt_t  *attempt;

    list = jv_array();

    for (i = 0; tries != NULL && i < tries->kept; i++) {
        attempt = &tries->last[i];

        one = jv_object_set(jv_object(), jv_string("at"),
                            jv_number((double) attempt->at_ms));
        one = jv_object_set(one, jv_string("class"),
                            jv_string(fwd_outcome_name(attempt->outcome)));
        one = jv_object_set(one, jv_string("status"),
                            jv_number(attempt->status));
        one = jv_object_set(one, jv_string("ms"), jv_number(attempt->ms));

        list = jv_array_append(list, one);
    }

    fwd_dead_dump(out, list);
}


void
fwd_dead_request(fwd_buf_t *out, const fwd_batch_t *batch,
    const fwd_http_target_t *target, uint32_t index)
{
    jv         request, headers;
    size_t     i;
    fwd_buf_t  text;

    if (!batch->exchange.requested) {
        return;
    }

    fwd_buf_init(&text, FWD_DEAD_BODY_MAX + 1);
    fwd_mask_url(&text, target->url_shown);

    request = jv_object_set(jv_object(), jv_string("method"),
                            jv_string(fwd_dead_methods[target->method]));
    request = fwd_dead_set(request, "url", text.data, text.len);

    headers = jv_object();

    for (i = 0; i < target->headers_count; i++) {
        headers = fwd_dead_header(headers, target->headers_shown[i],
                                  strlen(target->headers_shown[i]));
    }

    headers = fwd_dead_lines(headers, &batch->exchange.request_headers);
    request = jv_object_set(request, jv_string("headers"), headers);

    fwd_buf_reset(&text);
    fwd_dead_body(&text, batch, target->framing, index);

    if (text.len > FWD_DEAD_BODY_MAX) {
        text.len = FWD_DEAD_BODY_MAX;
        request = jv_object_set(request, jv_string("cut"), jv_true());
    }

    request = fwd_dead_set(request, "body", text.data, text.len);

    fwd_dead_dump(out, request);
    fwd_buf_free(&text);
}


/* The call whose record of the event came off worst; NULL: none was kept. */

static const fwd_call_t *
fwd_dead_call_of(const fwd_batch_t *batch, uint32_t index)
{
    uint32_t           i, first, count, worst;
    const fwd_call_t   *call;
    const fwd_calls_t  *calls;

    calls = batch->calls;
    first = fwd_batch_records(batch, index, &count);
    worst = first;

    for (i = first + 1; batch->verdicts != NULL && i < first + count; i++) {
        if (fwd_outcome_worst(batch->verdicts[worst].outcome,
                              batch->verdicts[i].outcome)
            != batch->verdicts[worst].outcome)
        {
            worst = i;
        }
    }

    if (count == 0) {
        return NULL;
    }

    call = &calls->list[calls->call_of[worst]];

    return (call->exchange != NULL && call->exchange->requested) ? call
                                                                 : NULL;
}


/* A call, with the records of this event alone in its body. */

void
fwd_dead_call(fwd_buf_t *out, const fwd_batch_t *batch,
    const fwd_dest_conf_t *conf, uint32_t index)
{
    jv                 request;
    uint32_t           i, n, first, count;
    fwd_buf_t          text;
    const char        *missing;
    fwd_scope_t        scope;
    martech_str_t     *texts;
    const fwd_call_t  *call;

    call = fwd_dead_call_of(batch, index);

    if (call == NULL) {
        return;
    }

    first = fwd_batch_records(batch, index, &count);
    texts = calloc(count, sizeof(martech_str_t));
    n = 0;

    for (i = first; texts != NULL && i < first + count; i++) {
        if (&batch->calls->list[batch->calls->call_of[i]] == call) {
            texts[n++] = batch->calls->texts[call->first
                                             + batch->calls->text_of[i]];
        }
    }

    memset(&scope, 0, sizeof(scope));
    scope.conf = conf;
    scope.texts = texts;
    scope.count = n;
    scope.show = 1;
    scope.id = "";
    scope.now_ms = fwd_wall_ms();
    scope.group = call->group.len
                  ? jv_parse_sized((const char *) call->group.data,
                                   (int) call->group.len)
                  : jv_invalid();
    scope.path = jv_invalid();

    fwd_buf_init(&text, FWD_CALL_URL_MAX);
    fwd_buf_add(&text, call->exchange->url.data, call->exchange->url.len);
    fwd_call_mask(&text, conf);
    missing = fwd_buf_string(&text);

    request = jv_object_set(jv_object(), jv_string("method"),
                            jv_string(fwd_call_method(
                                                  call->endpoint->method)));
    request = jv_object_set(request, jv_string("endpoint"),
                            jv_string(call->endpoint->name));

    fwd_dead_masked_url(&request, missing ? missing : "");
    fwd_buf_free(&text);

    fwd_buf_init(&text, FWD_CALL_HEADER_MAX);
    fwd_buf_add(&text, call->exchange->request_headers.data,
                call->exchange->request_headers.len);
    fwd_call_mask(&text, conf);
    request = jv_object_set(request, jv_string("headers"),
                            fwd_dead_lines(jv_object(), &text));
    fwd_buf_free(&text);

    fwd_buf_init(&text, FWD_CALL_BODY_MAX);

    if (fwd_call_body(&text, call->endpoint, &scope, &missing) != FWD_OK) {
        fwd_buf_reset(&text);
    }

    fwd_call_mask(&text, conf);

    if (text.len > FWD_DEAD_BODY_MAX) {
        text.len = FWD_DEAD_BODY_MAX;
        request = jv_object_set(request, jv_string("cut"), jv_true());
    }

    request = fwd_dead_set(request, "body", text.data, text.len);

    fwd_dead_dump(out, request);
    fwd_buf_free(&text);
    jv_free(scope.group);
    jv_free(scope.path);
    free(texts);
}


static void
fwd_dead_masked_url(jv *request, const char *url)
{
    fwd_buf_t  text;

    fwd_buf_init(&text, 2 * FWD_CALL_URL_MAX);
    fwd_mask_url(&text, url);
    *request = fwd_dead_set(*request, "url", text.data, text.len);
    fwd_buf_free(&text);
}


static jv
fwd_dead_header(jv headers, const char *line, size_t len)
{
    size_t       name;
    const char  *colon;

    colon = memchr(line, ':', len);

    if (colon == NULL || colon[1] != ' ') {
        return headers;
    }

    name = (size_t) (colon - line);

    return jv_object_set(headers, jv_string_sized(line, (int) name),
                         fwd_mask_name(line, name)
                         ? jv_string(FWD_MASK)
                         : jv_string_sized(colon + 2,
                                           (int) (len - name - 2)));
}


static jv
fwd_dead_lines(jv headers, const fwd_buf_t *lines)
{
    const char  *p, *end, *last;

    p = (const char *) lines->data;
    last = p + lines->len;

    while (p < last) {
        end = memchr(p, '\n', (size_t) (last - p));
        headers = fwd_dead_header(headers, p, (size_t) (end - p));
        p = end + 1;
    }

    return headers;
}


/* The request as it would be for this event alone; one byte too long if it
   is longer than what is kept. */

static void
fwd_dead_body(fwd_buf_t *out, const fwd_batch_t *batch, uint64_t framing,
    uint32_t index)
{
    size_t                room;
    uint32_t              i, first, count;
    const martech_str_t  *record;

    first = fwd_batch_records(batch, index, &count);

    if (framing == FWD_FRAMING_OBJECT && batch->exchange.part < count) {
        first += batch->exchange.part;
        count = 1;
    }

    for (i = 0; i < count; i++) {
        record = &batch->records[first + i];

        if (framing == FWD_FRAMING_ARRAY) {
            fwd_buf_add_char(out, i ? ',' : '[');
        }

        room = out->max - out->len;

        if (record->len + 2 > room) {
            fwd_buf_add(out, record->data,
                        record->len < room ? record->len : room);

            while (out->len < out->max) {
                fwd_buf_add_char(out, ' ');
            }

            return;
        }

        fwd_buf_add(out, record->data, record->len);

        if (framing == FWD_FRAMING_NDJSON) {
            fwd_buf_add_char(out, '\n');
        }
    }

    if (framing == FWD_FRAMING_ARRAY && count != 0) {
        fwd_buf_add_char(out, ']');
    }
}


void
fwd_dead_answer(fwd_buf_t *out, const fwd_batch_t *batch, uint32_t index)
{
    jv                     answer;
    uint32_t               i, first, count;
    const fwd_verdict_t   *said;
    int                    status;
    const fwd_call_t      *call;
    const fwd_exchange_t  *exchange;

    exchange = &batch->exchange;
    status = batch->status;

    if (batch->calls != NULL) {
        call = fwd_dead_call_of(batch, index);
        exchange = (call != NULL) ? call->exchange : exchange;
        status = (call != NULL) ? call->exchange->status : 0;
    }

    if (!exchange->requested || status == 0) {
        return;
    }

    answer = jv_object_set(jv_object(), jv_string("status"),
                           jv_number(status));
    answer = jv_object_set(answer, jv_string("headers"),
                           fwd_dead_lines(jv_object(), &exchange->headers));
    answer = fwd_dead_set(answer, "body", exchange->answer.data,
                          exchange->answer.len);

    /* the words of the vendor about this event, else about all of them */

    said = &batch->said;
    first = fwd_batch_records(batch, index, &count);

    for (i = 0; batch->verdicts != NULL && i < count; i++) {

        if (batch->verdicts[first + i].reason_len != 0) {
            said = &batch->verdicts[first + i];
        }
    }

    if (said->reason_len != 0
        && (size_t) said->reason + said->reason_len <= batch->reasons.len)
    {
        answer = fwd_dead_set(answer, "reason",
                              batch->reasons.data + said->reason,
                              said->reason_len);
    }

    fwd_dead_dump(out, answer);
}


void
fwd_dead_versions(fwd_buf_t *out, const fwd_dest_conf_t *conf,
    const char *config)
{
    jv    versions;
    char  map[FWD_DIGEST_MAX];

    fwd_digest_text(map, conf->desc->map);

    versions = jv_object_set(jv_object(), jv_string("forwarder"),
                             jv_string(MARTECH_VERSION));
    versions = jv_object_set(versions, jv_string("destination"),
                             jv_string(conf->desc->name));
    versions = jv_object_set(versions, jv_string("map"), jv_string(map));
    versions = jv_object_set(versions, jv_string("config"),
                             jv_string(config));

    fwd_dead_dump(out, versions);
}


const char *
fwd_dead_hint(const char *reason, fwd_outcome_t outcome, int status)
{
    const char             *what;
    const fwd_dead_hint_t  *row;

    /* of a sequence the step stands before it */

    what = strchr(reason, ':');
    reason = (what != NULL) ? what + 1 : reason;

    for (row = fwd_dead_hints; row->reason != NULL; row++) {
        if (strcmp(row->reason, reason) == 0) {
            return row->hint;
        }
    }

    if (outcome != FWD_OUTCOME_REJECTED || status == 0) {
        return "";
    }

    if (status >= 300 && status < 400) {
        return "the receiver has moved, and redirects are not followed: "
               "correct the URL, then replay";
    }

    if (status == 413) {
        return "the event is too large for the receiver";
    }

    if (status < 300) {
        return "the answer was a success, but not for this event: see the "
               "reason in it";
    }

    return "the receiver refuses this event for what is in it: see the "
           "answer, correct the map, then replay with the present map";
}
