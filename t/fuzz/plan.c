
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Fuzzes the tracking plan.  An input that begins with "{" and has no zero
 * byte is a plan; otherwise what stands before the zero byte is a plan (or,
 * if empty, a fixed one) and what follows is an event held against it.
 *
 * Holds: a refused plan has a reason on one line and a pointer; a verdict is
 * within its bounds, its pointers lead into the event, and what is written of
 * it is JSON; the same event again gets the same verdict.
 */


#include "fuzz.h"

/* martech */
#include "martech_event.h"
#include "martech_plan.h"


#define FUZZ_NODES_MAX  65536


static const char  fuzz_plan[] =
    "{\"martech_plan\":1,\"name\":\"f\",\"version\":\"1\",\"formats\":true,"
    "\"definitions\":{\"m\":{\"type\":\"number\",\"minimum\":0}},"
    "\"events\":{\"a\":{\"aliases\":[\"b\"],\"priority\":\"high\","
    "\"violation\":\"reject\",\"unplanned_property\":\"quarantine\","
    "\"versions\":{\"1\":{\"properties\":{\"p\":{\"$ref\":\"#/definitions/m\"},"
    "\"q\":{\"type\":[\"string\",\"null\"]}},\"required\":[\"p\"]},"
    "\"2\":{\"properties\":{\"p\":{\"multipleOf\":0.5},\"r\":{\"items\":{"
    "\"type\":\"object\",\"required\":[\"s\"],\"additionalProperties\":false}}"
    "},\"patternProperties\":{\"^x\":{\"type\":\"string\"}},"
    "\"dependentRequired\":{\"r\":[\"p\"]}}}},\"c\":{\"stage\":\"blocked\"}},"
    "\"pages\":{\"*\":{\"properties\":{\"anyOf\":[{\"required\":[\"u\"]},{"
    "\"required\":[\"v\"]}],\"propertyNames\":{\"maxLength\":3}}}},"
    "\"traits\":{\"identify\":{\"properties\":{\"uniqueItems\":true,"
    "\"properties\":{\"e\":{\"format\":\"email\"},\"n\":{\"uniqueItems\":true,"
    "\"contains\":{\"const\":1.0}}}}}}}";


static martech_json_node_t  fuzz_nodes[FUZZ_NODES_MAX];
static martech_plan_work_t  fuzz_work;


static martech_plan_t *
fuzz_compile(const uint8_t *text, size_t len)
{
    const char            *p;
    martech_plan_t        *plan;
    martech_plan_error_t   error;

    memset(&error, 0x5a, sizeof(martech_plan_error_t));
    plan = martech_plan_compile(text, len, &error);

    if (plan != NULL) {
        fuzz_assert(martech_plan_entries(plan) <= MARTECH_PLAN_EVENTS_MAX);
        fuzz_assert(martech_plan_name(plan).len > 0);
        return plan;
    }

    fuzz_assert(memchr(error.pointer, '\0', sizeof(error.pointer)) != NULL);
    fuzz_assert(memchr(error.reason, '\0', sizeof(error.reason)) != NULL);
    fuzz_assert(error.reason[0] != '\0');
    fuzz_assert(error.pointer[0] == '\0' || error.pointer[0] == '/');

    for (p = error.reason; *p != '\0'; p++) {
        fuzz_assert((unsigned char) *p >= 0x20);
    }

    return NULL;
}


/* The rest of a plan, asked once. */

static void
fuzz_ask(const martech_plan_t *plan)
{
    int                          found;
    unsigned                     i, k;
    martech_str_t                field;
    const martech_plan_entry_t  *entry;

    for (i = 0; i < martech_plan_entries(plan); i++) {
        entry = martech_plan_entry(plan, i);

        found = martech_plan_find(plan, entry->type, entry->name);
        fuzz_assert(found == (int) i);

        for (k = 0; k < entry->naliases; k++) {
            found = martech_plan_find(plan, entry->type, entry->aliases[k]);
            fuzz_assert(found == (int) i);
        }

        fuzz_assert(martech_plan_fields(plan, i) <= MARTECH_PLAN_FIELDS_MAX);

        for (k = 0; k < martech_plan_fields(plan, i); k++) {
            field = martech_plan_field(plan, i, k);
            fuzz_assert(field.data != NULL);
        }
    }
}


