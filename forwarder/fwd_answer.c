
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Answers judged by jq.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jv.h>

#include "fwd_answer.h"
#include "fwd_jv.h"
#include "fwd_map_private.h"


typedef struct {
    const char           *word;
    fwd_outcome_t         outcome;
    unsigned              record:1;      /* allowed for a record */
    unsigned              whole:1;
    unsigned              singly:1;
    unsigned              refresh:1;
    unsigned              back:1;        /* of a record only */
} fwd_answer_word_t;


static jv fwd_answer_keys(const fwd_answer_input_t *in);
static jv fwd_answer_key(const char *pointer, jv record);
static jv fwd_answer_member(jv value, const char *name, size_t len);
static jv fwd_answer_headers(martech_str_t lines);
static jv fwd_answer_body(const fwd_answer_input_t *in);
static fwd_rc_t fwd_answer_read(fwd_answer_output_t *out, jv value,
    const fwd_answer_input_t *in, fwd_error_t *err);
static fwd_rc_t fwd_answer_whole(fwd_answer_output_t *out, jv value,
    int status, fwd_error_t *err);
static fwd_rc_t fwd_answer_records(fwd_answer_output_t *out, jv list,
    uint32_t count, fwd_error_t *err);
static fwd_rc_t fwd_answer_some(fwd_answer_output_t *out, jv map,
    uint32_t count, fwd_error_t *err);
static fwd_rc_t fwd_answer_record(fwd_answer_output_t *out, jv value,
    fwd_verdict_t *verdict, fwd_error_t *err);
static void fwd_answer_progress(fwd_answer_output_t *out, uint32_t count);
static const fwd_answer_word_t *fwd_answer_word(jv value);
static void fwd_answer_reason(fwd_answer_output_t *out, jv value,
    fwd_verdict_t *verdict);
static unsigned fwd_answer_warns(jv value);
static void fwd_answer_forget(fwd_answer_output_t *out, jv value);
static double fwd_answer_wait_max(jv value);
static fwd_rc_t fwd_answer_wait(fwd_answer_output_t *out, jv value,
    fwd_error_t *err);


static const fwd_answer_word_t  fwd_answer_words[] = {
    { "ok", FWD_OUTCOME_DELIVERED, .record = 1 },
    { "duplicate", FWD_OUTCOME_DUPLICATE, .record = 1 },
    { "drop", FWD_OUTCOME_DROPPED, .record = 1 },
    { "retry", FWD_OUTCOME_RETRY, .record = 1 },
    { "again", FWD_OUTCOME_RETRY, .record = 1, .back = 1 },
    { "throttled", FWD_OUTCOME_THROTTLED, .record = 1 },
    { "ambiguous", FWD_OUTCOME_AMBIGUOUS, .record = 1 },
    { "reject", FWD_OUTCOME_REJECTED, .record = 1, .whole = 1 },
    { "split", FWD_OUTCOME_REJECTED, .record = 0 },
    { "singly", FWD_OUTCOME_REJECTED, .singly = 1 },
    { "credentials", FWD_OUTCOME_CREDENTIALS, .record = 0 },
    { "refresh", FWD_OUTCOME_CREDENTIALS, .refresh = 1 },
    { "stop", FWD_OUTCOME_STOP, .record = 0 },
    { .word = NULL }
};


/* The program is a map in all but its input and output. */

fwd_rc_t
fwd_answer_create(fwd_map_t **answer, const fwd_dest_conf_t *conf,
    fwd_report_t *report)
{
    return fwd_map_compile(answer, conf, conf->desc->answer,
                           conf->desc->answer_file, report);
}


