
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Where references go: within the document, or to the meta-schemas, which
 * are read when the first reference to one is found.
 */


#include <stdlib.h>
#include <string.h>

#include "martech_schema_compile.h"


/* states of a schema in the search for cycles */
#define MARTECH_SCHEMA_UNSEEN   0
#define MARTECH_SCHEMA_OPEN     1
#define MARTECH_SCHEMA_SEEN     2


static int martech_schema_cycle(martech_schema_compiler_t *c,
    martech_schema_sub_t *sub, unsigned depth);


/* Reads a document of the meta-schemas. */

static int
martech_schema_meta_load(martech_schema_compiler_t *c, const char *text,
    const char *name)
{
    size_t                 len;
    martech_rc_t           rc;
    martech_str_t          uri, empty = martech_string("");
    martech_limits_t       limits;
    martech_json_tape_t    tape;
    martech_schema_doc_t  *doc;

    len = strlen(text);
    martech_limits_default(&limits);

    tape.nodes_max = (uint32_t) len;
    tape.nodes = malloc(len * sizeof(martech_json_node_t));
    if (tape.nodes == NULL) {
        return martech_schema_nomem(c);
    }

    doc = NULL;
    uri.data = (const unsigned char *) name;
    uri.len = strlen(name);
    uri = martech_schema_join(c->arena, uri, "", 0);

    rc = martech_json_scan(&tape, (const unsigned char *) text, len, &limits);

    if (rc == MARTECH_OK && uri.data != NULL) {

        /* pointers into it begin with "URI#" */

        *(unsigned char *) (uintptr_t) (uri.data + uri.len - 1) = '#';
        doc = martech_schema_doc(c, &tape, 0, uri);

    } else {
        (void) martech_schema_fail(c, empty, "the meta-schema %s cannot be "
                                   "read", name);
    }

    free(tape.nodes);

    return (doc != NULL) ? 0 : -1;
}


static martech_schema_resource_t *
martech_schema_resource_at(martech_schema_compiler_t *c, martech_str_t uri)
{
    martech_schema_resource_t  *r;

    for (r = c->resources; r != NULL; r = r->next) {

        if (r->uri.len == uri.len
            && (uri.len == 0 || memcmp(r->uri.data, uri.data, uri.len) == 0))
        {
            return r;
        }
    }

    return NULL;
}


/* The resource that a reference names, and the fragment within it. */

static martech_schema_resource_t *
martech_schema_ref_resource(martech_schema_compiler_t *c,
    const martech_schema_ref_t *ref, martech_str_t *fragment)
{
    const char                 *text, *name;
    martech_str_t               uri;
    martech_schema_resource_t  *r;

    uri.data = c->uri;

    if (martech_schema_uri_resolve(ref->sub->resource->uri, ref->text, c->uri,
                                   &uri.len, fragment)
        != 0)
    {
        (void) martech_schema_fail(c, ref->where, "is longer than %d bytes "
                                   "when it is resolved",
                                   MARTECH_SCHEMA_URI_MAX);
        return NULL;
    }

    r = martech_schema_resource_at(c, uri);
    if (r != NULL) {
        return r;
    }

    text = martech_schema_meta(uri, &name);

    if (text != NULL) {
        return (martech_schema_meta_load(c, text, name) == 0)
               ? martech_schema_resource_at(c, uri) : NULL;
    }

    (void) martech_schema_fail(c, ref->where, "refers to another document, "
               "\"%.*s\"; allowed are references within this document and to "
               "the meta-schemas of drafts 2020-12 and 07",
               (int) (uri.len < 80 ? uri.len : 80), (const char *) uri.data);

    return NULL;
}


static martech_schema_anchor_t *
martech_schema_anchor_at(martech_schema_compiler_t *c,
    const martech_schema_resource_t *resource, const char *name)
{
    size_t                    len;
    martech_schema_anchor_t  *a, *found;

    len = strlen(name);
    found = NULL;

    for (a = c->anchors; a != NULL; a = a->next) {

        /* of the two kinds with one name the dynamic one tells more */

        if (a->resource == resource && a->name.len == len
            && memcmp(a->name.data, name, len) == 0
            && (found == NULL || a->dynamic >= 0))
        {
            found = a;
        }
    }

    return found;
}


