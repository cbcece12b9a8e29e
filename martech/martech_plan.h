
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


#define MARTECH_PLAN_SIZE_MAX         (16 * 1024 * 1024)
#define MARTECH_PLAN_DEPTH_MAX        64
#define MARTECH_PLAN_EVENTS_MAX       10000  /* entries of all kinds */
#define MARTECH_PLAN_VERSIONS_MAX     16     /* of an event, at once */
#define MARTECH_PLAN_ALIASES_MAX      64     /* of an event */
#define MARTECH_PLAN_PERSONAL_MAX     256    /* of an event */
#define MARTECH_PLAN_DEFINITIONS_MAX  1000
#define MARTECH_PLAN_FIELDS_MAX       1024   /* top-level properties of an
                                                event, all versions */
#define MARTECH_PLAN_NAME_MAX         255    /* bytes of a name or alias */
#define MARTECH_PLAN_WORD_MAX         64     /* of the name of a plan, and of
                                                versions: [A-Za-z0-9_.-] */
#define MARTECH_PLAN_VIOLATIONS       16     /* noted of an event */
#define MARTECH_PLAN_POINTER_MAX      256    /* bytes of a pointer, written */
#define MARTECH_PLAN_FINGERPRINT      16     /* hex digits */

#define MARTECH_PLAN_FIELD_WORDS      (MARTECH_PLAN_FIELDS_MAX / 64)


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
                                            "version", "limit"; static */
    uint32_t       node;                 /* that is wrong */
    martech_str_t  name;                 /* of a member of it that is missing
                                            or not allowed, or empty; see
                                            martech_schema_violation_t */
    const char    *below;                /* "", or of an event without them
                                            "/properties" or "/traits": node
                                            is the event then */
} martech_plan_violation_t;


/* What the plan says of an event. */
typedef struct {
    martech_plan_action_t      action;
    martech_plan_priority_t    priority;
    int                        entry;    /* number in the plan, -1: none */
    martech_str_t              rename;   /* its name in the plan, as JSON text
                                            with quotes; empty: it is sent
                                            under that name already */
    martech_str_t              version;  /* that it was held against; into the
                                            plan, may be empty */
    martech_plan_violation_t   list[MARTECH_PLAN_VIOLATIONS];
    unsigned                   count;
    unsigned                   more:1;   /* than are noted */
    unsigned                   ungoverned:1;
                                         /* the plan says nothing of events of
                                            this type: nothing was checked */
    unsigned                   held:1;   /* against the schema of a version:
                                            martech_plan_nulls() counts */
    uint32_t                   named;    /* node of the value that names it
                                            (member "event" or "name"), what
                                            rename replaces; or
                                            MARTECH_JSON_NONE */
} martech_plan_verdict_t;


