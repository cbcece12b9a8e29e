
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The schemas of a plan.  Each is compiled as a document of its own, which is
 * its text plus the shared definitions that it needs: so "#/definitions/x"
 * finds them, and "#" and every other pointer mean what they mean in a file
 * that holds nothing but the schema.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "martech_plan_private.h"


#define MARTECH_PLAN_REF_MAX  256        /* bytes of a definition's name */


static const martech_str_t  martech_plan_definitions =
    martech_string("definitions");


static int martech_plan_need(martech_plan_reader_t *r, uint32_t node,
    uint32_t own, unsigned *count);
static void martech_plan_scan_refs(martech_plan_reader_t *r, uint32_t node,
    unsigned *count);
static int martech_plan_ref(martech_plan_reader_t *r, uint32_t node,
    unsigned char *name, size_t *len);
static int martech_plan_unhex(unsigned char c);
static int martech_plan_room(martech_plan_reader_t *r, size_t size,
    uint32_t nodes);
static size_t martech_plan_compose(martech_plan_reader_t *r, uint32_t node,
    uint32_t own, unsigned count);
static unsigned char *martech_plan_put(unsigned char *p, const void *data,
    size_t len);
static int martech_plan_compile_schema(martech_plan_reader_t *r,
    uint32_t node, uint32_t own, size_t len, martech_plan_item_t *item,
    martech_plan_shape_t *shape);
static int martech_plan_schema_wrong(martech_plan_reader_t *r, uint32_t node,
    uint32_t own, const martech_schema_error_t *error);


/*
 * Each definition is compiled once by itself: so a wrong one is found even
 * if no event uses it.
 */

int
martech_plan_read_definitions(martech_plan_reader_t *r)
{
    uint32_t                    i, n, count;
    martech_str_t               name;
    martech_plan_shape_t        shape;
    const martech_json_node_t  *nodes;

    if (r->definitions == MARTECH_JSON_NONE) {
        return 0;
    }

    if (martech_plan_kind(r, r->definitions, MARTECH_JSON_OBJECT) == -1) {
        return -1;
    }

    nodes = r->tape->nodes;
    count = nodes[r->definitions].count;

    if (count > MARTECH_PLAN_DEFINITIONS_MAX) {
        return martech_plan_wrong(r, r->definitions, "has %u definitions, "
                                  "more than the %d that are allowed", count,
                                  MARTECH_PLAN_DEFINITIONS_MAX);
    }

    r->nodes = martech_plan_alloc(r->plan, (count + 1) * sizeof(uint32_t));
    r->queue = martech_plan_alloc(r->plan, (count + 1) * sizeof(uint32_t));
    r->needed = martech_plan_alloc(r->plan, count + 1);

    if (r->nodes == NULL || r->queue == NULL || r->needed == NULL) {
        return martech_plan_no_memory(r);
    }

    n = 0;

    for (i = r->definitions + 1; i < nodes[r->definitions].next;
         i = nodes[i].next)
    {
        if (martech_plan_key(r, i, &name) == -1) {
            return -1;
        }

        if (name.len == 0 || name.len > MARTECH_PLAN_REF_MAX) {
            return martech_plan_wrong(r, i, "has a name of %zu bytes; 1 to %d "
                                      "are allowed", name.len,
                                      MARTECH_PLAN_REF_MAX);
        }

        if (martech_plan_names_add(&r->shared, name, (int) n) != 0) {
            return martech_plan_no_memory(r);
        }

        r->nodes[n++] = i;
    }

    for (i = 0; i < n; i++) {
        memset(&shape, 0, sizeof(martech_plan_shape_t));

        if (martech_plan_read_schema(r, r->nodes[i], NULL, &shape) == -1) {
            return -1;
        }

        martech_schema_free(shape.schema);
    }

    return 0;
}


/* item is NULL for a definition, whose properties are no fields. */

int
martech_plan_read_schema(martech_plan_reader_t *r, uint32_t node,
    martech_plan_item_t *item, martech_plan_shape_t *shape)
{
    size_t    size, len;
    uint32_t  own, nodes, i;
    unsigned  count, k;

    own = martech_json_member(r->tape, node,
                              (const char *) martech_plan_definitions.data,
                              martech_plan_definitions.len);
    count = 0;

    if (r->shared.count > 0 && martech_plan_need(r, node, own, &count) == -1) {
        return -1;
    }

    size = r->tape->nodes[node].len + 64;
    nodes = r->tape->nodes[node].next - node + 1;

    for (k = 0; k < count; k++) {
        i = r->nodes[r->queue[k]];

        size += martech_json_text(r->tape, i).len + 4
                + r->tape->nodes[i].key_len;
        nodes += r->tape->nodes[i].next - i;
    }

    if (martech_plan_room(r, size, nodes) == -1) {
        return martech_plan_no_memory(r);
    }

    len = martech_plan_compose(r, node, own, count);

    return martech_plan_compile_schema(r, node, own, len, item, shape);
}


