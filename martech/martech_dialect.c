
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The dialects, and what their files share.
 */


#include <string.h>

#include "martech_dialect.h"
#include "martech_dialect_list.h"
#include "martech_form.h"
#include "martech_time.h"


#define MARTECH_DIALECT_DIGITS  18       /* of a whole number that is read */


static int martech_dialect_digits(const unsigned char **p,
    const unsigned char *end);


/* Who needs the fewest bytes of a path stands last. */

const martech_dialect_t *const  martech_dialects[] = {
    &martech_dialect_segment,
    &martech_dialect_rudderstack,
    &martech_dialect_ga4,
    &martech_dialect_posthog,
    &martech_dialect_matomo,
    &martech_dialect_plausible,
    &martech_dialect_umami,
    &martech_dialect_reporting,
    &martech_dialect_pixel,
    &martech_dialect_cloudevents,
    &martech_dialect_snowplow,
    NULL
};


int
martech_dialect_find(martech_str_t name)
{
    int                   i;
    const martech_str_t  *known;

    for (i = 0; martech_dialects[i]; i++) {
        known = &martech_dialects[i]->name;

        if (known->len == name.len
            && memcmp(known->data, name.data, name.len) == 0)
        {
            return i;
        }
    }

    return -1;
}


martech_rc_t
martech_dialect_scan(martech_translation_t *t, martech_str_t text)
{
    martech_rc_t  rc;

    rc = martech_json_scan(t->tape, text.data, text.len, t->limits);

    if (rc != MARTECH_OK) {
        t->tokens |= (rc == MARTECH_JSON_TOKENS);
        t->field = "";
        t->offset = (rc == MARTECH_BODY_EMPTY) ? -1
                                               : (long) t->tape->error_offset;
    }

    return rc;
}


unsigned char *
martech_dialect_room(martech_translation_t *t, size_t size)
{
    unsigned char  *p;

    if (size > t->scratch_size - t->scratch_used) {
        return NULL;
    }

    p = t->scratch + t->scratch_used;
    t->scratch_used += size;

    return p;
}


void
martech_dialect_begin(martech_translation_t *t, martech_str_t write_key,
    int64_t sent_ms)
{
    martech_json_begin(&t->out, '{');

    if (write_key.len > 0) {
        martech_dialect_text(t, "writeKey", write_key);
    }

    if (sent_ms >= 0) {
        martech_dialect_time(t, "sentAt", sent_ms);
    }

    martech_json_name(&t->out, "batch");
    martech_json_begin(&t->out, '[');
}


void
martech_dialect_end(martech_translation_t *t)
{
    martech_json_end(&t->out, ']');
    martech_json_end(&t->out, '}');
}


void
martech_dialect_text(martech_translation_t *t, const char *name,
    martech_str_t text)
{
    if (text.data) {
        martech_json_name(&t->out, name);
        martech_json_string(&t->out, text.data, text.len);
    }
}


/* Without room the batch cannot be whole, as with a full buffer. */

void
martech_dialect_form(martech_translation_t *t, const char *name,
    martech_str_t encoded)
{
    unsigned char  *room;

    if (encoded.data == NULL) {
        return;
    }

    room = martech_dialect_room(t, encoded.len);

    if (room == NULL) {
        t->out.overflow = 1;
        return;
    }

    martech_dialect_text(t, name, martech_form_decode(encoded, room));
}


void
martech_dialect_node(martech_translation_t *t, const char *name,
    uint32_t node)
{
    martech_str_t  text;

    if (node != MARTECH_JSON_NONE) {
        text = martech_json_text(t->tape, node);

        martech_json_name(&t->out, name);
        martech_json_raw(&t->out, text.data, text.len);
    }
}


void
martech_dialect_number(martech_translation_t *t, const char *name,
    martech_str_t text)
{
    if (text.data && martech_dialect_is_number(text)) {
        martech_json_name(&t->out, name);
        martech_json_raw(&t->out, text.data, text.len);
        return;
    }

    martech_dialect_text(t, name, text);
}


void
martech_dialect_time(martech_translation_t *t, const char *name, int64_t ms)
{
    unsigned char  text[MARTECH_TIME_LEN];

    martech_time_format(text, ms);

    martech_json_name(&t->out, name);
    martech_json_string(&t->out, text, MARTECH_TIME_LEN);
}


void
martech_dialect_name(martech_translation_t *t, martech_str_t name)
{
    martech_json_string(&t->out, name.data, name.len);
    martech_json_bytes(&t->out, ":", 1);
    t->out.comma = 0;
}


/* RFC 8259 section 6. */

int
martech_dialect_is_number(martech_str_t text)
{
    const unsigned char  *p, *end;

    p = text.data;
    end = p + text.len;

    if (p < end && *p == '-') {
        p++;
    }

    if (p < end && *p == '0') {
        p++;

    } else if (!martech_dialect_digits(&p, end)) {
        return 0;
    }

    if (p < end && *p == '.') {
        p++;

        if (!martech_dialect_digits(&p, end)) {
            return 0;
        }
    }

    if (p < end && (*p | 0x20) == 'e') {
        p++;

        if (p < end && (*p == '+' || *p == '-')) {
            p++;
        }

        if (!martech_dialect_digits(&p, end)) {
            return 0;
        }
    }

    return p == end && text.len > 0;
}


static int
martech_dialect_digits(const unsigned char **p, const unsigned char *end)
{
    const unsigned char  *start;

    start = *p;

    while (*p < end && **p >= '0' && **p <= '9') {
        (*p)++;
    }

    return *p > start;
}


int64_t
martech_dialect_integer(martech_str_t text)
{
    size_t   i;
    int64_t  n;

    if (text.len == 0 || text.len > MARTECH_DIALECT_DIGITS) {
        return -1;
    }

    n = 0;

    for (i = 0; i < text.len; i++) {

        if (text.data[i] < '0' || text.data[i] > '9') {
            return -1;
        }

        n = n * 10 + (text.data[i] - '0');
    }

    return n;
}


int
martech_dialect_path_is(martech_str_t path, const char *word, size_t len)
{
    if (path.len == len + 1 && path.data[len] == '/') {
        path.len--;
    }

    return path.len == len && memcmp(path.data, word, len) == 0;
}


void
martech_reply_set(martech_reply_t *reply, unsigned status, const char *type,
    const char *body, size_t len)
{
    reply->status = status;
    reply->type = type;
    reply->body.data = (const unsigned char *) body;
    reply->body.len = len;
}


void
martech_reply_header(martech_reply_t *reply, const char *name,
    martech_str_t value)
{
    if (reply->nheaders < MARTECH_REPLY_HEADERS) {
        reply->headers[reply->nheaders].name = name;
        reply->headers[reply->nheaders].value = value;
        reply->nheaders++;
    }
}


void
martech_reply_image(martech_reply_t *reply, unsigned status)
{
    /* GIF89a, 1 x 1, its only colour transparent */

    static const char  gif[] =
        "GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff"
        "!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00"
        "\x02\x01" "D\x00;";

    static const martech_str_t  never =
                       martech_string("no-cache, no-store, must-revalidate");

    martech_reply_set(reply, status, "image/gif", gif, sizeof(gif) - 1);
    martech_reply_header(reply, "Cache-Control", never);
}