/* The caller's; used again for each event, by one thread at a time. */
typedef struct {
    martech_schema_violation_t  violations[MARTECH_PLAN_VIOLATIONS];
    unsigned char               scratch[MARTECH_SCHEMA_SCRATCH];

    /* private: of the event last checked, bits of the entry's fields */
    uint64_t                    sent[MARTECH_PLAN_FIELD_WORDS];
    uint64_t                    filled[MARTECH_PLAN_FIELD_WORDS];
    const uint64_t             *planned;
    unsigned                    patterns;     /* matches still allowed */
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

/*
 * Sets a bit for each of the entry's martech_plan_fields() that the version
 * of the event has and that is null or absent in it; clears the others.  Of
 * the event that was last checked with work, and of its verdict.  bits has
 * (fields + 63) / 64 words.  0 if verdict->held is not set: then the event
 * does not count, and bits is not touched.
 */
int martech_plan_nulls(const martech_plan_t *plan,
    const martech_plan_work_t *work, const martech_plan_verdict_t *verdict,
    uint64_t *bits);

/*
 * The JSON pointer (RFC 6901) of a violation in its event, ended by a zero;
 * its length, cut at size - 1 or before, between two characters.  Written
 * from the sender's names: not to be logged as it is.
 */
size_t martech_plan_pointer(const martech_event_t *ev,
    const martech_plan_violation_t *violation, char *out, size_t size);

/* Makes a pointer fit to be shown; martech_privacy_text() is one. */
typedef size_t (*martech_plan_clean_pt)(const char *text, size_t len,
    char *out, size_t size);

/*
 * Writes the members "plan" and, unless normal, "priority" of context.martech
 * as JSON text without a comma around them:
 *
 *     "plan":{"name":"shop","version":"7","event":"2","action":"report",
 *             "violations":[{"pointer":"/properties/price","rule":"type"}]},
 *     "priority":"high"
 *
 * "event" is the version of the event's schema, and left out if there is
 * none; "violations" if there are none; "more":true follows them if there are
 * others.  Pointers are cut at MARTECH_PLAN_POINTER_MAX and go through clean
 * unless it is NULL.  Returns the length; size must be MARTECH_PLAN_TEXT_MAX.
 */
#define MARTECH_PLAN_TEXT_MAX  16384
size_t martech_plan_write(const martech_plan_t *plan, const martech_event_t *ev,
    const martech_plan_verdict_t *verdict, martech_plan_clean_pt clean,
    char *out, size_t size);


/* What can be asked of a plan. */
martech_str_t martech_plan_name(const martech_plan_t *plan);
martech_str_t martech_plan_version(const martech_plan_t *plan);
unsigned martech_plan_entries(const martech_plan_t *plan);

/* Of its text: the first 8 bytes of the SHA-256, in hex, ended by a zero. */
const char *martech_plan_fingerprint(const martech_plan_t *plan);

typedef struct {
    martech_event_type_t     type;       /* TRACK, PAGE, SCREEN, IDENTIFY,
                                            GROUP */
    martech_str_t            name;       /* un-escaped; "" for traits, "*" for
                                            all other pages or screens */
    martech_str_t            description;
    martech_str_t            owner;
    martech_str_t            stage;      /* draft, live, deprecated, blocked */
    martech_str_t            retention;
    martech_plan_priority_t  priority;
    martech_plan_action_t    violation;
    martech_plan_action_t    unplanned_property;
    const martech_str_t     *aliases;
    unsigned                 naliases;
    const martech_str_t     *personal;   /* JSON pointers in the event; a part
                                            may be "*" or "**" */
    unsigned                 npersonal;
    const martech_schema_t  *schema;     /* of its newest accepted version, or
                                            NULL */
} martech_plan_entry_t;

/* Entries are numbered from 0: events, pages, screens, traits. */
const martech_plan_entry_t *martech_plan_entry(const martech_plan_t *plan,
    unsigned number);

/* The number of an entry by its type and a name or alias, -1 if none. */
int martech_plan_find(const martech_plan_t *plan, martech_event_type_t type,
    martech_str_t name);

/*
 * The top-level properties (of traits: traits) that the schemas of an entry's
 * accepted versions name, un-escaped, at most MARTECH_PLAN_FIELDS_MAX.
 */
unsigned martech_plan_fields(const martech_plan_t *plan, unsigned number);
martech_str_t martech_plan_field(const martech_plan_t *plan, unsigned number,
    unsigned field);

/* The word of an action ("report") or priority ("high"); static. */
const char *martech_plan_action_name(martech_plan_action_t action);
const char *martech_plan_priority_name(martech_plan_priority_t priority);

/*
 * Rules as small numbers, for counters: below MARTECH_PLAN_RULES.  One that
 * the table does not know is the last, "other".
 */
#define MARTECH_PLAN_RULES  49

unsigned martech_plan_rule(const char *rule);
const char *martech_plan_rule_name(unsigned rule);


#endif /* _MARTECH_PLAN_H_INCLUDED_ */
