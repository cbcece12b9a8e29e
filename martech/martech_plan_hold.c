
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Holding the properties of an event against the versions of its entry.
 * Nothing is allocated, and the cost has bounds that no sender moves: the
 * steps of a schema, shared by all versions that are tried, and a number of
 * matches of names with patterns.
 */


#include <string.h>

#include "martech_field.h"
#include "martech_plan_private.h"


#define MARTECH_PLAN_MATCHES  10000      /* names against patterns */
#define MARTECH_PLAN_AHEAD    3          /* fields that are tried */


/* The properties of an event, which an event need not have. */
typedef struct {
    const martech_json_tape_t   *tape;
    uint32_t                     node;
    uint32_t                     culprit;   /* the event itself, and "" or */
    const char                  *below;     /* "/properties" if it has none */
    unsigned                     others;    /* members that are no fields */
    unsigned                     seen:1;    /* "others" and the work's bits
                                               are those of the subject */
} martech_plan_subject_t;


static const martech_json_node_t  martech_plan_empty_node = {
    .len = 2, .next = 1, .kind = MARTECH_JSON_OBJECT
};

static const martech_json_tape_t  martech_plan_empty = {
    .nodes = (martech_json_node_t *) &martech_plan_empty_node,
    .nodes_max = 1, .nodes_count = 1,
    .text = (const unsigned char *) "{}", .len = 2
};


static void martech_plan_subject(const martech_event_t *ev,
    martech_plan_subject_t *subject);
static void martech_plan_look(const martech_plan_item_t *item,
    martech_plan_work_t *work, martech_plan_subject_t *subject);
static inline int martech_plan_member_name(const martech_json_tape_t *tape,
    uint32_t node, martech_plan_work_t *work, martech_str_t *name);
static int martech_plan_hold_one(const martech_plan_item_t *item,
    const martech_plan_shape_t *shape, martech_plan_work_t *work,
    martech_plan_subject_t *subject, martech_schema_run_t *run,
    martech_plan_verdict_t *verdict);
static void martech_plan_note_schema(const martech_plan_item_t *item,
    const martech_plan_subject_t *subject, const martech_schema_run_t *run,
    martech_plan_verdict_t *verdict);
static int martech_plan_unplanned(const martech_plan_item_t *item,
    const martech_plan_shape_t *shape, martech_plan_work_t *work,
    const martech_plan_subject_t *subject, martech_plan_verdict_t *verdict);
static int martech_plan_matches(const martech_plan_shape_t *shape,
    martech_plan_work_t *work, martech_str_t name);
static const martech_plan_shape_t *martech_plan_choose(
    const martech_plan_item_t *item, martech_plan_work_t *work,
    martech_plan_subject_t *subject, martech_schema_run_t *run,
    martech_plan_verdict_t *verdict);


void
martech_plan_hold(const martech_plan_item_t *item, const martech_event_t *ev,
    int stated, martech_plan_work_t *work, martech_plan_verdict_t *verdict)
{
    size_t                       size;
    martech_schema_run_t         run;
    martech_plan_subject_t       subject;
    const martech_plan_shape_t  *shape;

    martech_plan_subject(ev, &subject);

    size = martech_plan_bits_words(item->nfields) * sizeof(uint64_t);
    memset(work->sent, 0, size);
    memset(work->filled, 0, size);
    work->patterns = MARTECH_PLAN_MATCHES;

    run.sent = work->sent;
    run.filled = work->filled;
    run.list = work->violations;
    run.steps = MARTECH_SCHEMA_STEPS;
    run.scratch = work->scratch;
    run.scratch_size = sizeof(work->scratch);

    if (stated < 0) {
        shape = martech_plan_choose(item, work, &subject, &run, verdict);

    } else {
        shape = &item->shapes[stated];
        (void) martech_plan_hold_one(item, shape, work, &subject, &run,
                                     verdict);
    }

    verdict->version = shape->name;
    verdict->held = 1;
    work->planned = shape->planned;
}


/* An event without properties is held against the schema as one with {}. */

static void
martech_plan_subject(const martech_event_t *ev,
    martech_plan_subject_t *subject)
{
    int       traits;
    uint32_t  node;

    traits = (ev->type == MARTECH_EVENT_IDENTIFY
              || ev->type == MARTECH_EVENT_GROUP);

    node = ev->fields[traits ? MARTECH_FIELD_TRAITS
                             : MARTECH_FIELD_PROPERTIES];

    subject->others = 0;
    subject->seen = 0;

    if (node != MARTECH_JSON_NONE
        && ev->batch->tape->nodes[node].kind == MARTECH_JSON_OBJECT)
    {
        subject->tape = ev->batch->tape;
        subject->node = node;
        subject->culprit = MARTECH_JSON_NONE;
        subject->below = "";
        return;
    }

    subject->tape = &martech_plan_empty;
    subject->node = 0;
    subject->culprit = ev->node;
    subject->below = traits ? "/traits" : "/properties";
}