fwd_rc_t
fwd_answer_run(fwd_map_t *answer, const fwd_answer_input_t *in,
    fwd_answer_output_t *out, fwd_error_t *err)
{
    jv        value;
    fwd_rc_t  rc;

    memset(&out->all, 0, sizeof(out->all));
    out->verdicts = NULL;
    out->wait_ms = 0;
    out->whole = 0;
    out->by_status = 0;
    out->singly = 0;
    out->refresh = 0;
    out->warning = 0;
    out->forget[0] = '\0';

    if (fwd_map_first(answer, fwd_answer_value(in), &value) != FWD_OK) {
        return fwd_error(err, "answer.jq ended without an output");
    }

    switch (jv_get_kind(value)) {

    case JV_KIND_NULL:
        rc = FWD_NONE;
        break;

    case JV_KIND_OBJECT:
        rc = fwd_answer_read(out, value, in, err);
        break;

    default:
        rc = fwd_error(err, "answer.jq gave %s, allowed are objects and null",
                       jv_kind_name(jv_get_kind(value)));
        break;
    }

    if (rc == FWD_ERROR) {
        free(out->verdicts);
        out->verdicts = NULL;
    }

    jv_free(value);

    return rc;
}


jv
fwd_answer_value(const fwd_answer_input_t *in)
{
    jv  input;

    input = jv_object_set(jv_object(), jv_string("status"),
                          jv_number(in->status));
    input = jv_object_set(input, jv_string("headers"),
                          fwd_answer_headers(in->headers));
    input = jv_object_set(input, jv_string("body"), fwd_answer_body(in));
    input = jv_object_set(input, jv_string("count"), jv_number(in->count));
    input = jv_object_set(input, jv_string("endpoint"),
                          jv_string(in->endpoint ? in->endpoint : "main"));

    if (in->step != NULL) {
        input = jv_object_set(input, jv_string("step"), jv_string(in->step));
    }

    if (in->keys != NULL) {
        input = jv_object_set(input, jv_string("keys"), jv_parse(in->keys));

    } else if (in->answer_key != NULL && in->records != NULL) {
        input = jv_object_set(input, jv_string("keys"), fwd_answer_keys(in));
    }

    return jv_object_set(input, jv_string("attempt"), jv_number(in->attempt));
}


/* In the order of the records; null of one that has none. */

static jv
fwd_answer_keys(const fwd_answer_input_t *in)
{
    jv                 keys;
    uint32_t           i;
    fwd_reader_tape_t  tape;

    fwd_reader_tape_init(&tape);
    keys = jv_array_sized((int) in->count);

    for (i = 0; i < in->count; i++) {
        keys = jv_array_append(keys,
                               fwd_answer_key(in->answer_key,
                                              fwd_jv_parse(&tape,
                                                           in->records[i])));
    }

    fwd_reader_tape_free(&tape);

    return keys;
}


/* "name", or "/name/name" as RFC 6901 has it; takes the record. */

static jv
fwd_answer_key(const char *pointer, jv record)
{
    size_t  len;

    if (*pointer != '/') {
        record = fwd_answer_member(record, pointer, strlen(pointer));

    } else {
        while (*pointer == '/') {
            len = strcspn(pointer + 1, "/");
            record = fwd_answer_member(record, pointer + 1, len);
            pointer += 1 + len;
        }
    }

    switch (jv_get_kind(record)) {

    case JV_KIND_STRING:
    case JV_KIND_NUMBER:
        return record;

    default:
        jv_free(record);
        return jv_null();
    }
}


static jv
fwd_answer_member(jv value, const char *name, size_t len)
{
    jv      key, member;
    char    text[256];
    size_t  i, n;

    if (jv_get_kind(value) != JV_KIND_OBJECT || len >= sizeof(text)) {
        jv_free(value);
        return jv_null();
    }

    n = 0;

    for (i = 0; i < len; i++) {
        text[n] = name[i];

        if (name[i] == '~' && i + 1 < len
            && (name[i + 1] == '0' || name[i + 1] == '1'))
        {
            text[n] = (name[++i] == '0') ? '~' : '/';
        }

        n++;
    }

    key = jv_string_sized(text, (int) n);
    member = jv_object_get(value, key);

    if (!jv_is_valid(member)) {
        jv_free(member);
        return jv_null();
    }

    return member;
}


