
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Private to the files of the dialects: objects built from flat names, where
 * each name must stand once and a dot may mean a member of a member.
 */


#ifndef _MARTECH_DIALECT_TREE_H_INCLUDED_
#define _MARTECH_DIALECT_TREE_H_INCLUDED_


#include "martech_dialect_map.h"


#define MARTECH_TREE_NODES_MAX  256      /* of one event, with those between */
#define MARTECH_TREE_DEPTH_MAX  6
#define MARTECH_TREE_NAME_MAX   160      /* bytes of a part of a name; escaped
                                            within the limit of readers */

#define MARTECH_TREE_ROOT       0


typedef struct {
    martech_str_t    name;
    martech_str_t    value;              /* no data: an object */
    martech_write_t  write;
    uint32_t         hash;
    uint16_t         first;              /* of its members; 0: none */
    uint16_t         last;
    uint16_t         next;               /* of the same object; 0: none */
    uint16_t         chain;              /* of the same bucket; 0: none */
    uint16_t         object;             /* whose member it is */
} martech_tree_node_t;


typedef struct {
    martech_tree_node_t  nodes[MARTECH_TREE_NODES_MAX];
    uint16_t             buckets[MARTECH_TREE_NODES_MAX];
    unsigned             count;
} martech_tree_t;


/* Begins with the root, an empty object. */
void martech_tree_init(martech_tree_t *tree);

/*
 * Adds a value below an object; of two with the same name the first one
 * stands.  With dots a name is a path.  The slices must stay.  Fails with
 * MARTECH_JSON_KEY_SIZE (also for a name that no reader could hold),
 * MARTECH_EVENT_SIZE (too many), and with MARTECH_REQUEST_FIELD for what is
 * both a value and an object.
 */
martech_rc_t martech_tree_add(martech_tree_t *tree, unsigned object,
    martech_str_t name, martech_str_t value, martech_write_t write, int dots)
    MARTECH_MUST_CHECK;

/* The object with a name below the root, made if need be; 0: no room, or it
   is a value. */
unsigned martech_tree_object(martech_tree_t *tree, martech_str_t name);

/* 1 if an object has members. */
int martech_tree_filled(const martech_tree_t *tree, unsigned object);

/* Writes the members of an object. */
martech_rc_t martech_tree_write(martech_translation_t *t,
    const martech_tree_t *tree, unsigned object) MARTECH_MUST_CHECK;


#endif /* _MARTECH_DIALECT_TREE_H_INCLUDED_ */
