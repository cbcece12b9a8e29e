
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A schema and a value of it: the input is one document, an array of both,
 * or a schema alone, which is then also the value.  Whatever they are, it ends,
 * the verdict does not depend on whether violations are noted, and what is
 * noted lies in the tape and in the order of it.
 *
 * The draft and whether formats count are taken from the length of the input.
 */


#include "fuzz.h"

/* martech */
#include "martech_schema.h"


#define FUZZ_NOTED    4
#define FUZZ_SCRATCH  4096
#define FUZZ_STEPS    20000


static martech_schema_verdict_t
fuzz_check(const martech_schema_t *schema, const martech_json_tape_t *tape,
    uint32_t node, uint64_t steps, unsigned max)
{
    unsigned                     i;
    unsigned char               *scratch;
    martech_schema_run_t         run;
    martech_schema_verdict_t     verdict;
    martech_schema_violation_t  *list;

    memset(&run, 0, sizeof(run));

    scratch = fuzz_alloc(FUZZ_SCRATCH);
    list = fuzz_alloc(max * sizeof(martech_schema_violation_t));

    run.list = list;
    run.max = max;
    run.steps = steps;
    run.scratch = scratch;
    run.scratch_size = FUZZ_SCRATCH;

    verdict = martech_schema_check(schema, tape, node, &run);

    fuzz_assert(run.steps <= steps);
    fuzz_assert(run.count <= max);
    fuzz_assert(!run.more || run.count == max);
    fuzz_assert(verdict != MARTECH_SCHEMA_VALID || run.count == 0);
    fuzz_assert(verdict != MARTECH_SCHEMA_INVALID || max == 0
                || run.count > 0);

    for (i = 0; i < run.count; i++) {
        fuzz_assert(list[i].node >= node);
        fuzz_assert(list[i].node < tape->nodes[node].next);
        fuzz_assert(i == 0 || list[i - 1].node <= list[i].node);
        fuzz_assert(list[i].rule != NULL && list[i].where.data != NULL);
    }

    free(list);
    free(scratch);

    return verdict;
}


static void
fuzz_properties(const martech_schema_t *schema,
    const martech_json_tape_t *tape, uint32_t node)
{
    int       place;
    uint32_t  i;

    if (tape->nodes[node].kind != MARTECH_JSON_OBJECT) {
        return;
    }

    for (i = node + 1; i < tape->nodes[node].next; i = tape->nodes[i].next) {
        place = martech_schema_property(schema, tape, i);

        fuzz_assert(place >= MARTECH_SCHEMA_MATCHED
                    && place < (int) martech_schema_properties(schema));
    }
}


static void
fuzz_schema(const martech_json_tape_t *tape, uint32_t node, uint32_t value,
    size_t size)
{
    martech_schema_t           *schema;
    martech_schema_error_t      error;
    martech_schema_verdict_t    quiet, noted;
    martech_schema_options_t    options;

    options.draft = (size & 1) ? MARTECH_SCHEMA_07 : MARTECH_SCHEMA_2020_12;
    options.formats = (size >> 1) & 1;

    memset(&error, 0, sizeof(error));

    schema = martech_schema_compile(tape, node, &options, &error);

    if (schema == NULL) {
        fuzz_assert(error.reason[0] != '\0');
        return;
    }

    quiet = fuzz_check(schema, tape, value, FUZZ_STEPS, 0);
    noted = fuzz_check(schema, tape, value, FUZZ_STEPS, FUZZ_NOTED);

    /* noting goes on where the other stops, so it may reach a limit */

    fuzz_assert(noted == quiet || noted == MARTECH_SCHEMA_LIMIT);

    noted = fuzz_check(schema, tape, value, 20, FUZZ_NOTED);
    fuzz_assert(noted == quiet || noted == MARTECH_SCHEMA_LIMIT
                || quiet == MARTECH_SCHEMA_LIMIT);

    fuzz_properties(schema, tape, value);

    martech_schema_free(schema);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t              value;
    martech_limits_t      limits;
    martech_json_tape_t   tape;

    martech_limits_default(&limits);
    limits.depth_max = 1000;

    tape.nodes_max = (uint32_t) size + 1;
    tape.nodes = fuzz_alloc(tape.nodes_max * sizeof(martech_json_node_t));

    if (martech_json_scan(&tape, data, size, &limits) == MARTECH_OK) {

        if (tape.nodes[0].kind == MARTECH_JSON_ARRAY
            && tape.nodes[0].count == 2)
        {
            value = tape.nodes[1].next;
            fuzz_schema(&tape, 1, value, size);

        } else {
            fuzz_schema(&tape, 0, 0, size);
        }
    }

    free(tape.nodes);

    return 0;
}
