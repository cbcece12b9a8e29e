
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Runs files of the official test suite of JSON Schema:
 *
 *     schema-suite 2020-12|07 [--formats] FILE...
 *
 * and prints a line for each test, four fields with a tab between them:
 * "pass" or "fail", the file's name, "group: test", and why it failed.
 */


/* system */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* martech */
#include "martech_schema.h"


#define SUITE_FILE_MAX  (4 * 1024 * 1024)


typedef struct {
    const char                *file;     /* its name without folders */
    martech_json_tape_t        tape;
    martech_schema_options_t   options;
} suite_t;


static uint32_t
suite_member(const suite_t *suite, uint32_t object, const char *name)
{
    return martech_json_member(&suite->tape, object, name, strlen(name));
}


/* Text of a description: escapes stay, so a line is a line. */
static void
suite_print(const suite_t *suite, const char *result, uint32_t group,
    uint32_t test, const char *why)
{
    martech_str_t  g, t;

    g = martech_json_slice(&suite->tape,
                           suite_member(suite, group, "description"));
    t = martech_json_slice(&suite->tape,
                           suite_member(suite, test, "description"));

    printf("%s\t%s\t%.*s: %.*s\t%s\n", result, suite->file, (int) g.len,
           (const char *) g.data, (int) t.len, (const char *) t.data, why);
}


static void
suite_test(const suite_t *suite, uint32_t group, uint32_t test,
    const martech_schema_t *schema, const char *error)
{
    int                                valid;
    uint32_t                           data;
    const char                        *why;
    martech_schema_run_t               run;
    martech_schema_verdict_t           verdict, quiet;
    martech_schema_violation_t         list[4];
    static unsigned char               scratch[MARTECH_SCHEMA_SCRATCH];

    if (schema == NULL) {
        suite_print(suite, "fail", group, test, error);
        return;
    }

    memset(&run, 0, sizeof(run));
    run.scratch = scratch;
    run.scratch_size = sizeof(scratch);

    data = suite_member(suite, test, "data");
    valid = suite->tape.nodes[suite_member(suite, test, "valid")].kind
            == MARTECH_JSON_TRUE;

    run.steps = MARTECH_SCHEMA_STEPS;
    quiet = martech_schema_check(schema, &suite->tape, data, &run);

    run.list = list;
    run.max = 4;
    run.steps = MARTECH_SCHEMA_STEPS;
    verdict = martech_schema_check(schema, &suite->tape, data, &run);

    why = "";

    if (verdict != quiet) {
        why = "the verdict depends on whether violations are noted";

    } else if (verdict == MARTECH_SCHEMA_LIMIT) {
        why = "a limit was reached";

    } else if ((verdict == MARTECH_SCHEMA_INVALID) != (run.count > 0)) {
        why = "verdict and violations do not agree";

    } else if ((verdict == MARTECH_SCHEMA_VALID) != valid) {
        why = valid ? list[0].rule : "no violation was found";
    }

    suite_print(suite, *why ? "fail" : "pass", group, test, why);
}


static void
suite_group(const suite_t *suite, uint32_t group)
{
    char                     error[1024];
    uint32_t                 tests, i;
    martech_schema_t        *schema;
    martech_schema_error_t   e;

    error[0] = '\0';

    schema = martech_schema_compile(&suite->tape,
                                    suite_member(suite, group, "schema"),
                                    &suite->options, &e);
    if (schema == NULL) {
        snprintf(error, sizeof(error), "%s %s", e.pointer, e.reason);
    }

    tests = suite_member(suite, group, "tests");

    for (i = tests + 1; i < suite->tape.nodes[tests].next;
         i = suite->tape.nodes[i].next)
    {
        suite_test(suite, group, i, schema, error);
    }

    martech_schema_free(schema);
}


static int
suite_file(suite_t *suite, const char *path)
{
    FILE              *f;
    size_t             len;
    uint32_t           i;
    martech_limits_t   limits;
    unsigned char     *text;

    suite->file = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    text = malloc(SUITE_FILE_MAX);
    suite->tape.nodes_max = SUITE_FILE_MAX / 8;
    suite->tape.nodes = malloc(suite->tape.nodes_max
                               * sizeof(martech_json_node_t));

    f = fopen(path, "rb");

    if (f == NULL || text == NULL || suite->tape.nodes == NULL) {
        fprintf(stderr, "schema-suite: cannot read %s\n", path);
        return -1;
    }

    len = fread(text, 1, SUITE_FILE_MAX, f);
    fclose(f);

    martech_limits_default(&limits);
    limits.depth_max = 100;
    limits.string_size_max = SUITE_FILE_MAX;

    if (martech_json_scan(&suite->tape, text, len, &limits) != MARTECH_OK
        || suite->tape.nodes[0].kind != MARTECH_JSON_ARRAY)
    {
        fprintf(stderr, "schema-suite: %s is no file of tests\n", path);
        return -1;
    }

    for (i = 1; i < suite->tape.nodes_count; i = suite->tape.nodes[i].next) {
        suite_group(suite, i);
    }

    free(text);
    free(suite->tape.nodes);

    return 0;
}


int
main(int argc, char **argv)
{
    int      i;
    suite_t  suite;

    memset(&suite, 0, sizeof(suite));

    if (argc < 3) {
        fprintf(stderr, "usage: schema-suite 2020-12|07 [--formats] FILE\n");
        return 2;
    }

    suite.options.draft = (strcmp(argv[1], "07") == 0)
                          ? MARTECH_SCHEMA_07 : MARTECH_SCHEMA_2020_12;

    for (i = 2; i < argc; i++) {

        if (strcmp(argv[i], "--formats") == 0) {
            suite.options.formats = 1;

        } else if (suite_file(&suite, argv[i]) != 0) {
            return 1;
        }
    }

    return 0;
}