static jv
fwd_answer_headers(martech_str_t lines)
{
    jv           headers;
    size_t       name;
    const char  *p, *end, *last;

    headers = jv_object();
    p = (const char *) lines.data;
    last = p + lines.len;

    while (p < last) {
        end = memchr(p, '\n', (size_t) (last - p));
        name = (size_t) ((const char *) memchr(p, ':', (size_t) (last - p))
                         - p);

        headers = jv_object_set(headers, jv_string_sized(p, (int) name),
                                jv_string_sized(p + name + 2,
                                                (int) (end - p) - (int) name
                                                - 2));
        p = end + 1;
    }

    return headers;
}


/* JSON if it is that; half of a JSON text is a text. */

static jv
fwd_answer_body(const fwd_answer_input_t *in)
{
    jv           value;
    int          len;
    const char  *text;

    text = (const char *) in->body.data;
    len = (int) in->body.len;

    if (len == 0) {
        return jv_string("");
    }

    if (!in->cut) {
        value = jv_parse_sized(text, len);

        if (jv_is_valid(value)) {
            return value;
        }

        jv_free(value);
    }

    return jv_string_sized(text, len);
}


static fwd_rc_t
fwd_answer_read(fwd_answer_output_t *out, jv value,
    const fwd_answer_input_t *in, fwd_error_t *err)
{
    jv        records;
    fwd_rc_t  rc;

    if (fwd_answer_whole(out, value, in->status, err) != FWD_OK) {
        return FWD_ERROR;
    }

    records = jv_object_get(jv_copy(value), jv_string("records"));

    if (!jv_is_valid(records) || jv_get_kind(records) == JV_KIND_NULL) {
        jv_free(records);
        return FWD_OK;
    }

    rc = fwd_answer_records(out, records, in->count, err);
    jv_free(records);

    if (rc == FWD_OK) {
        fwd_answer_progress(out, in->count);
    }

    return rc;
}


static fwd_rc_t
fwd_answer_whole(fwd_answer_output_t *out, jv value, int status,
    fwd_error_t *err)
{
    jv                        word;
    const fwd_answer_word_t  *row;

    word = jv_object_get(jv_copy(value), jv_string("outcome"));

    if (!jv_is_valid(word) || jv_get_kind(word) == JV_KIND_NULL) {
        jv_free(word);
        out->all.outcome = fwd_outcome_http(status);
        out->by_status = 1;

    } else {
        row = fwd_answer_word(word);
        jv_free(word);

        if (row == NULL || row->back) {
            return fwd_error(err, "answer.jq gave an unknown outcome");
        }

        out->all.outcome = row->outcome;
        out->whole = row->whole;
        out->singly = row->singly;
        out->refresh = row->refresh;
    }

    fwd_answer_reason(out, value, &out->all);
    out->warning = fwd_answer_warns(value);
    fwd_answer_forget(out, value);

    return fwd_answer_wait(out, value, err);
}


/* Its text may hold anything: it is counted, not kept. */

static unsigned
fwd_answer_warns(jv value)
{
    jv        text;
    unsigned  warns;

    text = jv_object_get(jv_copy(value), jv_string("warning"));
    warns = (jv_get_kind(text) == JV_KIND_STRING);
    jv_free(text);

    return warns;
}


/* Names that no step can have are left out, as those that are too many. */

static void
fwd_answer_forget(fwd_answer_output_t *out, jv value)
{
    jv           list, name;
    int          i;
    size_t       at, len;
    const char  *p;

    at = 0;
    list = jv_object_get(jv_copy(value), jv_string("forget"));

    for (i = 0; jv_get_kind(list) == JV_KIND_ARRAY
         && i < jv_array_length(jv_copy(list)); i++)
    {
        name = jv_array_get(jv_copy(list), i);

        if (jv_get_kind(name) == JV_KIND_STRING) {
            p = jv_string_value(name);
            len = strlen(p);

            if (len != 0 && strchr(p, ' ') == NULL
                && at + len + 2 <= sizeof(out->forget))
            {
                at += (size_t) sprintf(out->forget + at, "%s%s",
                                       at ? " " : "", p);
            }
        }

        jv_free(name);
    }

    jv_free(list);
}


