
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The tracking plan (docs/PLAN.md): what a source may send.  A plan is
 * compiled once; each event is then checked against it.
 */


#ifndef _MARTECH_PLAN_H_INCLUDED_
#define _MARTECH_PLAN_H_INCLUDED_


#include "martech.h"
#include "martech_event.h"
#include "martech_schema.h"


#define MARTECH_PLAN_SIZE_MAX       (16 * 1024 * 1024)
#define MARTECH_PLAN_EVENTS_MAX     10000
#define MARTECH_PLAN_VERSIONS_MAX   16       /* of an event, at once */
#define MARTECH_PLAN_VIOLATIONS     16       /* noted of an event */


/* What becomes of an event; a greater one wins. */
typedef enum {
    MARTECH_PLAN_ACCEPT = 0,
    MARTECH_PLAN_REPORT,                 /* stored, and said in the event */
    MARTECH_PLAN_QUARANTINE,             /* stored aside */
    MARTECH_PLAN_REJECT                  /* the sender is told */
} martech_plan_action_t;


typedef enum {
    MARTECH_PLAN_NORMAL = 0,
    MARTECH_PLAN_HIGH,
    MARTECH_PLAN_LOW
} martech_plan_priority_t;


typedef struct martech_plan_s  martech_plan_t;


typedef struct {
    char  pointer[512];                  /* in the file; "" = all of it */
    char  reason[256];
} martech_plan_error_t;


/* One violation of an event. */
typedef struct {
    const char    *rule;                 /* keyword of the schema, or
                                            "unplanned_event",
                                            "unplanned_property", "blocked",
                                            "version", "limit" */
    uint32_t       node;                 /* that is wrong */
    martech_str_t  name;                 /* see martech_schema_violation_t */
} martech_plan_violation_t;


/* What the plan says of an event. */
typedef struct {
    martech_plan_action_t      action;
    martech_plan_priority_t    priority;
    int                        entry;    /* number in the plan, -1: unplanned */
    martech_str_t              rename;   /* its name in the plan, as JSON text
                                            with quotes; empty: it is sent
                                            under that name already */
    martech_str_t              version;  /* that it was held against; into the
                                            plan, may be empty */
    martech_plan_violation_t   list[MARTECH_PLAN_VIOLATIONS];
    unsigned                   count;
    unsigned                   more:1;   /* than are noted */
} martech_plan_verdict_t;


/* The caller's; used again for each event. */
typedef struct {
    martech_schema_violation_t  violations[MARTECH_PLAN_VIOLATIONS];
    unsigned char               scratch[MARTECH_SCHEMA_SCRATCH];
} martech_plan_work_t;


/*
 * Compiles a plan.  NULL without memory or if it is wrong; error says where.
 * The text may go afterwards.  The caller frees it.
 */
martech_plan_t *martech_plan_compile(const unsigned char *text, size_t len,
    martech_plan_error_t *error) MARTECH_MUST_CHECK;
void martech_plan_free(martech_plan_t *plan);

/*
 * Checks an event that martech_event_check() has accepted.  Slices and nodes
 * of the verdict are good as long as plan and tape are.
 */
void martech_plan_check(const martech_plan_t *plan, const martech_event_t *ev,
    martech_plan_work_t *work, martech_plan_verdict_t *verdict);

/* The JSON pointer (RFC 6901) of a violation in its event; its length, cut at
   size - 1.  Written from the sender's names: not to be logged as it is. */
size_t martech_plan_pointer(const martech_event_t *ev,
    const martech_plan_violation_t *violation, char *out, size_t size);

/* The same for a node of the tape below the event. */

/*
 * Writes the members "plan" and, unless normal, "priority" of context.martech
 * as JSON text without a comma around them:
 *
 *     "plan":{"name":"shop","version":"7","event":"2","action":"report",
 *             "violations":[{"pointer":"/properties/price","rule":"type"}]},
 *     "priority":"high"
 *
 * Pointers are written as given by the callback-free martech_plan_pointer().
 * Returns the length; size must be MARTECH_PLAN_TEXT_MAX.
 */
#define MARTECH_PLAN_TEXT_MAX  16384
size_t martech_plan_write(const martech_plan_t *plan, const martech_event_t *ev,
    const martech_plan_verdict_t *verdict, char *out, size_t size);


/* What can be asked of a plan. */
martech_str_t martech_plan_name(const martech_plan_t *plan);
martech_str_t martech_plan_version(const martech_plan_t *plan);
unsigned martech_plan_entries(const martech_plan_t *plan);

typedef struct {
    martech_event_type_t     type;       /* TRACK, PAGE, SCREEN, IDENTIFY,
                                            GROUP */
    martech_str_t            name;       /* un-escaped; "" for traits */
    martech_str_t            description;
    martech_str_t            owner;
    martech_str_t            stage;      /* draft, live, deprecated, blocked */
    martech_str_t            retention;
    martech_plan_priority_t  priority;
    const martech_str_t     *aliases;
    unsigned                 naliases;
    const martech_str_t     *personal;   /* JSON pointers in the event */
    unsigned                 npersonal;
    const martech_schema_t  *schema;     /* of its newest version, or NULL */
} martech_plan_entry_t;

const martech_plan_entry_t *martech_plan_entry(const martech_plan_t *plan,
    unsigned number);


#endif /* _MARTECH_PLAN_H_INCLUDED_ */