/* The node that a fragment names in a resource; -1: none. */

static int
martech_schema_fragment(martech_schema_compiler_t *c,
    const martech_schema_resource_t *r, martech_str_t fragment,
    uint32_t *node, int *anchor)
{
    char                      text[MARTECH_SCHEMA_URI_MAX];
    martech_schema_anchor_t  *a;

    *anchor = -1;
    *node = r->node;

    if (fragment.len == 0) {
        return 0;
    }

    if (martech_schema_uri_decode(fragment, text, sizeof(text)) != 0) {
        return -1;
    }

    if (text[0] == '/') {
        *node = martech_json_pointer(&r->doc->tape, r->node, text);

        return (*node != MARTECH_JSON_NONE) ? 0 : -1;
    }

    a = martech_schema_anchor_at(c, r, text);
    if (a == NULL) {
        return -1;
    }

    *node = a->node;
    *anchor = a->dynamic;

    return 0;
}


static int
martech_schema_ref_resolve(martech_schema_compiler_t *c,
    const martech_schema_ref_t *ref)
{
    int                         anchor;
    uint32_t                    node;
    martech_str_t               fragment, where;
    martech_schema_sub_t       *sub;
    martech_schema_resource_t  *r;

    r = martech_schema_ref_resource(c, ref, &fragment);
    if (r == NULL) {
        return -1;
    }

    if (martech_schema_fragment(c, r, fragment, &node, &anchor) != 0) {
        return martech_schema_fail(c, ref->where, "refers to \"%.*s\", which "
                   "is not there; a reference is \"#\", a pointer like "
                   "\"#/$defs/name\", an anchor, or an \"$id\"",
                   (int) (ref->text.len < 80 ? ref->text.len : 80),
                   (const char *) ref->text.data);
    }

    sub = r->doc->subs[node];

    if (sub == NULL) {
        where = martech_schema_pointer(c, r->doc, node);
        if (where.data == NULL) {
            return martech_schema_nomem(c);
        }

        sub = martech_schema_sub(c, r->doc, node, where, "false");
        if (sub == NULL) {
            return -1;
        }
    }

    if (ref->dynamic) {
        ref->sub->logic->dynamic = sub;
        ref->sub->logic->anchor = anchor;
        c->schema->dynamic = 1;

    } else {
        ref->sub->logic->ref = sub;
    }

    return 0;
}


/* Gives a resource its dynamic anchors, as schemas. */

static int
martech_schema_dynamic(martech_schema_compiler_t *c,
    martech_schema_resource_t *r)
{
    uint32_t                  n;
    martech_str_t             where;
    martech_schema_sub_t     *sub;
    martech_schema_anchor_t  *a;

    n = 0;

    for (a = c->anchors; a != NULL; a = a->next) {
        n += (a->resource == r && a->dynamic >= 0);
    }

    if (n == r->ndynamic) {
        return 0;
    }

    r->ndynamic = 0;
    r->dynamic = martech_schema_alloc(c->arena,
                                      n * sizeof(martech_schema_dynamic_t));
    if (r->dynamic == NULL) {
        return martech_schema_nomem(c);
    }

    for (a = c->anchors; a != NULL; a = a->next) {

        if (a->resource != r || a->dynamic < 0) {
            continue;
        }

        where = martech_schema_pointer(c, r->doc, a->node);
        if (where.data == NULL) {
            return martech_schema_nomem(c);
        }

        sub = martech_schema_sub(c, r->doc, a->node, where, "false");
        if (sub == NULL) {
            return -1;
        }

        r->dynamic[r->ndynamic].anchor = a->dynamic;
        r->dynamic[r->ndynamic++].sub = sub;
    }

    return 0;
}


