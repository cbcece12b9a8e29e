
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Checking an event against a plan: which entry it is of, and what can be
 * said of it without looking at its properties.
 */


#include <string.h>

#include "martech_field.h"
#include "martech_plan_private.h"


#define MARTECH_PLAN_UNSTATED   -1       /* the event names no version */
#define MARTECH_PLAN_UNKNOWN    -2       /* it names one that is not accepted */


static const martech_plan_item_t *martech_plan_name_event(
    const martech_plan_t *plan, const martech_event_t *ev,
    martech_plan_work_t *work, martech_plan_verdict_t *verdict);
static int martech_plan_stated(const martech_plan_item_t *item,
    const martech_event_t *ev, uint32_t *node);


void
martech_plan_check(const martech_plan_t *plan, const martech_event_t *ev,
    martech_plan_work_t *work, martech_plan_verdict_t *verdict)
{
    int                         stated;
    uint32_t                    node;
    const martech_plan_item_t  *item;

    /* not the list, which is the most of it */

    memset(verdict, 0, offsetof(martech_plan_verdict_t, list));
    verdict->count = 0;
    verdict->more = 0;
    verdict->ungoverned = 0;
    verdict->held = 0;

    item = martech_plan_name_event(plan, ev, work, verdict);

    if (item == NULL) {
        return;
    }

    verdict->priority = item->entry.priority;

    if (item->blocked) {
        martech_plan_note_rule(verdict,
                               (item->entry.violation
                                > MARTECH_PLAN_QUARANTINE)
                               ? item->entry.violation
                               : MARTECH_PLAN_QUARANTINE,
                               "blocked", verdict->named ? verdict->named
                                                         : ev->node);
        return;
    }

    if (item->newest == -1) {
        return;
    }

    stated = martech_plan_stated(item, ev, &node);

    if (stated == MARTECH_PLAN_UNKNOWN) {
        martech_plan_note_rule(verdict, item->entry.violation, "version",
                               node);
        return;
    }

    martech_plan_hold(item, ev, stated, work, verdict);
}


/* Which entry an event is of; NULL if nothing more is to be checked. */

static const martech_plan_item_t *
martech_plan_name_event(const martech_plan_t *plan, const martech_event_t *ev,
    martech_plan_work_t *work, martech_plan_verdict_t *verdict)
{
    int                          n;
    long                         len;
    uint32_t                     node;
    martech_str_t                name;
    const martech_plan_item_t   *item;
    const martech_plan_table_t  *table;
    const martech_json_node_t   *value;

    verdict->entry = -1;
    verdict->named = MARTECH_JSON_NONE;
    table = &plan->tables[ev->type];

    if (!table->governed) {
        verdict->ungoverned = 1;
        return NULL;
    }

    n = -1;
    node = MARTECH_JSON_NONE;

    if (ev->type == MARTECH_EVENT_TRACK) {
        node = ev->fields[MARTECH_FIELD_EVENT];

    } else if (ev->type == MARTECH_EVENT_PAGE
               || ev->type == MARTECH_EVENT_SCREEN)
    {
        node = ev->fields[MARTECH_FIELD_NAME];
    }

    value = &ev->batch->tape->nodes[node];

    if (node != MARTECH_JSON_NONE && value->kind == MARTECH_JSON_STRING) {
        verdict->named = node;
        name = martech_json_slice(ev->batch->tape, node);

        if (value->flags & MARTECH_JSON_VALUE_ESCAPED) {
            len = martech_json_unescape(name, work->scratch,
                                        sizeof(work->scratch));
            name.data = work->scratch;
            name.len = (len > 0) ? (size_t) len : 0;
        }

        /* no longer one is a name, and hashing it would take time */

        if (name.len <= MARTECH_PLAN_NAME_MAX) {
            n = martech_plan_names_find(&table->names, name.data, name.len);
        }
    }

    if (n == -1 && table->other == -1) {
        martech_plan_note_rule(verdict, plan->unplanned_event,
                               "unplanned_event",
                               verdict->named ? verdict->named : ev->node);
        return NULL;
    }

    verdict->entry = (n == -1) ? table->other : n / 2;
    item = &plan->items[verdict->entry];

    if (n != -1 && (n & 1)) {
        verdict->rename = item->rename;
    }

    return item;
}


void
martech_plan_note(martech_plan_verdict_t *verdict,
    martech_plan_action_t action, const martech_plan_violation_t *violation)
{
    if (action == MARTECH_PLAN_ACCEPT) {
        return;
    }

    if (action > verdict->action) {
        verdict->action = action;
    }

    if (verdict->count == MARTECH_PLAN_VIOLATIONS) {
        verdict->more = 1;
        return;
    }

    verdict->list[verdict->count++] = *violation;
}


void
martech_plan_note_rule(martech_plan_verdict_t *verdict,
    martech_plan_action_t action, const char *rule, uint32_t node)
{
    martech_plan_violation_t  violation;

    memset(&violation, 0, sizeof(martech_plan_violation_t));

    violation.rule = rule;
    violation.node = node;
    violation.below = "";

    martech_plan_note(verdict, action, &violation);
}


/*
 * The version that an event says it has, in context.protocols.event_version;
 * the batch's context counts where the event's own has no "protocols", as the
 * two are merged member by member.
 */

static int
martech_plan_stated(const martech_plan_item_t *item,
    const martech_event_t *ev, uint32_t *node)
{
    unsigned                    i;
    uint32_t                    protocols;
    const martech_json_tape_t  *tape;

    tape = ev->batch->tape;
    protocols = MARTECH_JSON_NONE;

    if (ev->fields[MARTECH_FIELD_CONTEXT] != MARTECH_JSON_NONE) {
        protocols = martech_json_member(tape,
                                        ev->fields[MARTECH_FIELD_CONTEXT],
                                        "protocols", 9);
    }

    if (protocols == MARTECH_JSON_NONE
        && ev->batch->context != MARTECH_JSON_NONE)
    {
        protocols = martech_json_member(tape, ev->batch->context,
                                        "protocols", 9);
    }

    if (protocols == MARTECH_JSON_NONE) {
        return MARTECH_PLAN_UNSTATED;
    }

    *node = martech_json_member(tape, protocols, "event_version", 13);

    if (*node == MARTECH_JSON_NONE
        || tape->nodes[*node].kind == MARTECH_JSON_NULL)
    {
        return MARTECH_PLAN_UNSTATED;
    }

    for (i = 0; i < item->nshapes; i++) {

        if (item->shapes[i].accepted
            && martech_json_equals(tape, *node,
                                   (const char *) item->shapes[i].name.data,
                                   item->shapes[i].name.len))
        {
            return (int) i;
        }
    }

    return MARTECH_PLAN_UNKNOWN;
}