/* A quota of a day may be used up for the rest of it. */

static double
fwd_answer_wait_max(jv value)
{
    jv      scope;
    double  max;

    scope = jv_object_get(jv_copy(value), jv_string("scope_wait"));
    max = (jv_get_kind(scope) == JV_KIND_STRING
           && strcmp(jv_string_value(scope), "daily") == 0)
          ? FWD_RETRY_DAILY_MAX_MS : FWD_RETRY_AFTER_MAX_MS;
    jv_free(scope);

    return max;
}


static fwd_rc_t
fwd_answer_wait(fwd_answer_output_t *out, jv value, fwd_error_t *err)
{
    jv        wait;
    double    seconds, max;
    fwd_rc_t  rc;

    max = fwd_answer_wait_max(value);
    wait = jv_object_get(jv_copy(value), jv_string("retry_after"));
    rc = FWD_OK;

    if (jv_is_valid(wait) && jv_get_kind(wait) == JV_KIND_NUMBER) {
        seconds = jv_number_value(wait);

        if (seconds * 1000 >= max) {
            out->wait_ms = (uint64_t) max;

        } else if (seconds * 1000 >= FWD_RETRY_AFTER_MIN_MS) {
            out->wait_ms = (uint64_t) (seconds * 1000);

        } else {
            out->wait_ms = FWD_RETRY_AFTER_MIN_MS;   /* not a number, too */
        }

    } else if (jv_is_valid(wait) && jv_get_kind(wait) != JV_KIND_NULL) {
        rc = fwd_error(err, "answer.jq gave a retry_after that is no number");
    }

    jv_free(wait);

    return rc;
}


static fwd_rc_t
fwd_answer_records(fwd_answer_output_t *out, jv list, uint32_t count,
    fwd_error_t *err)
{
    jv        one;
    uint32_t  i;
    fwd_rc_t  rc;

    if (jv_get_kind(list) == JV_KIND_OBJECT) {
        return fwd_answer_some(out, list, count, err);
    }

    if (jv_get_kind(list) != JV_KIND_ARRAY
        || jv_array_length(jv_copy(list)) != (int) count)
    {
        return fwd_error(err, "answer.jq gave records that are no array of "
                         "%u, as many as were sent", count);
    }

    out->verdicts = calloc(count ? count : 1, sizeof(fwd_verdict_t));
    if (out->verdicts == NULL) {
        return fwd_error(err, "out of memory");
    }

    rc = FWD_OK;

    for (i = 0; i < count && rc == FWD_OK; i++) {
        one = jv_array_get(jv_copy(list), (int) i);
        rc = fwd_answer_record(out, one, &out->verdicts[i], err);
        jv_free(one);
    }

    return rc;
}


/* { "3": { outcome }, "rest": { outcome } }: places from 0 on. */

static fwd_rc_t
fwd_answer_some(fwd_answer_output_t *out, jv map, uint32_t count,
    fwd_error_t *err)
{
    jv             key, value;
    int            i;
    char          *end;
    uint32_t       n;
    fwd_rc_t       rc;
    unsigned long  place;
    fwd_verdict_t  rest;

    out->verdicts = calloc(count ? count : 1, sizeof(fwd_verdict_t));

    if (out->verdicts == NULL) {
        return fwd_error(err, "out of memory");
    }

    value = jv_object_get(jv_copy(map), jv_string("rest"));
    value = jv_is_valid(value) ? value : jv_null();
    rc = fwd_answer_record(out, value, &rest, err);
    jv_free(value);

    for (n = 0; n < count; n++) {
        out->verdicts[n] = rest;
    }

    for (i = jv_object_iter(map); jv_object_iter_valid(map, i)
         && rc == FWD_OK; i = jv_object_iter_next(map, i))
    {
        key = jv_object_iter_key(map, i);
        value = jv_object_iter_value(map, i);

        if (strcmp(jv_string_value(key), "rest") != 0) {
            place = strtoul(jv_string_value(key), &end, 10);

            rc = (*end == '\0' && end != jv_string_value(key)
                  && place < count)
                 ? fwd_answer_record(out, value, &out->verdicts[place], err)
                 : fwd_error(err, "answer.jq gave records with a name that "
                             "is no place of the %u that were sent", count);
        }

        jv_free(key);
        jv_free(value);
    }

    return rc;
}


