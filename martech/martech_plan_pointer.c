
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * JSON pointers (RFC 6901) of nodes: of what is wrong in a plan, and of what
 * an event violates.
 */


#include <string.h>

#include "martech_plan_private.h"


#define MARTECH_PLAN_KEY_BUF  1024


/* Where a pointer is written; once something did not fit, nothing follows. */
typedef struct {
    char    *pos;
    char    *last;                       /* for the zero */
    unsigned  full:1;
} martech_plan_out_t;


static void martech_plan_out_start(martech_plan_out_t *out, char *buf,
    size_t size);
static size_t martech_plan_out_end(martech_plan_out_t *out, const char *buf);
static void martech_plan_out_char(martech_plan_out_t *out, const char *p,
    size_t n);
static void martech_plan_out_text(martech_plan_out_t *out, const char *text);
static void martech_plan_out_token(martech_plan_out_t *out,
    const unsigned char *data, size_t len);
static void martech_plan_out_name(martech_plan_out_t *out, martech_str_t name,
    int escaped);
static void martech_plan_out_index(martech_plan_out_t *out, uint32_t index);
static void martech_plan_out_path(martech_plan_out_t *out,
    const martech_json_tape_t *tape, uint32_t from, uint32_t node);
static void martech_plan_out_missing(martech_plan_out_t *out,
    const martech_json_tape_t *tape,
    const martech_plan_violation_t *violation);


size_t
martech_plan_pointer(const martech_event_t *ev,
    const martech_plan_violation_t *violation, char *out, size_t size)
{
    uint32_t                    node, context;
    martech_plan_out_t          o;
    const martech_json_tape_t  *tape;

    if (size == 0) {
        return 0;
    }

    tape = ev->batch->tape;
    node = violation->node;
    context = ev->batch->context;

    martech_plan_out_start(&o, out, size);

    if (node >= ev->node && node < tape->nodes[ev->node].next) {
        martech_plan_out_path(&o, tape, ev->node, node);

    } else if (context != MARTECH_JSON_NONE && node >= context
               && node < tape->nodes[context].next)
    {
        /* the batch's own context is that of each of its events */

        martech_plan_out_text(&o, "/context");
        martech_plan_out_path(&o, tape, context, node);
    }

    martech_plan_out_text(&o, violation->below);
    martech_plan_out_missing(&o, tape, violation);

    return martech_plan_out_end(&o, out);
}


size_t
martech_plan_path(const martech_json_tape_t *tape, uint32_t from,
    uint32_t node, char *out, size_t size)
{
    martech_plan_out_t  o;

    martech_plan_out_start(&o, out, size);
    martech_plan_out_path(&o, tape, from, node);

    return martech_plan_out_end(&o, out);
}


static void
martech_plan_out_start(martech_plan_out_t *out, char *buf, size_t size)
{
    out->pos = buf;
    out->last = buf + size - 1;
    out->full = 0;
}


static size_t
martech_plan_out_end(martech_plan_out_t *out, const char *buf)
{
    *out->pos = '\0';

    return (size_t) (out->pos - buf);
}


/* One character, or an escape: all of it or nothing. */

static void
martech_plan_out_char(martech_plan_out_t *out, const char *p, size_t n)
{
    if (out->full || (size_t) (out->last - out->pos) < n) {
        out->full = 1;
        return;
    }

    memcpy(out->pos, p, n);
    out->pos += n;
}


static void
martech_plan_out_text(martech_plan_out_t *out, const char *text)
{
    for ( /* void */ ; *text != '\0'; text++) {
        martech_plan_out_char(out, text, 1);
    }
}


static void
martech_plan_out_token(martech_plan_out_t *out, const unsigned char *data,
    size_t len)
{
    size_t                n;
    const unsigned char  *p, *end;

    martech_plan_out_char(out, "/", 1);

    end = data + len;

    for (p = data; p < end && !out->full; p += n) {
        n = 1;

        if (*p == '~') {
            martech_plan_out_char(out, "~0", 2);
            continue;
        }

        if (*p == '/') {
            martech_plan_out_char(out, "~1", 2);
            continue;
        }

        while (p + n < end && (p[n] & 0xc0) == 0x80) {
            n++;
        }

        martech_plan_out_char(out, (const char *) p, n);
    }
}


/* A longer name than the buffer is cut by most callers anyway. */

static void
martech_plan_out_name(martech_plan_out_t *out, martech_str_t name,
    int escaped)
{
    long           n;
    unsigned char  buf[MARTECH_PLAN_KEY_BUF];

    if (escaped && name.len <= sizeof(buf)) {
        n = martech_json_unescape(name, buf, sizeof(buf));

        if (n >= 0) {
            martech_plan_out_token(out, buf, (size_t) n);
            return;
        }
    }

    martech_plan_out_token(out, name.data, name.len);
}


static void
martech_plan_out_index(martech_plan_out_t *out, uint32_t index)
{
    char    buf[10];
    size_t  n;

    n = sizeof(buf);

    do {
        buf[--n] = (char) ('0' + index % 10);
        index /= 10;
    } while (index != 0);

    martech_plan_out_token(out, (const unsigned char *) buf + n,
                           sizeof(buf) - n);
}


/* Down from a node to one that is below it, or the same. */

static void
martech_plan_out_path(martech_plan_out_t *out,
    const martech_json_tape_t *tape, uint32_t from, uint32_t node)
{
    uint32_t                    i, n;
    martech_str_t               name;
    const martech_json_node_t  *nodes;

    nodes = tape->nodes;

    while (from < node) {
        n = 0;

        for (i = from + 1; nodes[i].next <= node; i = nodes[i].next) {
            n++;
        }

        if (nodes[from].kind == MARTECH_JSON_ARRAY) {
            martech_plan_out_index(out, n);

        } else {
            name.data = tape->text + nodes[i].key;
            name.len = nodes[i].key_len;

            martech_plan_out_name(out, name,
                                  nodes[i].flags & MARTECH_JSON_KEY_ESCAPED);
        }

        from = i;
    }
}


/*
 * The member that is missing or not allowed, unless the node is that member.
 * Names that point into the event's text are escaped as they stand there.
 */

static void
martech_plan_out_missing(martech_plan_out_t *out,
    const martech_json_tape_t *tape,
    const martech_plan_violation_t *violation)
{
    uintptr_t      data, text;
    martech_str_t  name;

    name = violation->name;

    if (name.len == 0) {
        return;
    }

    data = (uintptr_t) name.data;
    text = (uintptr_t) tape->text;

    if (data < text || data >= text + tape->len) {
        martech_plan_out_token(out, name.data, name.len);
        return;
    }

    if (data != text + tape->nodes[violation->node].key) {
        martech_plan_out_name(out, name,
                              memchr(name.data, '\\', name.len) != NULL);
    }
}
