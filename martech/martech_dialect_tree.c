
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Objects built from flat names.  All members stand in one table of buckets, by
 * their object and name.
 */


#include <string.h>

#include "martech_dialect_tree.h"
#include "martech_word.h"


static unsigned martech_tree_child(martech_tree_t *tree, unsigned object,
    martech_str_t name, int *found);
static int martech_tree_name_valid(martech_str_t name);


void
martech_tree_init(martech_tree_t *tree)
{
    memset(&tree->nodes[MARTECH_TREE_ROOT], 0, sizeof(martech_tree_node_t));
    memset(tree->buckets, 0, sizeof(tree->buckets));
    tree->count = 1;
}


martech_rc_t
martech_tree_add(martech_tree_t *tree, unsigned object, martech_str_t name,
    martech_str_t value, martech_write_t write, int dots)
{
    int                   found;
    unsigned              depth, child;
    martech_str_t         part;
    const unsigned char  *dot;

    for (depth = 0; ; depth++) {
        part = name;
        dot = (dots && depth < MARTECH_TREE_DEPTH_MAX && name.len > 0)
              ? memchr(name.data, '.', name.len) : NULL;

        /* a name that begins or ends with a dot is no path */

        if (dot == name.data || dot == name.data + name.len - 1) {
            dot = NULL;
        }

        if (dot) {
            part.len = (size_t) (dot - name.data);
        }

        if (!martech_tree_name_valid(part)) {
            return MARTECH_JSON_KEY_SIZE;
        }

        child = martech_tree_child(tree, object, part, &found);

        if (child == 0) {
            return MARTECH_EVENT_SIZE;
        }

        if (dot == NULL) {
            break;
        }

        if (tree->nodes[child].value.data) {
            return MARTECH_REQUEST_FIELD;
        }

        object = child;
        name.len -= part.len + 1;
        name.data = dot + 1;
    }

    if (found) {
        return tree->nodes[child].value.data ? MARTECH_OK
                                             : MARTECH_REQUEST_FIELD;
    }

    tree->nodes[child].value = value;
    tree->nodes[child].write = write;

    return MARTECH_OK;
}


unsigned
martech_tree_object(martech_tree_t *tree, martech_str_t name)
{
    int       found;
    unsigned  child;

    child = martech_tree_child(tree, MARTECH_TREE_ROOT, name, &found);

    return (child && tree->nodes[child].value.data) ? 0 : child;
}


/* The member of an object, made if need be; 0: there is no room. */

static unsigned
martech_tree_child(martech_tree_t *tree, unsigned object, martech_str_t name,
    int *found)
{
    unsigned              i;
    uint16_t             *bucket;
    uint32_t              hash;
    martech_tree_node_t  *node, *parent;

    parent = &tree->nodes[object];
    hash = martech_word_hash(martech_word(name.data, name.len), name.len);
    bucket = &tree->buckets[(hash ^ object) % MARTECH_TREE_NODES_MAX];

    for (i = *bucket; i; i = tree->nodes[i].chain) {
        node = &tree->nodes[i];

        if (node->hash == hash && node->object == object
            && node->name.len == name.len
            && memcmp(node->name.data, name.data, name.len) == 0)
        {
            *found = 1;
            return i;
        }
    }

    *found = 0;

    if (tree->count == MARTECH_TREE_NODES_MAX) {
        return 0;
    }

    i = tree->count++;
    node = &tree->nodes[i];

    memset(node, 0, sizeof(martech_tree_node_t));
    node->name = name;
    node->hash = hash;
    node->object = (uint16_t) object;
    node->chain = *bucket;
    *bucket = (uint16_t) i;

    if (parent->first) {
        tree->nodes[parent->last].next = (uint16_t) i;

    } else {
        parent->first = (uint16_t) i;
    }

    parent->last = (uint16_t) i;

    return i;
}


/* The scanner refuses documents that have longer ones, or a NUL in one. */

static int
martech_tree_name_valid(martech_str_t name)
{
    return name.len <= MARTECH_TREE_NAME_MAX
           && (name.len == 0 || memchr(name.data, '\0', name.len) == NULL);
}


int
martech_tree_filled(const martech_tree_t *tree, unsigned object)
{
    return tree->nodes[object].first != 0;
}


martech_rc_t
martech_tree_write(martech_translation_t *t, const martech_tree_t *tree,
    unsigned object)
{
    unsigned                    i;
    martech_rc_t                rc;
    const martech_tree_node_t  *node;

    for (i = tree->nodes[object].first; i; i = tree->nodes[i].next) {
        node = &tree->nodes[i];

        martech_dialect_name(t, node->name);

        if (node->value.data) {
            rc = martech_dialect_value(t, node->value, node->write);

        } else {
            martech_json_begin(&t->out, '{');
            rc = martech_tree_write(t, tree, i);
            martech_json_end(&t->out, '}');
        }

        if (rc != MARTECH_OK) {
            return rc;
        }
    }

    return MARTECH_OK;
}
