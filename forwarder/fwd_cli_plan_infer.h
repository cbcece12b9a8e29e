
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What was seen of events, as far as a draft of a plan needs it.  Memory is
 * bounded by the number of different names, not by that of events.
 */


#ifndef _FWD_CLI_PLAN_INFER_H_INCLUDED_
#define _FWD_CLI_PLAN_INFER_H_INCLUDED_


#include "fwd_cli_plan.h"

#include "../martech/martech_event.h"


#define FWD_INFER_DEPTH_MAX   4          /* nested objects and lists */
#define FWD_INFER_FIELDS_MAX  512        /* of an object */
#define FWD_INFER_NODES_MAX   200000     /* of all */
#define FWD_INFER_VALUES_MAX  10         /* different ones of an enum */
#define FWD_INFER_VALUE_SIZE  48         /* of a value that is kept */
#define FWD_INFER_FORMATS     5


typedef enum {
    FWD_INFER_NULL = 0,
    FWD_INFER_BOOLEAN,
    FWD_INFER_INTEGER,
    FWD_INFER_NUMBER,
    FWD_INFER_STRING,
    FWD_INFER_ARRAY,
    FWD_INFER_OBJECT,
    FWD_INFER_KINDS
} fwd_infer_kind_t;


/* A property, or all entries of a list, or a whole object. */
typedef struct fwd_infer_field_s  fwd_infer_field_t;

struct fwd_infer_field_s {
    char                 *name;
    fwd_infer_field_t    *next;
    fwd_infer_field_t    *first;         /* properties of objects */
    fwd_infer_field_t    *last;
    fwd_infer_field_t    *items;         /* of lists */
    uint32_t              count;         /* of properties */
    uint64_t              object;        /* in which it was seen last */
    uint64_t              seen;          /* in so many objects */
    uint64_t              kinds[FWD_INFER_KINDS];
    unsigned              formats;       /* that all strings have, as bits */
    uint32_t              values_count;
    char                 *values[FWD_INFER_VALUES_MAX];
    unsigned              many:1;        /* values, or none to be kept */
    unsigned              personal:1;    /* a value was */
    unsigned              more:1;        /* properties than are kept */
};


/* An event by section and name. */
typedef struct fwd_infer_event_s  fwd_infer_event_t;

struct fwd_infer_event_s {
    const char           *section;
    char                 *name;
    fwd_infer_event_t    *next;
    fwd_infer_event_t    *bucket;
    uint64_t              seen;
    fwd_infer_field_t     root;          /* properties, or traits */
};


#define FWD_INFER_BUCKETS  4096

typedef struct {
    fwd_infer_event_t    *first;         /* in the order of coming */
    fwd_infer_event_t    *last;
    fwd_infer_event_t    *buckets[FWD_INFER_BUCKETS];
    uint32_t              events;
    uint32_t              nodes;
    uint64_t              objects;       /* seen, of all */
    uint64_t              ignored;       /* events: too many names, or a type
                                            that plans do not know */
} fwd_infer_t;


/* fwd_cli_plan_infer_seen.c: takes note of an event that was accepted. */
void fwd_infer_add(fwd_infer_t *in, const martech_event_t *event);
void fwd_infer_free(fwd_infer_t *in);

/* Names of formats, as the bits of a field. */
extern const char *const  fwd_infer_formats[FWD_INFER_FORMATS];

/*
 * fwd_cli_plan_infer_draft.c: the plan; least is from how many objects on
 * "always" counts.
 */
json_t *fwd_infer_draft(const fwd_infer_t *in, const char *name,
    uint64_t least);


#endif /* _FWD_CLI_PLAN_INFER_H_INCLUDED_ */