/*
 * The field with a name, or -1.  Senders keep to the order of the plan more
 * often than not and leave some out, so the fields behind the last one are
 * tried before the table is asked.
 */

static inline int
martech_plan_look_up(const martech_plan_item_t *item, unsigned next,
    martech_str_t name)
{
    unsigned        end;
    martech_word_t  word;

    word = martech_word(name.data, name.len);
    end = next + MARTECH_PLAN_AHEAD;

    if (end > item->nfields) {
        end = item->nfields;
    }

    for ( /* void */ ; next < end; next++) {

        if (item->field_names[next].len == name.len
            && martech_word_same(item->field_words[next],
                                 item->field_names[next].data, word,
                                 name.data, name.len))
        {
            return (int) next;
        }
    }

    return martech_plan_names_find(&item->fields, name.data, name.len);
}


/*
 * One pass over the members: which fields were sent, and which have a value.
 * Only where the schema has not told it of all of them already.
 */

static void
martech_plan_look(const martech_plan_item_t *item, martech_plan_work_t *work,
    martech_plan_subject_t *subject)
{
    int                         field;
    uint32_t                    i;
    uint64_t                    bit;
    unsigned                    next;
    martech_str_t               name;
    const martech_json_node_t  *nodes;

    nodes = subject->tape->nodes;
    next = 0;

    for (i = subject->node + 1; i < nodes[subject->node].next;
         i = nodes[i].next)
    {
        if (!martech_plan_member_name(subject->tape, i, work, &name)) {
            subject->others++;
            continue;
        }

        field = martech_plan_look_up(item, next, name);

        if (field == -1) {
            subject->others++;
            continue;
        }

        next = (unsigned) field + 1;
        bit = (uint64_t) 1 << (field & 63);

        work->sent[field >> 6] |= bit;
        work->filled[field >> 6] |= (nodes[i].kind != MARTECH_JSON_NULL)
                                    ? bit : 0;
    }
}


/* The name of a member, un-escaped; 0 if it is too long for that. */

static inline int
martech_plan_member_name(const martech_json_tape_t *tape, uint32_t node,
    martech_plan_work_t *work, martech_str_t *name)
{
    long  n;

    name->data = tape->text + tape->nodes[node].key;
    name->len = tape->nodes[node].key_len;

    if (!(tape->nodes[node].flags & MARTECH_JSON_KEY_ESCAPED)) {
        return 1;
    }

    n = martech_json_unescape(*name, work->scratch, sizeof(work->scratch));

    if (n < 0) {
        return 0;
    }

    name->data = work->scratch;
    name->len = (size_t) n;

    return 1;
}


/*
 * Holds the properties against one version; 1 if nothing is wrong.  Without a
 * verdict nothing is noted, and the first violation ends it.
 */

static int
martech_plan_hold_one(const martech_plan_item_t *item,
    const martech_plan_shape_t *shape, martech_plan_work_t *work,
    martech_plan_subject_t *subject, martech_schema_run_t *run,
    martech_plan_verdict_t *verdict)
{
    int                       planned;
    martech_schema_verdict_t  valid;

    run->count = 0;
    run->more = 0;
    run->max = (verdict != NULL) ? MARTECH_PLAN_VIOLATIONS : 0;

    valid = martech_schema_check(shape->schema, subject->tape, subject->node,
                                 run);

    if (!subject->seen) {
        subject->seen = 1;

        if (run->told < subject->tape->nodes[subject->node].count) {
            martech_plan_look(item, work, subject);
        }
    }

    if (valid != MARTECH_SCHEMA_VALID) {

        if (verdict == NULL) {
            return 0;
        }

        martech_plan_note_schema(item, subject, run, verdict);

        if (valid == MARTECH_SCHEMA_LIMIT) {
            martech_plan_note_rule(verdict, item->entry.violation, "limit",
                                   subject->culprit ? subject->culprit
                                                    : subject->node);
        }
    }

    planned = !martech_plan_unplanned(item, shape, work, subject, verdict);

    return valid == MARTECH_SCHEMA_VALID && planned;
}