/* Puts the definitions that a schema needs, at any remove, into the queue. */

static int
martech_plan_need(martech_plan_reader_t *r, uint32_t node, uint32_t own,
    unsigned *count)
{
    uint32_t                    i;
    unsigned                    k;
    martech_str_t               name;
    const martech_json_node_t  *nodes;

    nodes = r->tape->nodes;
    memset(r->needed, 0, nodes[r->definitions].count);

    if (own != MARTECH_JSON_NONE && nodes[own].kind == MARTECH_JSON_OBJECT) {

        for (i = own + 1; i < nodes[own].next; i = nodes[i].next) {

            if (martech_plan_key(r, i, &name) == -1) {
                return -1;
            }

            if (martech_plan_names_find(&r->shared, name.data, name.len)
                != -1)
            {
                return martech_plan_wrong(r, i, "has the name of one of the "
                                          "plan's own definitions; each name "
                                          "must have one meaning");
            }
        }

    } else if (own != MARTECH_JSON_NONE) {
        return 0;       /* the schema is wrong, and the compiler says so */
    }

    martech_plan_scan_refs(r, node, count);

    for (k = 0; k < *count; k++) {
        martech_plan_scan_refs(r, r->nodes[r->queue[k]], count);
    }

    return 0;
}


static void
martech_plan_scan_refs(martech_plan_reader_t *r, uint32_t node,
    unsigned *count)
{
    int                         n;
    size_t                      len;
    uint32_t                    i;
    unsigned char               name[MARTECH_PLAN_REF_MAX];
    const martech_json_node_t  *nodes;

    nodes = r->tape->nodes;

    for (i = node + 1; i < nodes[node].next; i++) {

        if (nodes[i].kind != MARTECH_JSON_STRING
            || (!martech_json_name_is(r->tape, i, "$ref", 4)
                && !martech_json_name_is(r->tape, i, "$dynamicRef", 11))
            || !martech_plan_ref(r, i, name, &len))
        {
            continue;
        }

        n = martech_plan_names_find(&r->shared, name, len);

        if (n != -1 && !r->needed[n]) {
            r->needed[n] = 1;
            r->queue[(*count)++] = (uint32_t) n;
        }
    }
}


/*
 * The name in a reference "#/definitions/NAME" or below it: a URI fragment
 * (percent-encoding) that holds a pointer (~0 and ~1).
 */

static int
martech_plan_ref(martech_plan_reader_t *r, uint32_t node,
    unsigned char *name, size_t *len)
{
    int              hi, lo;
    long             n, i;
    size_t           used;
    unsigned char    c, text[MARTECH_PLAN_REF_MAX * 3];
    static const char  head[] = "#/definitions/";

    n = martech_json_unescape(martech_json_slice(r->tape, node), text,
                              sizeof(text));
    used = 0;

    if (n < (long) sizeof(head)
        || memcmp(text, head, sizeof(head) - 1) != 0)
    {
        return 0;
    }

    for (i = (long) sizeof(head) - 1; i < n && text[i] != '/'; i++) {
        c = text[i];

        if (c == '%' && i + 2 < n) {
            hi = martech_plan_unhex(text[i + 1]);
            lo = martech_plan_unhex(text[i + 2]);

            if (hi >= 0 && lo >= 0) {
                c = (unsigned char) (hi * 16 + lo);
                i += 2;
            }
        }

        if (c == '~' && i + 1 < n
            && (text[i + 1] == '0' || text[i + 1] == '1'))
        {
            c = (text[i + 1] == '0') ? '~' : '/';
            i++;
        }

        if (used == MARTECH_PLAN_REF_MAX) {
            return 0;
        }

        name[used++] = c;
    }

    *len = used;

    return 1;
}


static int
martech_plan_unhex(unsigned char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}


static int
martech_plan_room(martech_plan_reader_t *r, size_t size, uint32_t nodes)
{
    if (size > r->text_size) {
        free(r->text);
        r->text_size = 0;

        r->text = malloc(size);
        if (r->text == NULL) {
            return -1;
        }

        r->text_size = size;
    }

    if (nodes > r->text_nodes_max) {
        free(r->text_nodes);
        free(r->seen);
        r->text_nodes_max = 0;

        r->text_nodes = malloc(nodes * sizeof(martech_json_node_t));
        r->seen = malloc(nodes);

        if (r->text_nodes == NULL || r->seen == NULL) {
            return -1;
        }

        r->text_nodes_max = nodes;
    }

    return 0;
}