static fwd_rc_t
fwd_answer_record(fwd_answer_output_t *out, jv value, fwd_verdict_t *verdict,
    fwd_error_t *err)
{
    jv                        word;
    const fwd_answer_word_t  *row;

    *verdict = out->all;

    if (jv_get_kind(value) == JV_KIND_NULL) {
        return FWD_OK;
    }

    if (jv_get_kind(value) != JV_KIND_OBJECT) {
        return fwd_error(err, "answer.jq gave a record that is %s, allowed "
                         "are objects and null",
                         jv_kind_name(jv_get_kind(value)));
    }

    word = jv_object_get(jv_copy(value), jv_string("outcome"));
    row = fwd_answer_word(word);
    jv_free(word);

    if (row == NULL || !row->record) {
        return fwd_error(err, "answer.jq gave an outcome that is not allowed "
                         "for a record");
    }

    verdict->outcome = row->outcome;
    verdict->how = row->back ? FWD_VERDICT_BACK : FWD_VERDICT_PLAIN;
    verdict->reason_len = 0;
    fwd_answer_reason(out, value, verdict);

    return FWD_OK;
}


/*
 * "Again, at once" needs another record that is to blame and leaves the
 * request: if there is none, the same would be sent and answered for ever.
 */

static void
fwd_answer_progress(fwd_answer_output_t *out, uint32_t count)
{
    uint32_t  i;

    for (i = 0; i < count; i++) {
        if (out->verdicts[i].how != FWD_VERDICT_BACK) {
            return;
        }
    }

    for (i = 0; i < count; i++) {
        out->verdicts[i].how = FWD_VERDICT_PLAIN;
    }
}


static const fwd_answer_word_t *
fwd_answer_word(jv value)
{
    const fwd_answer_word_t  *row;

    if (!jv_is_valid(value) || jv_get_kind(value) != JV_KIND_STRING) {
        return NULL;
    }

    for (row = fwd_answer_words; row->word != NULL; row++) {
        if (strcmp(jv_string_value(value), row->word) == 0) {
            return row;
        }
    }

    return NULL;
}


/* No text is better than a batch that fails for want of room for texts. */

static void
fwd_answer_reason(fwd_answer_output_t *out, jv value, fwd_verdict_t *verdict)
{
    jv           text;
    size_t       i, len;
    const char  *p;

    text = jv_object_get(jv_copy(value), jv_string("reason"));

    if (!jv_is_valid(text) || jv_get_kind(text) != JV_KIND_STRING) {
        jv_free(text);
        return;
    }

    p = jv_string_value(text);
    len = (size_t) jv_string_length_bytes(jv_copy(text));

    if (len > FWD_ANSWER_REASON_MAX) {
        len = FWD_ANSWER_REASON_MAX;

        /* not in the middle of a character */

        while (len > 0 && ((unsigned char) p[len] & 0xc0) == 0x80) {
            len--;
        }
    }

    if (out->reasons.len + len <= out->reasons.max) {
        verdict->reason = (uint32_t) out->reasons.len;
        verdict->reason_len = (uint32_t) len;

        for (i = 0; i < len; i++) {
            fwd_buf_add_char(&out->reasons,
                             ((unsigned char) p[i] < 0x20 || p[i] == 0x7f)
                             ? ' ' : p[i]);
        }
    }

    if (out->reasons.failed) {
        verdict->reason_len = 0;
    }

    jv_free(text);
}
