
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Private to the files of the tracking plan: the compiled form, what reads
 * it, and the tables of names.
 */


#ifndef _MARTECH_PLAN_PRIVATE_H_INCLUDED_
#define _MARTECH_PLAN_PRIVATE_H_INCLUDED_


#include "martech.h"
#include "martech_json.h"
#include "martech_plan.h"
#include "martech_regex.h"
#include "martech_schema.h"
#include "martech_word.h"


#define martech_plan_bits_words(count)  (((count) + 63) / 64)
#define martech_plan_bit_set(bits, i)                                         \
    ((bits)[(i) >> 6] |= (uint64_t) 1 << ((i) & 63))
#define martech_plan_bit(bits, i)  ((bits)[(i) >> 6] >> ((i) & 63) & 1)


/* Names to numbers: open addressing, grows as names are added. */

typedef struct {
    martech_str_t  name;                 /* the adder's; data NULL: free */
    uint64_t       hash;
    int            value;
} martech_plan_slot_t;


typedef struct {
    martech_plan_slot_t  *slots;         /* NULL: no name */
    uint32_t              size;          /* a power of two */
    uint32_t              count;
} martech_plan_names_t;


/* One version of the schema of an entry. */

typedef struct {
    martech_str_t      name;
    martech_schema_t  *schema;
    martech_regex_t  **patterns;         /* of names that it plans, too */
    unsigned           npatterns;
    unsigned           open:1;           /* no name is unplanned here */
    unsigned           accepted:1;
    uint64_t          *planned;          /* bits of the entry's fields */
} martech_plan_shape_t;


typedef struct {
    martech_plan_entry_t   entry;        /* what others may see */
    martech_str_t          rename;       /* its name as JSON text */
    martech_plan_names_t   fields;       /* names to numbers of fields */
    martech_str_t         *field_names;
    martech_word_t        *field_words;  /* of these names */
    unsigned               nfields;
    martech_plan_shape_t  *shapes;       /* as in the file, oldest first */
    unsigned               nshapes;
    int                    newest;       /* accepted one, -1: no schema */
    unsigned               blocked:1;
} martech_plan_item_t;


/* The entries of one type of events. */

typedef struct {
    martech_plan_names_t   names;        /* to 2 * entry, + 1 of an alias */
    int                    other;        /* entry of all other names, or -1 */
    unsigned               governed:1;   /* the plan has this table */
} martech_plan_table_t;


typedef struct martech_plan_block_s  martech_plan_block_t;


struct martech_plan_s {
    martech_plan_block_t   *blocks;      /* see martech_plan_alloc() */
    martech_str_t           name;
    martech_str_t           version;
    char                    fingerprint[MARTECH_PLAN_FINGERPRINT + 1];
    martech_plan_action_t   unplanned_event;
    martech_plan_table_t    tables[MARTECH_EVENT_ALIAS + 1];
    martech_plan_item_t    *items;
    unsigned                nitems;
};


/* The members of a plan. */

enum {
    MARTECH_PLAN_F_FORMAT = 0,
    MARTECH_PLAN_F_NAME,
    MARTECH_PLAN_F_VERSION,
    MARTECH_PLAN_F_DRAFT,
    MARTECH_PLAN_F_FORMATS,
    MARTECH_PLAN_F_DEFAULTS,
    MARTECH_PLAN_F_DEFINITIONS,
    MARTECH_PLAN_F_EVENTS,
    MARTECH_PLAN_F_PAGES,
    MARTECH_PLAN_F_SCREENS,
    MARTECH_PLAN_F_TRAITS,

    MARTECH_PLAN_F_COUNT
};


/* What reads a file; it lives as long as martech_plan_compile(). */

typedef struct {
    martech_plan_t                 *plan;
    const martech_json_tape_t      *tape;
    martech_plan_error_t           *error;
    martech_schema_options_t        options;
    martech_plan_action_t           violation;           /* defaults */
    martech_plan_action_t           unplanned_property;
    martech_plan_names_t            aliases;    /* of all tables */

    uint32_t                        definitions;
    martech_plan_names_t            shared;     /* name to index below */
    uint32_t                       *nodes;      /* of the definitions */
    unsigned char                  *needed;     /* by the schema at hand */
    uint32_t                       *queue;

    unsigned char                  *text;       /* of the schema at hand */
    size_t                          text_size;
    martech_json_node_t            *text_nodes;
    uint32_t                        text_nodes_max;
    unsigned char                  *seen;       /* nodes of it */
} martech_plan_reader_t;


/* martech_plan_read.c: 0, or -1 and the reader's error is set */

