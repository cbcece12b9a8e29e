
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Finds what has a name in a document, in the places where schemas stand:
 * "$id" and "$schema" begin a resource, "$anchor" and "$dynamicAnchor" name
 * a schema in it.  An "$id" in a constant or under an unknown keyword is
 * none.
 */


#include <stdio.h>
#include <string.h>

#include "martech_schema_compile.h"


#define MARTECH_SCHEMA_NAMES_MAX    4096     /* resources and anchors */
#define MARTECH_SCHEMA_SEARCH_MAX   512      /* nested schemas */


static int martech_schema_search(martech_schema_compiler_t *c,
    martech_schema_doc_t *doc, uint32_t node,
    martech_schema_resource_t *resource, unsigned depth);
static int martech_schema_begin(martech_schema_compiler_t *c,
    martech_schema_doc_t *doc, uint32_t node,
    martech_schema_resource_t **resource);


size_t
martech_schema_index_text(uint32_t n, char out[16])
{
    return (size_t) snprintf(out, 16, "%u", (unsigned) n);
}


int
martech_schema_index(martech_schema_compiler_t *c, martech_schema_doc_t *doc)
{
    return martech_schema_search(c, doc, 0, NULL, 0);
}


martech_schema_resource_t *
martech_schema_resource(const martech_schema_doc_t *doc, uint32_t node)
{
    uint32_t  i;

    for (i = node; i > 0; i--) {

        if (doc->resources[i] != NULL && doc->tape.nodes[i].next > node) {
            return doc->resources[i];
        }
    }

    return doc->resources[0];
}


martech_str_t
martech_schema_pointer(martech_schema_compiler_t *c,
    const martech_schema_doc_t *doc, uint32_t node)
{
    char                         number[16];
    uint32_t                     at, i, n;
    martech_str_t                where, name;
    const martech_json_node_t   *nodes;

    nodes = doc->tape.nodes;
    where = doc->uri;

    for (at = 0; at != node && where.data != NULL; at = i) {
        n = 0;

        for (i = at + 1; nodes[i].next <= node; i = nodes[i].next) {
            n++;
        }

        if (nodes[at].kind == MARTECH_JSON_OBJECT) {
            name = martech_schema_key(c->arena, &doc->tape, i);

        } else {
            name.data = (unsigned char *) number;
            name.len = martech_schema_index_text(n, number);
        }

        if (name.data == NULL) {
            return name;
        }

        where = martech_schema_join(c->arena, where, name.data, name.len);
    }

    return where;
}


/* Tells an error about a member of the schema at a node. */

static int
martech_schema_fail_at(martech_schema_compiler_t *c,
    const martech_schema_doc_t *doc, uint32_t node, const char *reason)
{
    martech_str_t  where;

    where = martech_schema_pointer(c, doc, node);
    if (where.data == NULL) {
        return martech_schema_nomem(c);
    }

    return martech_schema_fail(c, where, "%s", reason);
}


/* A member that is a string, un-escaped; .data is NULL if there is none. */

static uint32_t
martech_schema_string_at(martech_schema_compiler_t *c,
    const martech_schema_doc_t *doc, uint32_t object, const char *name,
    martech_str_t *text)
{
    uint32_t                    node;
    const martech_json_tape_t  *tape;

    tape = &doc->tape;
    text->data = NULL;
    text->len = 0;

    node = martech_json_member(tape, object, name, strlen(name));

    if (node != MARTECH_JSON_NONE
        && tape->nodes[node].kind == MARTECH_JSON_STRING)
    {
        *text = martech_schema_text(c->arena, martech_json_slice(tape, node),
                                    tape->nodes[node].flags
                                    & MARTECH_JSON_VALUE_ESCAPED);
    }

    return node;
}


