
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A dead letter and the filters on it; no I/O.
 */


#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_cli_dead.h"
#include "fwd_units.h"


static int fwd_letter_is(const fwd_letter_t *letter, const char *id);
static int fwd_letter_equals(const fwd_letter_t *letter,
    fwd_letter_field_t field, const char *text);


const char *const  fwd_letter_names[FWD_LETTER_COUNT] = {
    [FWD_LETTER_EVENT] = "event",
    [FWD_LETTER_ID] = "id",
    [FWD_LETTER_SRC] = "src",
    [FWD_LETTER_E] = "e",
    [FWD_LETTER_REASON] = "reason",
    [FWD_LETTER_CLASS] = "class",
    [FWD_LETTER_STATUS] = "status",
    [FWD_LETTER_ATTEMPTS] = "attempts",
    [FWD_LETTER_FIRST_AT] = "first_at",
    [FWD_LETTER_AT] = "at",
    [FWD_LETTER_HISTORY] = "history",
    [FWD_LETTER_REQUEST] = "request",
    [FWD_LETTER_ANSWER] = "answer",
    [FWD_LETTER_VERSIONS] = "versions",
    [FWD_LETTER_HINT] = "hint",
    [FWD_LETTER_REPLAYS] = "replays"
};


fwd_rc_t
fwd_letter_code(uint64_t *min, uint64_t *max, const char *text)
{
    *min = 0;
    *max = UINT64_MAX;

    if (text == NULL) {
        return FWD_OK;
    }

    if (strlen(text) == 3 && text[0] >= '1' && text[0] <= '9'
        && strcmp(text + 1, "xx") == 0)
    {
        *min = (uint64_t) (text[0] - '0') * 100;
        *max = *min + 99;
        return FWD_OK;
    }

    if (fwd_units_number(min, text) != FWD_OK || *min > 999) {
        return FWD_ERROR;
    }

    *max = *min;

    return FWD_OK;
}


fwd_rc_t
fwd_letter_read(fwd_letter_t *letter, const redisReply *entry)
{
    int                n;
    size_t             i;
    const redisReply  *list;

    memset(letter->fields, 0, sizeof(letter->fields));

    if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2
        || entry->element[1]->type != REDIS_REPLY_ARRAY)
    {
        return FWD_ERROR;
    }

    letter->entry = entry->element[0]->str;
    list = entry->element[1];

    for (i = 0; i + 1 < list->elements; i += 2) {

        for (n = 0; n < FWD_LETTER_COUNT; n++) {
            if (strcmp(list->element[i]->str, fwd_letter_names[n]) == 0) {
                letter->fields[n] = list->element[i + 1];
                break;
            }
        }
    }

    return FWD_OK;
}


int
fwd_letter_matches(const fwd_letter_filter_t *filter,
    const fwd_letter_t *letter)
{
    size_t    i;
    uint64_t  age_ms, at_ms, code;

    if ((filter->dest && strcmp(filter->dest, letter->dest) != 0)
        || !fwd_letter_equals(letter, FWD_LETTER_CLASS, filter->class)
        || !fwd_letter_equals(letter, FWD_LETTER_REASON, filter->reason))
    {
        return 0;
    }

    code = fwd_letter_number(letter, FWD_LETTER_STATUS);

    if (code < filter->code_min || code > filter->code_max) {
        return 0;
    }

    at_ms = fwd_letter_at(letter);
    age_ms = filter->now_ms > at_ms ? filter->now_ms - at_ms : 0;

    if ((filter->older_ms != 0 && age_ms <= filter->older_ms)
        || (filter->newer_ms != 0 && age_ms >= filter->newer_ms))
    {
        return 0;
    }

    if (filter->ids == NULL || filter->ids->count == 0) {
        return 1;
    }

    for (i = 0; i < filter->ids->count; i++) {
        if (fwd_letter_is(letter, filter->ids->list[i])) {
            return 1;
        }
    }

    return 0;
}


static int
fwd_letter_equals(const fwd_letter_t *letter, fwd_letter_field_t field,
    const char *text)
{
    return text == NULL || strcmp(fwd_letter_text(letter, field), text) == 0;
}


/* A messageId, or a place with or without its destination. */

static int
fwd_letter_is(const fwd_letter_t *letter, const char *id)
{
    char    place[FWD_LETTER_PLACE_MAX];
    size_t  len;

    if (strcmp(fwd_letter_text(letter, FWD_LETTER_ID), id) == 0) {
        return 1;
    }

    (void) fwd_letter_place(place, letter);

    if (strcmp(place, id) == 0) {
        return 1;
    }

    len = strlen(letter->dest);

    return strncmp(id, letter->dest, len) == 0 && id[len] == '/'
           && strcmp(id + len + 1, place) == 0;
}


const char *
fwd_letter_text(const fwd_letter_t *letter, fwd_letter_field_t field)
{
    const redisReply  *reply;

    reply = letter->fields[field];

    return (reply != NULL && reply->str != NULL) ? reply->str : "";
}


const char *
fwd_letter_plain(char *out, const fwd_letter_t *letter,
    fwd_letter_field_t field)
{
    char  *p;

    (void) snprintf(out, FWD_LETTER_PLAIN_MAX, "%s",
                    fwd_letter_text(letter, field));

    for (p = out; *p != '\0'; p++) {
        if ((unsigned char) *p < 0x20 || *p == 0x7f) {
            *p = '?';
        }
    }

    return out;
}


uint64_t
fwd_letter_number(const fwd_letter_t *letter, fwd_letter_field_t field)
{
    return strtoull(fwd_letter_text(letter, field), NULL, 10);
}


/* A letter without "at" has died when it was written. */

uint64_t
fwd_letter_at(const fwd_letter_t *letter)
{
    uint64_t  at_ms;

    at_ms = fwd_letter_number(letter, FWD_LETTER_AT);

    return at_ms ? at_ms : strtoull(letter->entry, NULL, 10);
}


const char *
fwd_letter_place(char *out, const fwd_letter_t *letter)
{
    (void) snprintf(out, FWD_LETTER_PLACE_MAX, "%02" PRIu64 "/%s",
                    letter->shard, letter->entry);

    return out;
}


json_t *
fwd_letter_json(const fwd_letter_t *letter, fwd_letter_field_t field)
{
    size_t             len;
    json_t            *value;
    const char        *text;
    const redisReply  *reply;

    reply = letter->fields[field];
    text = fwd_letter_text(letter, field);
    len = reply ? (size_t) reply->len : 0;

    value = json_loadb(text, len, JSON_DECODE_ANY, NULL);

    if (value == NULL) {

        /* integers beyond 64 bits */

        value = json_loadb(text, len, JSON_DECODE_ANY
                                      | JSON_DECODE_INT_AS_REAL, NULL);
    }

    if (value == NULL) {
        value = json_stringn(text, len);
    }

    return value ? value : json_string("(not UTF-8)");
}