static void
martech_plan_note_schema(const martech_plan_item_t *item,
    const martech_plan_subject_t *subject, const martech_schema_run_t *run,
    martech_plan_verdict_t *verdict)
{
    unsigned                  i;
    martech_plan_violation_t  violation;

    violation.below = subject->below;

    for (i = 0; i < run->count; i++) {
        violation.rule = run->list[i].rule;
        violation.name = run->list[i].name;

        /* what has no properties has no node in them either */

        violation.node = (subject->below[0] != '\0') ? subject->culprit
                                                     : run->list[i].node;

        martech_plan_note(verdict, item->entry.violation, &violation);
    }

    if (run->more && item->entry.violation != MARTECH_PLAN_ACCEPT) {
        verdict->more = 1;
    }
}


/* 1 if there are members that a version does not plan, and that matters. */

static int
martech_plan_unplanned(const martech_plan_item_t *item,
    const martech_plan_shape_t *shape, martech_plan_work_t *work,
    const martech_plan_subject_t *subject, martech_plan_verdict_t *verdict)
{
    int                         found, field, matches;
    unsigned                    k;
    uint32_t                    i;
    uint64_t                    odd;
    martech_str_t               name;
    martech_plan_violation_t    violation;
    const martech_json_node_t  *nodes;

    if (item->entry.unplanned_property == MARTECH_PLAN_ACCEPT || shape->open) {
        return 0;
    }

    odd = subject->others;

    for (k = 0; k < martech_plan_bits_words(item->nfields); k++) {
        odd |= work->sent[k] & ~shape->planned[k];
    }

    if (odd == 0) {
        return 0;
    }

    found = 0;
    nodes = subject->tape->nodes;

    violation.node = subject->node;
    violation.below = "";

    for (i = subject->node + 1; i < nodes[subject->node].next;
         i = nodes[i].next)
    {
        violation.rule = "unplanned_property";

        if (martech_plan_member_name(subject->tape, i, work, &name)) {
            field = martech_plan_names_find(&item->fields, name.data,
                                            name.len);

            if (field != -1
                && martech_plan_bit(shape->planned, (unsigned) field))
            {
                continue;
            }

            matches = martech_plan_matches(shape, work, name);

            if (matches == 1) {
                continue;
            }

            if (matches == -1) {
                violation.rule = "limit";
            }
        }

        found = 1;

        if (verdict == NULL || verdict->more) {
            break;
        }

        violation.name.data = subject->tape->text + nodes[i].key;
        violation.name.len = nodes[i].key_len;

        martech_plan_note(verdict, item->entry.unplanned_property,
                          &violation);
    }

    return found;
}


/*
 * 1 if a pattern plans the name, 0 if none does, -1 if that was not found out:
 * else a sender would make his names planned by making them costly.
 */

static int
martech_plan_matches(const martech_plan_shape_t *shape,
    martech_plan_work_t *work, martech_str_t name)
{
    int       rc, known;
    unsigned  i;

    known = 0;

    for (i = 0; i < shape->npatterns; i++) {

        if (work->patterns == 0) {
            return -1;
        }

        work->patterns--;

        rc = martech_regex_test(shape->patterns[i], name.data, name.len);

        if (rc > 0) {
            return 1;
        }

        if (rc < 0) {
            known = -1;
        }
    }

    return known;
}


/*
 * The newest accepted version that an event satisfies; if none, the newest,
 * whose violations are noted.
 */

static const martech_plan_shape_t *
martech_plan_choose(const martech_plan_item_t *item,
    martech_plan_work_t *work, martech_plan_subject_t *subject,
    martech_schema_run_t *run, martech_plan_verdict_t *verdict)
{
    int                          i;
    const martech_plan_shape_t  *shape, *newest;

    newest = &item->shapes[item->newest];

    if (martech_plan_hold_one(item, newest, work, subject, run, verdict)) {
        return newest;
    }

    for (i = item->newest - 1; i >= 0; i--) {
        shape = &item->shapes[i];

        if (!shape->accepted
            || !martech_plan_hold_one(item, shape, work, subject, run, NULL))
        {
            continue;
        }

        verdict->action = MARTECH_PLAN_ACCEPT;
        verdict->count = 0;
        verdict->more = 0;

        return shape;
    }

    return newest;
}


int
martech_plan_nulls(const martech_plan_t *plan,
    const martech_plan_work_t *work, const martech_plan_verdict_t *verdict,
    uint64_t *bits)
{
    unsigned  k;

    if (!verdict->held) {
        return 0;
    }

    for (k = 0;
         k < martech_plan_bits_words(plan->items[verdict->entry].nfields);
         k++)
    {
        bits[k] = work->planned[k] & ~work->filled[k];
    }

    return 1;
}
