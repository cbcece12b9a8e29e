
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The payload of a webhook as JSON: most are, some come as a form, and some
 * put JSON into one field of a form.
 */


#include <string.h>

#include "martech_form.h"
#include "martech_hook_private.h"


typedef struct {
    martech_str_t  name;
    martech_str_t  value;
} martech_hook_pair_t;


static martech_rc_t martech_hook_payload_form(martech_hook_map_t *map,
    martech_str_t form);
static void martech_hook_payload_pairs(martech_json_writer_t *w,
    const martech_hook_pair_t *pairs, size_t n);
static int martech_hook_payload_same(const martech_hook_pair_t *a,
    const martech_hook_pair_t *b);


martech_rc_t
martech_hook_payload(martech_hook_map_t *map)
{
    martech_str_t                  value;
    const martech_str_t           *field;
    const martech_hook_request_t  *request;

    static const martech_str_t  nothing = martech_string("{}");

    request = map->request;
    field = &map->hook->scheme->field;

    if (request->body.len == 0) {

        if (request->args.len > 0 && map->hook->scheme->methods
            && map->hook->scheme->arg.len == 0)
        {
            return martech_hook_payload_form(map, request->args);
        }

        map->payload = nothing;
        return MARTECH_OK;
    }

    if (!martech_hook_is_form(request)) {
        map->payload = request->body;
        return MARTECH_OK;
    }

    if (field->len > 0) {
        value = martech_form_value(request->body, (const char *) field->data,
                                   field->len);
        if (value.data) {
            map->payload = martech_form_decode(value, request->scratch);
            return MARTECH_OK;
        }
    }

    return martech_hook_payload_form(map, request->body);
}


/* Members are texts; of a name that stands there several times, an array. */

static martech_rc_t
martech_hook_payload_form(martech_hook_map_t *map, martech_str_t text)
{
    size_t                n, used, skip;
    unsigned char        *room;
    martech_str_t         name, value;
    martech_form_t        form;
    martech_hook_pair_t  *pairs;
    martech_json_writer_t w;

    room = map->request->scratch;
    skip = (0 - (uintptr_t) room) % sizeof(void *);
    used = skip + MARTECH_HOOK_PAIRS * sizeof(martech_hook_pair_t);

    if (map->request->scratch_size < used + text.len) {
        return MARTECH_BATCH_SIZE;
    }

    pairs = (martech_hook_pair_t *) (room + skip);
    form.rest = text;
    n = 0;

    while (martech_form_next(&form, &name, &value)) {

        if (n == MARTECH_HOOK_PAIRS) {
            return MARTECH_JSON_TOKENS;
        }

        pairs[n].name = martech_form_decode(name, room + used);
        used += (pairs[n].name.data == room + used) ? pairs[n].name.len : 0;

        pairs[n].value = martech_form_decode(value, room + used);
        used += (pairs[n].value.data == room + used) ? pairs[n].value.len : 0;

        n++;
    }

    martech_json_writer_init(&w, room + used,
                             map->request->scratch_size - used);

    martech_hook_payload_pairs(&w, pairs, n);

    if (w.overflow) {
        return MARTECH_BATCH_SIZE;
    }

    map->payload.data = w.start;
    map->payload.len = (size_t) (w.pos - w.start);

    return MARTECH_OK;
}


static void
martech_hook_payload_pairs(martech_json_writer_t *w,
    const martech_hook_pair_t *pairs, size_t n)
{
    int     several;
    size_t  i, k;

    martech_json_begin(w, '{');

    for (i = 0; i < n; i++) {

        for (k = 0; k < i; k++) {
            if (martech_hook_payload_same(&pairs[k], &pairs[i])) {
                break;
            }
        }

        if (k < i) {
            continue;
        }

        several = 0;

        for (k = i + 1; k < n && !several; k++) {
            several = martech_hook_payload_same(&pairs[k], &pairs[i]);
        }

        martech_json_string(w, pairs[i].name.data, pairs[i].name.len);
        martech_json_bytes(w, ":", 1);
        w->comma = 0;

        if (!several) {
            martech_json_string(w, pairs[i].value.data, pairs[i].value.len);
            continue;
        }

        martech_json_begin(w, '[');

        for (k = i; k < n; k++) {
            if (martech_hook_payload_same(&pairs[k], &pairs[i])) {
                martech_json_string(w, pairs[k].value.data,
                                    pairs[k].value.len);
            }
        }

        martech_json_end(w, ']');
    }

    martech_json_end(w, '}');
}


static int
martech_hook_payload_same(const martech_hook_pair_t *a,
    const martech_hook_pair_t *b)
{
    return a->name.len == b->name.len
           && (a->name.len == 0
               || memcmp(a->name.data, b->name.data, a->name.len) == 0);
}