static void
fuzz_written(const martech_plan_t *plan, const martech_event_t *ev,
    const martech_plan_verdict_t *verdict)
{
    size_t               len;
    martech_limits_t     limits;
    martech_json_tape_t  tape;
    char                *text;

    text = fuzz_alloc(MARTECH_PLAN_TEXT_MAX + 2);
    text[0] = '{';

    len = martech_plan_write(plan, ev, verdict, NULL, text + 1,
                             MARTECH_PLAN_TEXT_MAX);

    fuzz_assert(len < MARTECH_PLAN_TEXT_MAX);
    text[len + 1] = '}';

    martech_limits_default(&limits);
    tape.nodes_max = 256;
    tape.nodes = fuzz_alloc(tape.nodes_max * sizeof(martech_json_node_t));

    fuzz_assert(martech_json_scan(&tape, (unsigned char *) text, len + 2,
                                  &limits)
                == MARTECH_OK);
    fuzz_assert(martech_json_pointer(&tape, 0, "/plan/action")
                != MARTECH_JSON_NONE);

    free(tape.nodes);
    free(text);
}


static void
fuzz_check(const martech_plan_t *plan, const martech_event_t *ev)
{
    char                     pointer[MARTECH_PLAN_POINTER_MAX];
    size_t                   len;
    unsigned                 i;
    uint64_t                 bits[MARTECH_PLAN_FIELD_WORDS];
    martech_plan_verdict_t   verdict, again;

    memset(&verdict, 0x5a, sizeof(martech_plan_verdict_t));
    martech_plan_check(plan, ev, &fuzz_work, &verdict);

    fuzz_assert(verdict.action <= MARTECH_PLAN_REJECT);
    fuzz_assert(verdict.count <= MARTECH_PLAN_VIOLATIONS);
    fuzz_assert((verdict.action == MARTECH_PLAN_ACCEPT)
                == (verdict.count == 0));
    fuzz_assert(verdict.entry >= -1
                && verdict.entry < (int) martech_plan_entries(plan));

    for (i = 0; i < verdict.count; i++) {
        fuzz_assert(martech_plan_rule(verdict.list[i].rule)
                    < MARTECH_PLAN_RULES - 1);

        len = martech_plan_pointer(ev, &verdict.list[i], pointer,
                                   sizeof(pointer));
        fuzz_assert(len < sizeof(pointer) && strlen(pointer) <= len);
        fuzz_assert(len == 0 || pointer[0] == '/');
    }

    if (martech_plan_nulls(plan, &fuzz_work, &verdict, bits)) {
        fuzz_assert(verdict.entry >= 0);
    }

    fuzz_written(plan, ev, &verdict);

    martech_plan_check(plan, ev, &fuzz_work, &again);

    fuzz_assert(again.action == verdict.action);
    fuzz_assert(again.count == verdict.count);
    fuzz_assert(again.entry == verdict.entry);
}


static void
fuzz_event(const martech_plan_t *plan, const uint8_t *text, size_t len)
{
    uint8_t              *copy;
    const char           *field;
    martech_rc_t          rc;
    martech_batch_t       batch;
    martech_event_t       ev;
    martech_facts_t       facts;
    martech_limits_t      limits;
    martech_json_tape_t   tape;

    martech_limits_default(&limits);
    memset(&facts, 0, sizeof(martech_facts_t));

    copy = fuzz_copy(text, len);
    tape.nodes = fuzz_nodes;
    tape.nodes_max = FUZZ_NODES_MAX;

    rc = martech_json_scan(&tape, copy, len, &limits);

    if (rc == MARTECH_OK) {
        rc = martech_batch_open(&batch, &tape, MARTECH_EVENT_UNKNOWN, &limits,
                                &field);
    }

    if (rc == MARTECH_OK) {
        rc = martech_event_check(&ev, &batch, batch.first, &facts, &limits);
    }

    if (rc == MARTECH_OK) {
        fuzz_check(plan, &ev);
    }

    free(copy);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t           len;
    uint8_t         *copy;
    const uint8_t   *zero;
    martech_plan_t  *plan;

    zero = (size > 0) ? memchr(data, 0, size) : NULL;
    len = (zero != NULL) ? (size_t) (zero - data) : size;

    copy = fuzz_copy(data, len);
    plan = fuzz_compile(copy, len);
    free(copy);

    if (plan == NULL && len == 0) {
        plan = fuzz_compile((const uint8_t *) fuzz_plan,
                            sizeof(fuzz_plan) - 1);
        fuzz_assert(plan != NULL);
    }

    if (plan != NULL) {
        fuzz_ask(plan);

        if (zero != NULL) {
            fuzz_event(plan, zero + 1, size - len - 1);
        }

        martech_plan_free(plan);
    }

    return 0;
}