static int
martech_schema_anchor(martech_schema_compiler_t *c,
    const martech_schema_doc_t *doc, uint32_t node, uint32_t member,
    martech_schema_resource_t *resource, martech_str_t name, int dynamic)
{
    martech_schema_anchor_t  *anchor, *a;

    if (c->nnames++ == MARTECH_SCHEMA_NAMES_MAX) {
        return martech_schema_fail_at(c, doc, member,
                                      "too many anchors, at most 4096");
    }

    anchor = martech_schema_alloc(c->arena, sizeof(martech_schema_anchor_t));
    if (anchor == NULL) {
        return martech_schema_nomem(c);
    }

    anchor->resource = resource;
    anchor->name = name;
    anchor->node = node;
    anchor->dynamic = dynamic ? c->ndynamic : -1;

    for (a = c->anchors; a != NULL; a = a->next) {

        if (a->name.len != name.len
            || memcmp(a->name.data, name.data, name.len) != 0)
        {
            continue;
        }

        if (a->resource == resource && a->node != node) {
            return martech_schema_fail_at(c, doc, member, "stands twice in "
                                          "its document");
        }

        /* a name has one number everywhere */

        if (dynamic && a->dynamic >= 0) {
            anchor->dynamic = a->dynamic;
        }
    }

    c->ndynamic += (anchor->dynamic == c->ndynamic);
    anchor->next = c->anchors;
    c->anchors = anchor;

    return 0;
}


static int
martech_schema_anchors(martech_schema_compiler_t *c,
    const martech_schema_doc_t *doc, uint32_t node,
    martech_schema_resource_t *resource)
{
    uint32_t       member;
    martech_str_t  name;

    if (resource->draft == MARTECH_SCHEMA_07) {
        member = martech_schema_string_at(c, doc, node, "$id", &name);

        /* an "$id" that is a fragment is an anchor there */

        if (name.len < 2 || name.data[0] != '#') {
            return 0;
        }

        name.data++;
        name.len--;

        return martech_schema_anchor(c, doc, node, member, resource, name, 0);
    }

    member = martech_schema_string_at(c, doc, node, "$anchor", &name);

    if (name.data != NULL
        && martech_schema_anchor(c, doc, node, member, resource, name, 0) != 0)
    {
        return -1;
    }

    member = martech_schema_string_at(c, doc, node, "$dynamicAnchor", &name);

    if (name.data == NULL) {
        return 0;
    }

    return martech_schema_anchor(c, doc, node, member, resource, name, 1);
}


/* The draft of a resource: what "$schema" says, else what is around it. */

static int
martech_schema_draft(martech_schema_compiler_t *c,
    const martech_schema_doc_t *doc, uint32_t node,
    martech_schema_draft_t *draft)
{
    uint32_t       member;
    martech_str_t  text;

    static const char  new[] = "https://json-schema.org/draft/2020-12/schema";
    static const char  old[] = "http://json-schema.org/draft-07/schema";

    member = martech_schema_string_at(c, doc, node, "$schema", &text);

    if (text.data == NULL) {
        return 0;
    }

    if (text.len > 0 && text.data[text.len - 1] == '#') {
        text.len--;
    }

    if (text.len == sizeof(new) - 1 && memcmp(text.data, new, text.len) == 0)
    {
        *draft = MARTECH_SCHEMA_2020_12;
        return 0;
    }

    if (text.len == sizeof(old) - 1 && memcmp(text.data, old, text.len) == 0)
    {
        *draft = MARTECH_SCHEMA_07;
        return 0;
    }

    return martech_schema_fail_at(c, doc, member, "is not known; there are "
                   "\"https://json-schema.org/draft/2020-12/schema\" and "
                   "\"http://json-schema.org/draft-07/schema#\"");
}


/* Begins a resource if one begins at the schema. */