int martech_plan_wrong(martech_plan_reader_t *r, uint32_t node,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int martech_plan_no_memory(martech_plan_reader_t *r);
int martech_plan_kind(martech_plan_reader_t *r, uint32_t node,
    martech_json_kind_t kind) MARTECH_MUST_CHECK;
int martech_plan_members(martech_plan_reader_t *r, uint32_t object,
    const char *const *names, unsigned count, uint32_t *nodes)
    MARTECH_MUST_CHECK;
int martech_plan_text(martech_plan_reader_t *r, uint32_t node, size_t max,
    martech_str_t *text) MARTECH_MUST_CHECK;
int martech_plan_key(martech_plan_reader_t *r, uint32_t node,
    martech_str_t *name) MARTECH_MUST_CHECK;
int martech_plan_word(martech_plan_reader_t *r, uint32_t node,
    martech_str_t word) MARTECH_MUST_CHECK;
int martech_plan_choice(martech_plan_reader_t *r, uint32_t node,
    const char *const *words, unsigned count, unsigned *choice)
    MARTECH_MUST_CHECK;
int martech_plan_action(martech_plan_reader_t *r, uint32_t node,
    martech_plan_action_t *action) MARTECH_MUST_CHECK;
int martech_plan_check_name(martech_plan_reader_t *r, uint32_t node,
    martech_str_t name) MARTECH_MUST_CHECK;

extern const char *const  martech_plan_actions[MARTECH_PLAN_REJECT + 1];
extern const char *const  martech_plan_priorities[MARTECH_PLAN_LOW + 1];


/* martech_plan_tables.c; m has the nodes of the plan's members */

int martech_plan_read_tables(martech_plan_reader_t *r, const uint32_t *m)
    MARTECH_MUST_CHECK;


/* martech_plan_entry.c: reads an entry; item is zeroed, its type and name
   are set */

int martech_plan_read_entry(martech_plan_reader_t *r, uint32_t node,
    martech_plan_item_t *item) MARTECH_MUST_CHECK;
void martech_plan_free_item(martech_plan_item_t *item);


/* martech_plan_versions.c: the members "properties", "versions", "accept" */

int martech_plan_read_versions(martech_plan_reader_t *r, uint32_t one,
    uint32_t many, uint32_t accept, martech_plan_item_t *item)
    MARTECH_MUST_CHECK;


/* martech_plan_schema.c */

int martech_plan_read_definitions(martech_plan_reader_t *r)
    MARTECH_MUST_CHECK;
int martech_plan_read_schema(martech_plan_reader_t *r, uint32_t node,
    martech_plan_item_t *item, martech_plan_shape_t *shape)
    MARTECH_MUST_CHECK;


/* martech_plan_fields.c: collects what the schema at node 0 of a tape plans;
   seen has a zeroed byte for each node */

int martech_plan_collect(martech_plan_reader_t *r,
    const martech_json_tape_t *tape, unsigned char *seen,
    martech_plan_item_t *item, martech_plan_shape_t *shape)
    MARTECH_MUST_CHECK;


/* martech_plan_check.c: adds to a verdict, unless the action is ACCEPT */

void martech_plan_note(martech_plan_verdict_t *verdict,
    martech_plan_action_t action, const martech_plan_violation_t *violation);
void martech_plan_note_rule(martech_plan_verdict_t *verdict,
    martech_plan_action_t action, const char *rule, uint32_t node);


/* martech_plan_hold.c: holds an event against the versions of its entry;
   stated is the one that it says it has, or -1 */

void martech_plan_hold(const martech_plan_item_t *item,
    const martech_event_t *ev, int stated, martech_plan_work_t *work,
    martech_plan_verdict_t *verdict);


/* martech_plan_names.c */

void *martech_plan_alloc(martech_plan_t *plan, size_t size);
                                         /* zeroed, freed with the plan */
void martech_plan_free_blocks(martech_plan_t *plan);
int martech_plan_names_add(martech_plan_names_t *names, martech_str_t name,
    int value) MARTECH_MUST_CHECK;       /* 1: is there, -1: no memory */
int martech_plan_names_find(const martech_plan_names_t *names,
    const unsigned char *data, size_t len);     /* value, -1: not there */
void martech_plan_names_free(martech_plan_names_t *names);


/* martech_plan_pointer.c */

/* The pointer of a node below another one; for cutting see
   martech_plan_pointer().  Names that are escaped and longer than 1024 bytes
   stay escaped. */
size_t martech_plan_path(const martech_json_tape_t *tape, uint32_t from,
    uint32_t node, char *out, size_t size);


#endif /* _MARTECH_PLAN_PRIVATE_H_INCLUDED_ */
