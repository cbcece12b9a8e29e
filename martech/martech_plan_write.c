
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What a plan says of an event, written into the event; and the words of
 * actions, priorities and rules.
 */


#include <string.h>

#include "martech_plan_private.h"


/* Violations of this size at most leave room for the rest behind them. */
#define MARTECH_PLAN_TAIL  64


static const char *const  martech_plan_rules[] = {

    "unplanned_event", "unplanned_property", "blocked", "version", "limit",

    /* keywords of schemas; some fail only where they hold a false */

    "type", "enum", "const", "multipleOf", "maximum", "exclusiveMaximum",
    "minimum", "exclusiveMinimum", "maxLength", "minLength", "pattern",
    "format", "maxItems", "minItems", "uniqueItems", "maxContains",
    "minContains", "contains", "items", "additionalItems", "prefixItems",
    "unevaluatedItems", "maxProperties", "minProperties", "required",
    "dependentRequired", "dependentSchemas", "dependencies", "properties",
    "patternProperties", "additionalProperties", "unevaluatedProperties",
    "propertyNames", "allOf", "anyOf", "oneOf", "not", "if", "then", "else",
    "$ref", "$dynamicRef", "false",

    "other"
};


typedef char  martech_plan_rules_fit[
    (MARTECH_PLAN_RULES
     == sizeof(martech_plan_rules) / sizeof(martech_plan_rules[0]))
    ? 1 : -1];


static int martech_plan_write_violation(martech_json_writer_t *w,
    const martech_event_t *ev, const martech_plan_violation_t *violation,
    martech_plan_clean_pt clean);
static void martech_plan_write_str(martech_json_writer_t *w,
    const char *name, martech_str_t value);


size_t
martech_plan_write(const martech_plan_t *plan, const martech_event_t *ev,
    const martech_plan_verdict_t *verdict, martech_plan_clean_pt clean,
    char *out, size_t size)
{
    unsigned               i, more;
    martech_json_writer_t  w;

    martech_json_writer_init(&w, out, size);

    martech_json_name(&w, "plan");
    martech_json_begin(&w, '{');

    martech_plan_write_str(&w, "name", plan->name);
    martech_plan_write_str(&w, "version", plan->version);

    if (verdict->version.len > 0) {
        martech_plan_write_str(&w, "event", verdict->version);
    }

    martech_json_name(&w, "action");
    martech_json_cstring(&w, martech_plan_action_name(verdict->action));

    if (verdict->count > 0) {
        more = verdict->more;

        martech_json_name(&w, "violations");
        martech_json_begin(&w, '[');

        for (i = 0; i < verdict->count; i++) {
            if (!martech_plan_write_violation(&w, ev, &verdict->list[i],
                                              clean))
            {
                more = 1;
                break;
            }
        }

        martech_json_end(&w, ']');

        if (more) {
            martech_json_name(&w, "more");
            martech_json_bool(&w, 1);
        }
    }

    martech_json_end(&w, '}');

    if (verdict->priority != MARTECH_PLAN_NORMAL) {
        martech_json_name(&w, "priority");
        martech_json_cstring(&w,
                             martech_plan_priority_name(verdict->priority));
    }

    return (size_t) (w.pos - w.start);
}


/*
 * 0 if there is no room; then nothing of it is left.  Control characters in
 * names may make six bytes of one, so a pointer has no useful bound.
 */

static int
martech_plan_write_violation(martech_json_writer_t *w,
    const martech_event_t *ev, const martech_plan_violation_t *violation,
    martech_plan_clean_pt clean)
{
    char                   raw[MARTECH_PLAN_POINTER_MAX + 1];
    char                   clear[MARTECH_PLAN_POINTER_MAX + 1];
    size_t                 len;
    const char            *pointer;
    martech_json_writer_t  before;

    before = *w;
    w->end -= MARTECH_PLAN_TAIL;

    len = martech_plan_pointer(ev, violation, raw, sizeof(raw));
    pointer = raw;

    if (clean != NULL) {
        len = clean(raw, len, clear, sizeof(clear));
        pointer = clear;
    }

    martech_json_begin(w, '{');
    martech_json_name(w, "pointer");
    martech_json_string(w, pointer, len);
    martech_json_name(w, "rule");
    martech_json_cstring(w, violation->rule);
    martech_json_end(w, '}');

    if (w->overflow) {
        *w = before;
        return 0;
    }

    w->end = before.end;

    return 1;
}


static void
martech_plan_write_str(martech_json_writer_t *w, const char *name,
    martech_str_t value)
{
    martech_json_name(w, name);
    martech_json_string(w, value.data, value.len);
}


const char *
martech_plan_action_name(martech_plan_action_t action)
{
    return martech_plan_actions[action];
}


const char *
martech_plan_priority_name(martech_plan_priority_t priority)
{
    return martech_plan_priorities[priority];
}


unsigned
martech_plan_rule(const char *rule)
{
    unsigned  i;

    for (i = 0; i < MARTECH_PLAN_RULES - 1; i++) {
        if (strcmp(martech_plan_rules[i], rule) == 0) {
            break;
        }
    }

    return i;
}


const char *
martech_plan_rule_name(unsigned rule)
{
    return martech_plan_rules[rule];
}