static size_t
martech_plan_compose(martech_plan_reader_t *r, uint32_t node, uint32_t own,
    unsigned count)
{
    unsigned                    k;
    uint32_t                    d, into;
    martech_str_t               text, value;
    unsigned char              *p;
    const unsigned char        *at;
    const martech_json_node_t  *nodes;

    nodes = r->tape->nodes;
    text = martech_json_text(r->tape, node);

    if (count == 0 || nodes[node].kind != MARTECH_JSON_OBJECT) {
        memcpy(r->text, text.data, text.len);
        return text.len;
    }

    /* in front of the closing bracket of the object that they go into */

    into = (own != MARTECH_JSON_NONE) ? own : node;
    value = martech_json_text(r->tape, into);
    at = value.data + value.len - 1;

    p = martech_plan_put(r->text, text.data, (size_t) (at - text.data));

    if (nodes[into].count > 0) {
        p = martech_plan_put(p, ",", 1);
    }

    if (own == MARTECH_JSON_NONE) {
        p = martech_plan_put(p, "\"definitions\":{", 15);
    }

    for (k = 0; k < count; k++) {
        d = r->nodes[r->queue[k]];
        value = martech_json_text(r->tape, d);

        p = martech_plan_put(p, k > 0 ? ",\"" : "\"", k > 0 ? 2 : 1);
        p = martech_plan_put(p, r->tape->text + nodes[d].key,
                             nodes[d].key_len);
        p = martech_plan_put(p, "\":", 2);
        p = martech_plan_put(p, value.data, value.len);
    }

    if (own == MARTECH_JSON_NONE) {
        p = martech_plan_put(p, "}", 1);
    }

    p = martech_plan_put(p, at, (size_t) (text.data + text.len - at));

    return (size_t) (p - r->text);
}


static unsigned char *
martech_plan_put(unsigned char *p, const void *data, size_t len)
{
    memcpy(p, data, len);

    return p + len;
}


static int
martech_plan_compile_schema(martech_plan_reader_t *r, uint32_t node,
    uint32_t own, size_t len, martech_plan_item_t *item,
    martech_plan_shape_t *shape)
{
    martech_limits_t        limits;
    martech_json_tape_t     tape;
    martech_schema_error_t  error;

    martech_limits_default(&limits);
    limits.depth_max = MARTECH_PLAN_DEPTH_MAX;
    limits.key_size_max = UINT16_MAX;
    limits.string_size_max = UINT32_MAX;

    memset(&tape, 0, sizeof(martech_json_tape_t));
    tape.nodes = r->text_nodes;
    tape.nodes_max = r->text_nodes_max;

    if (martech_json_scan(&tape, r->text, len, &limits) != MARTECH_OK) {

        /* shared definitions lie one level deeper than in the file */

        return martech_plan_wrong(r, node, "is nested too deeply; a schema "
                                  "with its definitions may have %d levels",
                                  MARTECH_PLAN_DEPTH_MAX);
    }

    memset(&error, 0, sizeof(martech_schema_error_t));

    shape->schema = martech_schema_compile(&tape, 0, &r->options, &error);

    if (shape->schema == NULL) {
        return martech_plan_schema_wrong(r, node, own, &error);
    }

    if (item == NULL) {
        return 0;
    }

    memset(r->seen, 0, tape.nodes_count);

    return martech_plan_collect(r, &tape, r->seen, item, shape);
}


/*
 * Where a schema is wrong, in terms of the plan: below the schema, or below
 * the definition that was put into it.
 */

static int
martech_plan_schema_wrong(martech_plan_reader_t *r, uint32_t node,
    uint32_t own, const martech_schema_error_t *error)
{
    size_t             n;
    const char        *p;
    static const char  head[] = "/definitions/";

    (void) martech_plan_wrong(r, node, "%s", error->reason);

    p = error->pointer;

    if (strncmp(p, head, sizeof(head) - 1) == 0
        && (own == MARTECH_JSON_NONE
            || martech_json_pointer(r->tape, node, p) == MARTECH_JSON_NONE))
    {
        r->error->pointer[0] = '\0';
    }

    n = strlen(r->error->pointer);
    (void) snprintf(r->error->pointer + n, sizeof(r->error->pointer) - n,
                    "%s", p);

    return -1;
}