int
martech_schema_link(martech_schema_compiler_t *c)
{
    martech_schema_ref_t       *ref;
    martech_schema_resource_t  *r;

    do {
        while (c->refs != NULL) {
            ref = c->refs;
            c->refs = ref->next;

            if (martech_schema_ref_resolve(c, ref) != 0
                || martech_schema_drain(c) != 0)
            {
                return -1;
            }
        }

        /* a schema that is found by its anchor alone may have references */

        for (r = c->resources; c->schema->dynamic && r != NULL; r = r->next) {

            if (martech_schema_dynamic(c, r) != 0) {
                return -1;
            }
        }

        if (martech_schema_drain(c) != 0) {
            return -1;
        }

    } while (c->refs != NULL);

    return 0;
}


/* Goes on with a schema that another applies to the same value. */

static int
martech_schema_cycle_next(martech_schema_compiler_t *c,
    martech_schema_sub_t *sub, martech_schema_sub_t *next, unsigned depth)
{
    if (next == NULL) {
        return 0;
    }

    if (martech_schema_cycle(c, next, depth + 1) != 0) {
        return -1;
    }

    if (next->height >= sub->height) {
        sub->height = (uint16_t) (next->height + 1);
    }

    return 0;
}


static int
martech_schema_cycle_list(martech_schema_compiler_t *c,
    martech_schema_sub_t *sub, const martech_schema_subs_t *subs,
    unsigned depth)
{
    uint32_t  i;

    for (i = 0; i < subs->count; i++) {

        if (martech_schema_cycle_next(c, sub, subs->list[i], depth) != 0) {
            return -1;
        }
    }

    return 0;
}


static int
martech_schema_cycle_parts(martech_schema_compiler_t *c,
    martech_schema_sub_t *sub, unsigned depth)
{
    uint32_t                       i;
    const martech_schema_logic_t  *l;

    l = sub->logic;

    if (l != NULL
        && (martech_schema_cycle_next(c, sub, l->ref, depth) != 0
            || martech_schema_cycle_next(c, sub, l->not, depth) != 0
            || martech_schema_cycle_next(c, sub, l->condition, depth) != 0
            || martech_schema_cycle_next(c, sub, l->then, depth) != 0
            || martech_schema_cycle_next(c, sub, l->otherwise, depth) != 0
            || martech_schema_cycle_list(c, sub, &l->all, depth) != 0
            || martech_schema_cycle_list(c, sub, &l->any, depth) != 0
            || martech_schema_cycle_list(c, sub, &l->one, depth) != 0))
    {
        return -1;
    }

    for (i = 0; sub->object != NULL && i < sub->object->ndependencies; i++) {

        if (martech_schema_cycle_next(c, sub,
                                      sub->object->dependencies[i].sub, depth)
            != 0)
        {
            return -1;
        }
    }

    return 0;
}


/*
 * Follows what is applied to the same value.  Dynamic references are not
 * followed, because they go elsewhere from elsewhere; those that never end
 * end at the depth of the evaluation.
 */

static int
martech_schema_cycle(martech_schema_compiler_t *c, martech_schema_sub_t *sub,
    unsigned depth)
{
    if (sub->state == MARTECH_SCHEMA_SEEN) {
        return 0;
    }

    if (sub->state == MARTECH_SCHEMA_OPEN) {
        return martech_schema_fail(c, sub->where, "refers to itself without "
                                   "going into the value");
    }

    sub->state = MARTECH_SCHEMA_OPEN;

    if (depth <= MARTECH_SCHEMA_NEST_MAX
        && martech_schema_cycle_parts(c, sub, depth) != 0)
    {
        return -1;
    }

    if (depth > MARTECH_SCHEMA_NEST_MAX
        || sub->height > MARTECH_SCHEMA_NEST_MAX)
    {
        return martech_schema_fail(c, sub->where, "is one of more than %d "
                                   "references or combinations in a row",
                                   MARTECH_SCHEMA_NEST_MAX);
    }

    sub->state = MARTECH_SCHEMA_SEEN;

    return 0;
}


int
martech_schema_cycles(martech_schema_compiler_t *c)
{
    martech_schema_sub_t  *sub;

    for (sub = c->done; sub != NULL; sub = sub->next) {

        if (martech_schema_cycle(c, sub, 0) != 0) {
            return -1;
        }
    }

    return 0;
}