static int
martech_schema_begin(martech_schema_compiler_t *c, martech_schema_doc_t *doc,
    uint32_t node, martech_schema_resource_t **resource)
{
    size_t                      len;
    uint32_t                    member;
    unsigned char              *copy;
    martech_str_t               id, base, fragment;
    martech_schema_draft_t      draft;
    martech_schema_resource_t  *r;

    base.data = c->uri;
    base.len = 0;
    draft = c->draft;

    if (*resource != NULL) {
        base = (*resource)->uri;
        draft = (*resource)->draft;
    }

    member = martech_schema_string_at(c, doc, node, "$id", &id);

    if (*resource == NULL || id.data != NULL) {

        if (martech_schema_draft(c, doc, node, &draft) != 0) {
            return -1;
        }
    }

    /* of draft 07: "$ref" hides its neighbours, a fragment is an anchor */

    if (id.data != NULL && draft == MARTECH_SCHEMA_07
        && ((id.len > 0 && id.data[0] == '#')
            || martech_json_member(&doc->tape, node, "$ref", 4)
               != MARTECH_JSON_NONE))
    {
        id.data = NULL;
        id.len = 0;
    }

    if (*resource != NULL && id.data == NULL) {
        return 0;
    }

    if (martech_schema_uri_resolve(base, id, c->uri, &len, &fragment) != 0) {
        return martech_schema_fail_at(c, doc, member, "is longer than 2048 "
                                      "bytes when it is resolved");
    }

    if (fragment.len > 0 && draft == MARTECH_SCHEMA_2020_12) {
        return martech_schema_fail_at(c, doc, member, "may not have a "
                                      "fragment; use \"$anchor\"");
    }

    r = martech_schema_alloc(c->arena, sizeof(martech_schema_resource_t));
    copy = martech_schema_alloc(c->arena, len);

    if (r == NULL || copy == NULL) {
        return martech_schema_nomem(c);
    }

    memcpy(copy, c->uri, len);

    r->doc = doc;
    r->node = node;
    r->draft = draft;
    r->uri.data = copy;
    r->uri.len = len;
    r->next = c->resources;

    for ( /* void */ ; r->next != NULL; r->next = r->next->next) {

        if (r->next->uri.len == len && memcmp(r->next->uri.data, copy, len)
                                       == 0)
        {
            return martech_schema_fail_at(c, doc, member, "stands twice");
        }
    }

    if (c->nnames++ == MARTECH_SCHEMA_NAMES_MAX) {
        return martech_schema_fail_at(c, doc, member,
                                      "too many of \"$id\", at most 4096");
    }

    r->next = c->resources;
    c->resources = r;
    doc->resources[node] = r;
    *resource = r;

    return 0;
}


/* Searches the schemas in the value of a keyword. */

static int
martech_schema_search_in(martech_schema_compiler_t *c,
    martech_schema_doc_t *doc, uint32_t node, martech_schema_form_t form,
    martech_schema_resource_t *resource, unsigned depth)
{
    int                         kind;
    uint32_t                    i;
    const martech_json_node_t  *nodes;

    nodes = doc->tape.nodes;
    kind = nodes[node].kind;

    if (form == MARTECH_SCHEMA_FORM_SCHEMA
        || (form == MARTECH_SCHEMA_FORM_ITEMS && kind != MARTECH_JSON_ARRAY))
    {
        return martech_schema_search(c, doc, node, resource, depth);
    }

    for (i = node + 1; i < nodes[node].next; i = nodes[i].next) {

        if (martech_schema_search(c, doc, i, resource, depth) != 0) {
            return -1;
        }
    }

    return 0;
}


static int
martech_schema_search(martech_schema_compiler_t *c, martech_schema_doc_t *doc,
    uint32_t node, martech_schema_resource_t *resource, unsigned depth)
{
    uint32_t                         i;
    martech_str_t                    name;
    const martech_json_node_t       *nodes;
    const martech_schema_keyword_t  *keyword;

    nodes = doc->tape.nodes;

    if (node != 0 && nodes[node].kind != MARTECH_JSON_OBJECT) {
        return 0;
    }

    if (depth == MARTECH_SCHEMA_SEARCH_MAX) {
        return martech_schema_fail_at(c, doc, node, "schemas nest more than "
                                      "512 deep");
    }

    if (martech_schema_begin(c, doc, node, &resource) != 0) {
        return -1;
    }

    if (nodes[node].kind != MARTECH_JSON_OBJECT) {
        return 0;
    }

    if (martech_schema_anchors(c, doc, node, resource) != 0) {
        return -1;
    }

    for (i = node + 1; i < nodes[node].next; i = nodes[i].next) {

        name = martech_schema_key(c->arena, &doc->tape, i);
        if (name.data == NULL) {
            return martech_schema_nomem(c);
        }

        keyword = martech_schema_keyword(name, resource->draft);

        if (keyword != NULL && keyword->form >= MARTECH_SCHEMA_FORM_SCHEMA
            && martech_schema_search_in(c, doc, i, keyword->form, resource,
                                        depth + 1)
               != 0)
        {
            return -1;
        }
    }

    return 0;
}
