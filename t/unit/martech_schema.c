
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of martech/martech_schema: what a wrong schema is told, what a
 * violation says, and that no schema and no value is expensive.  That verdicts
 * are right is shown by the official suite (t/schema.t).
 */


/* system */
#include <time.h>

#include "martech_test.h"

/* martech */
#include "martech_schema.h"
#include "martech_schema_core.h"


#define TEST_NODES      4000000
#define TEST_TEXT       (16 * 1024 * 1024)
#define TEST_NOTED      8


typedef struct {
    const char  *schema;
    const char  *pointer;
    const char  *reason;                 /* a part of it */
} test_error_t;


typedef struct {
    const char  *schema;
    const char  *value;
    const char  *noted;                  /* "node rule where name", ";" */
} test_violation_t;


typedef struct {
    const char  *schema;
    const char  *value;
    int          verdict;
} test_verdict_t;


static const test_error_t  test_errors[] = {

    /* kinds of values */
    { "1", "", "object, true or false" },
    { "{\"type\":\"text\"}", "/type", "must be one of \"array\"" },
    { "{\"type\":[]}", "/type", "must be one of" },
    { "{\"type\":[\"null\",\"null\"]}", "/type", "array of different" },
    { "{\"properties\":[]}", "/properties", "must be an object" },
    { "{\"properties\":{\"a\":1}}", "/properties/a", "a schema is" },
    { "{\"properties\":{\"a/b\":{\"~\":0,\"type\":0}}}",
      "/properties/a~1b/type", "must be one of" },
    { "{\"required\":\"a\"}", "/required", "array of strings" },
    { "{\"required\":[1]}", "/required", "array of strings" },
    { "{\"required\":[\"a\",\"\\u0061\"]}", "/required", "\"a\" twice" },
    { "{\"minLength\":-1}", "/minLength", "integer of 0 or more" },
    { "{\"maxItems\":1.5}", "/maxItems", "integer of 0 or more" },
    { "{\"minimum\":\"1\"}", "/minimum", "must be a number" },
    { "{\"multipleOf\":0}", "/multipleOf", "greater than 0" },
    { "{\"multipleOf\":-2}", "/multipleOf", "greater than 0" },
    { "{\"multipleOf\":1234567890123456789}", "/multipleOf", "18 digits" },
    { "{\"uniqueItems\":1}", "/uniqueItems", "true or false" },
    { "{\"enum\":{}}", "/enum", "must be an array" },
    { "{\"allOf\":[]}", "/allOf", "at least one schema" },
    { "{\"anyOf\":[true,2]}", "/anyOf/1", "a schema is" },
    { "{\"items\":[true]}", "/items", "\"prefixItems\"" },
    { "{\"dependentRequired\":{\"a\":1}}", "/dependentRequired/a",
      "array of strings" },
    { "{\"format\":1}", "/format", "must be a string" },
    { "{\"$defs\":{\"x\":{\"not\":[]}}}", "/$defs/x/not", "a schema is" },

    /* names */
    { "{\"type\":\"null\",\"t\\u0079pe\":\"null\"}", "/type", "twice" },
    { "{\"properties\":{\"a\":true,\"\\u0061\":true}}", "/properties",
      "\"a\" twice" },
    { "{\"$anchor\":\"a\",\"items\":{\"$anchor\":\"a\"}}", "/items/$anchor",
      "stands twice" },
    { "{\"$id\":\"x\",\"items\":{\"$id\":\"x\"}}", "/items/$id",
      "stands twice" },
    { "{\"$id\":\"http://a/#b\"}", "/$id", "use \"$anchor\"" },
    { "{\"$schema\":\"http://json-schema.org/draft-04/schema#\"}",
      "/$schema", "draft-07" },

    /* patterns */
    { "{\"pattern\":\"(\"}", "/pattern", "" },
    { "{\"patternProperties\":{\"[\":true}}", "/patternProperties/[", "" },
    { "{\"pattern\":\"^(a+)+$\"}", "/pattern", "" },

    /* references */
    { "{\"$ref\":\"#/a\"}", "/$ref", "\"#/a\", which is not there" },
    { "{\"$ref\":\"#a\"}", "/$ref", "is not there" },
    { "{\"$ref\":\"other.json\"}", "/$ref",
      "another document, \"other.json\"" },
    { "{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":3}}", "/$defs/a",
      "a schema is" },
    { "{\"$ref\":\"#\"}", "", "refers to itself" },
    { "{\"$defs\":{\"a\":{\"$ref\":\"#/$defs/b\"},"
      "\"b\":{\"allOf\":[{\"$ref\":\"#/$defs/a\"}]}}}", "/$defs/",
      "refers to itself" },
    { "{\"dependentSchemas\":{\"a\":{\"$ref\":\"#\"}}}",
      "/dependentSchemas/a",
      "refers to itself" },
};


/* Nodes are those of the value's tape: 0 is the value itself. */
static const test_violation_t  test_violations[] = {

    { "{\"type\":\"string\"}", "1", "0 type /type " },
    { "false", "1", "0 false  " },
    { "{\"required\":[\"a\",\"b\"]}", "{}",
      "0 required /required a;0 required /required b" },
    { "{\"properties\":{\"a\":{\"type\":\"null\"}}}", "{\"a\":1}",
      "1 type /properties/a/type " },
    { "{\"properties\":{\"a\":false}}", "{\"a\":1}",
      "1 properties /properties/a a" },
    { "{\"additionalProperties\":false}", "{\"x\":{\"y\":1},\"z\":2}",
      "1 additionalProperties /additionalProperties x;"
      "3 additionalProperties /additionalProperties z" },
    { "{\"unevaluatedProperties\":false,\"allOf\":[{\"properties\":"
      "{\"a\":true}}]}", "{\"a\":1,\"b\":2}",
      "2 unevaluatedProperties /unevaluatedProperties b" },
    { "{\"propertyNames\":{\"maxLength\":1}}", "{\"a\":1,\"bc\":2}",
      "2 propertyNames /propertyNames bc" },
    { "{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"a\":1}",
      "0 dependentRequired /dependentRequired/a b" },

    /* in the order of the value, whatever the schema's */
    { "{\"allOf\":[{\"properties\":{\"b\":{\"type\":\"null\"}}},"
      "{\"properties\":{\"a\":{\"type\":\"null\"}}}],"
      "\"required\":[\"c\"]}", "{\"a\":1,\"b\":2}",
      "0 required /required c;1 type /allOf/1/properties/a/type ;"
      "2 type /allOf/0/properties/b/type " },

    /* a choice says that it failed, not how */
    { "{\"anyOf\":[{\"type\":\"null\"},{\"minimum\":5}]}", "1",
      "0 anyOf /anyOf " },
    { "{\"oneOf\":[true,true]}", "1", "0 oneOf /oneOf " },
    { "{\"not\":{\"type\":\"number\"}}", "1", "0 not /not " },
    { "{\"contains\":{\"type\":\"null\"}}", "[1,2]",
      "0 contains /contains " },
    { "{\"if\":{\"minimum\":0},\"then\":{\"maximum\":5},"
      "\"else\":{\"minimum\":-5}}", "7", "0 maximum /then/maximum " },

    /* a reference says where the rule stands */
    { "{\"items\":{\"$ref\":\"#/$defs/a\"},\"$defs\":{\"a\":{\"enum\":"
      "[1]}}}", "[1,2]", "2 enum /$defs/a/enum " },
    { "{\"$ref\":\"https://json-schema.org/draft/2020-12/schema\"}",
      "{\"minLength\":-1}",
      "1 minimum https://json-schema.org/draft/2020-12/meta/validation"
      "#/$defs/nonNegativeInteger/minimum " },
};


static const test_verdict_t  test_verdicts[] = {

    /* numbers are compared as they are written */
    { "{\"const\":1}", "1.0", MARTECH_SCHEMA_VALID },
    { "{\"const\":1}", "10e-1", MARTECH_SCHEMA_VALID },
    { "{\"const\":100}", "1E2", MARTECH_SCHEMA_VALID },
    { "{\"const\":0}", "-0.0e9", MARTECH_SCHEMA_VALID },
    { "{\"const\":9007199254740993}", "9007199254740992",
      MARTECH_SCHEMA_INVALID },
    { "{\"const\":123456789012345678901234567890}",
      "123456789012345678901234567890.000", MARTECH_SCHEMA_VALID },
    { "{\"const\":0.1}", "0.10000000000000000001", MARTECH_SCHEMA_INVALID },
    { "{\"minimum\":1e308}", "1e309", MARTECH_SCHEMA_VALID },
    { "{\"minimum\":0}", "0", MARTECH_SCHEMA_VALID },
    { "{\"minimum\":0}", "-0", MARTECH_SCHEMA_VALID },
    { "{\"minimum\":0}", "-0.5", MARTECH_SCHEMA_INVALID },
    { "{\"minimum\":-2}", "-1", MARTECH_SCHEMA_VALID },
    { "{\"minimum\":-2}", "-3", MARTECH_SCHEMA_INVALID },
    { "{\"minimum\":-0.5}", "0", MARTECH_SCHEMA_VALID },
    { "{\"minimum\":0.5}", "0", MARTECH_SCHEMA_INVALID },
    { "{\"minimum\":0.5}", "0.4", MARTECH_SCHEMA_INVALID },
    { "{\"minimum\":0,\"maximum\":1}", "2", MARTECH_SCHEMA_INVALID },
    { "{\"minimum\":0,\"multipleOf\":2}", "3", MARTECH_SCHEMA_INVALID },
    { "{\"exclusiveMinimum\":0}", "0", MARTECH_SCHEMA_INVALID },
    { "{\"type\":\"integer\",\"minimum\":0}", "1.5",
      MARTECH_SCHEMA_INVALID },
    { "{\"type\":\"integer\",\"minimum\":0}", "1.0", MARTECH_SCHEMA_VALID },
    { "{\"type\":\"string\",\"enum\":[1,\"a\"]}", "1",
      MARTECH_SCHEMA_INVALID },
    { "{\"enum\":[1,\"a\"]}", "1.0", MARTECH_SCHEMA_VALID },
    { "{\"enum\":[1,\"a\"],\"const\":\"a\"}", "1", MARTECH_SCHEMA_INVALID },
    { "{\"enum\":[\"a\"],\"maxLength\":0}", "\"a\"", MARTECH_SCHEMA_INVALID },
    { "{\"maximum\":-1e400}", "-1e399", MARTECH_SCHEMA_INVALID },
    { "{\"exclusiveMinimum\":0}", "1e-999999999999999999999",
      MARTECH_SCHEMA_VALID },
    { "{\"type\":\"integer\"}", "12345678901234567890.0e0",
      MARTECH_SCHEMA_VALID },
    { "{\"type\":\"integer\"}", "1e-1", MARTECH_SCHEMA_INVALID },
    { "{\"type\":\"integer\"}", "1.50e1", MARTECH_SCHEMA_VALID },
    { "{\"multipleOf\":0.01}", "19.99", MARTECH_SCHEMA_VALID },
    { "{\"multipleOf\":0.0001}", "0.00751", MARTECH_SCHEMA_INVALID },
    { "{\"multipleOf\":3}", "123456789012345678901234567890",
      MARTECH_SCHEMA_VALID },
    { "{\"multipleOf\":11}", "123456789012345678901234567890",
      MARTECH_SCHEMA_INVALID },
    { "{\"multipleOf\":4}", "1e308", MARTECH_SCHEMA_VALID },
    { "{\"multipleOf\":3}", "1e308", MARTECH_SCHEMA_INVALID },
    { "{\"maxLength\":2.0}", "\"abc\"", MARTECH_SCHEMA_INVALID },

    /* names and strings are compared un-escaped */
    { "{\"properties\":{\"a\\\"b\":false}}", "{\"\\u0061\\u0022b\":1}",
      MARTECH_SCHEMA_INVALID },
    { "{\"required\":[\"a\"]}", "{\"\\u0061\":1}", MARTECH_SCHEMA_VALID },
    { "{\"enum\":[\"\\u00e9\"]}", "\"\xc3\xa9\"", MARTECH_SCHEMA_VALID },
    { "{\"enum\":[{\"\\u0061\":[1]}]}", "{\"a\":[1.0]}",
      MARTECH_SCHEMA_VALID },
    { "{\"maxLength\":1}", "\"\\ud83d\\ude00\"", MARTECH_SCHEMA_VALID },
    { "{\"minLength\":2}", "\"\xf0\x9f\x98\x80\"", MARTECH_SCHEMA_INVALID },
    { "{\"pattern\":\"^a\\\\.b$\"}", "\"a\\u002eb\"", MARTECH_SCHEMA_VALID },
    { "{\"uniqueItems\":true}",
      "[1,2,3,4,5,6,7,8,\"a\",{\"a\":1,\"b\":2},{\"b\":2,\"\\u0061\":1.0}]",
      MARTECH_SCHEMA_INVALID },
    { "{\"uniqueItems\":true}", "[1,2,3,4,5,6,7,8,9,\"a\",\"\\u0061\"]",
      MARTECH_SCHEMA_INVALID },
    { "{\"uniqueItems\":true}", "[0,1,2,3,4,5,6,7,8,9,\"1\",true,[1],{}]",
      MARTECH_SCHEMA_VALID },

    /* of draft 07 */
    { "{\"$schema\":\"http://json-schema.org/draft-07/schema#\","
      "\"items\":[{\"type\":\"null\"}],\"additionalItems\":false}",
      "[null,1]", MARTECH_SCHEMA_INVALID },
    { "{\"$schema\":\"http://json-schema.org/draft-07/schema#\","
      "\"$ref\":\"#/definitions/a\",\"type\":\"null\","
      "\"definitions\":{\"a\":true}}", "1", MARTECH_SCHEMA_VALID },
};


typedef struct {
    test_doc_t               doc;
    martech_schema_t        *schema;
    martech_schema_error_t   error;
} test_schema_t;


static void
test_open(test_doc_t *doc, const char *text, size_t len)
{
    martech_limits_t  limits;

    martech_limits_default(&limits);
    limits.depth_max = 1000;
    limits.string_size_max = TEST_TEXT;

    if (test_doc_scan(doc, text, len, TEST_NODES, &limits) != MARTECH_OK) {
        test_fail("\"%.200s\" is not JSON", text);
    }
}


/* Compiles; the text is gone before the schema is used. */
static void
test_compile(test_schema_t *s, const char *text)
{
    martech_schema_options_t  options;

    memset(&options, 0, sizeof(options));
    memset(&s->error, 0, sizeof(s->error));

    test_open(&s->doc, text, strlen(text));
    s->schema = martech_schema_compile(&s->doc.tape, 0, &options, &s->error);
    test_doc_close(&s->doc);
}


static martech_schema_t *
test_schema(const char *text)
{
    test_schema_t  s;

    test_compile(&s, text);

    if (s.schema == NULL) {
        test_fail("%.200s: %s: %s", text, s.error.pointer, s.error.reason);
    }

    return s.schema;
}


static void
test_wrong(void **state)
{
    size_t               i;
    test_schema_t        s;
    const test_error_t  *t;

    (void) state;

    for (i = 0; i < test_count(test_errors); i++) {
        t = &test_errors[i];

        test_compile(&s, t->schema);

        if (s.schema != NULL) {
            test_fail("%s is taken", t->schema);
        }

        if (strcmp(s.error.pointer, t->pointer) != 0
            && strcmp(t->pointer, "/$defs/") != 0)
        {
            test_fail("%s: at \"%s\"", t->schema, s.error.pointer);
        }

        if (strstr(s.error.reason, t->reason) == NULL
            || s.error.reason[0] == '\0')
        {
            test_fail("%s: \"%s\"", t->schema, s.error.reason);
        }
    }
}


static void
test_noted(void **state)
{
    char                         got[1024];
    size_t                       i, n;
    unsigned                     k;
    test_doc_t                   doc;
    martech_schema_t            *schema;
    unsigned char                scratch[4096];
    martech_schema_run_t         run;
    const test_violation_t      *t;
    martech_schema_violation_t   list[TEST_NOTED];

    (void) state;

    for (i = 0; i < test_count(test_violations); i++) {
        t = &test_violations[i];
        schema = test_schema(t->schema);
        test_open(&doc, t->value, strlen(t->value));

        memset(&run, 0, sizeof(run));
        run.list = list;
        run.max = TEST_NOTED;
        run.steps = MARTECH_SCHEMA_STEPS;
        run.scratch = scratch;
        run.scratch_size = sizeof(scratch);

        if (martech_schema_check(schema, &doc.tape, 0, &run)
            != MARTECH_SCHEMA_INVALID)
        {
            test_fail("%s takes %s", t->schema, t->value);
        }

        for (k = 0, n = 0; k < run.count; k++) {
            n += (size_t) snprintf(got + n, sizeof(got) - n,
                                   "%s%u %s %.*s %.*s", k ? ";" : "",
                                   list[k].node, list[k].rule,
                                   (int) list[k].where.len,
                                   (const char *) list[k].where.data,
                                   (int) list[k].name.len,
                                   (const char *) list[k].name.data);
        }

        if (strcmp(got, t->noted) != 0) {
            test_fail("%s of %s: %s", t->schema, t->value, got);
        }

        martech_schema_free(schema);
        test_doc_close(&doc);
    }
}


/* The first ones are kept, and it is told that there are more. */
static void
test_more(void **state)
{
    test_doc_t                   doc;
    martech_schema_t            *schema;
    martech_schema_run_t         run;
    martech_schema_violation_t   list[2];

    (void) state;

    schema = test_schema("{\"allOf\":[{\"prefixItems\":[true,true,false]},"
                         "{\"prefixItems\":[false,false]}]}");
    test_open(&doc, "[1,2,3]", 7);

    memset(&run, 0, sizeof(run));
    run.list = list;
    run.max = 2;
    run.steps = 100;

    assert_int_equal(martech_schema_check(schema, &doc.tape, 0, &run),
                     MARTECH_SCHEMA_INVALID);
    assert_int_equal(run.count, 2);
    assert_int_equal(run.more, 1);
    assert_int_equal(list[0].node, 1);
    assert_int_equal(list[1].node, 2);

    martech_schema_free(schema);
    test_doc_close(&doc);
}


/* A verdict with steps and scratch given, and the time it took in ms. */
static martech_schema_verdict_t
test_run(const martech_schema_t *schema, const char *value, size_t len,
    uint64_t steps, size_t scratch, double *ms)
{
    clock_t                      start;
    test_doc_t                   doc;
    martech_schema_run_t         run;
    martech_schema_verdict_t     verdict;

    test_open(&doc, value, len);

    memset(&run, 0, sizeof(run));
    run.steps = steps;
    run.scratch = test_alloc(scratch);
    run.scratch_size = scratch;

    start = clock();
    verdict = martech_schema_check(schema, &doc.tape, 0, &run);

    if (ms != NULL) {
        *ms = (double) (clock() - start) * 1000 / CLOCKS_PER_SEC;
    }

    free(run.scratch);
    test_doc_close(&doc);

    return verdict;
}


static void
test_values(void **state)
{
    size_t                   i;
    martech_schema_t        *schema;
    const test_verdict_t    *t;

    (void) state;

    for (i = 0; i < test_count(test_verdicts); i++) {
        t = &test_verdicts[i];
        schema = test_schema(t->schema);

        if ((int) test_run(schema, t->value, strlen(t->value), 10000, 4096,
                           NULL)
            != t->verdict)
        {
            test_fail("%s of %s", t->schema, t->value);
        }

        martech_schema_free(schema);
    }
}


/* However few steps or bytes of scratch: the verdict is right, or LIMIT. */
static void
test_budget(void **state)
{
    size_t                     n;
    martech_schema_t          *schema;
    martech_schema_verdict_t   verdict;

    static const char  value[] = "{\"\\u0061\":[1,2,3,4,5,6,7,8,9,9],"
                                 "\"b\":\"\\u0041x\",\"c\":{\"d\":null}}";

    (void) state;

    schema = test_schema("{\"properties\":{\"a\":{\"uniqueItems\":true,"
                         "\"contains\":{\"const\":9}},\"b\":{\"pattern\":"
                         "\"^A\",\"enum\":[\"Ax\",\"By\"]}},\"anyOf\":["
                         "{\"required\":[\"z\"]},{\"propertyNames\":"
                         "{\"maxLength\":1}}],"
                         "\"unevaluatedProperties\":{\"type\":\"object\"}}");

    for (n = 0; n < 200; n++) {
        verdict = test_run(schema, value, strlen(value), n, 4096, NULL);

        assert_true(verdict == MARTECH_SCHEMA_LIMIT
                    || verdict == MARTECH_SCHEMA_INVALID);
        assert_true(n > 2 || verdict == MARTECH_SCHEMA_LIMIT);
    }

    assert_int_equal(verdict, MARTECH_SCHEMA_INVALID);

    for (n = 0; n < 400; n++) {
        verdict = test_run(schema, value, strlen(value), 10000, n, NULL);

        assert_true(verdict == MARTECH_SCHEMA_LIMIT
                    || verdict == MARTECH_SCHEMA_INVALID);
        assert_true(n > 0 || verdict == MARTECH_SCHEMA_LIMIT);
    }

    assert_int_equal(verdict, MARTECH_SCHEMA_INVALID);

    martech_schema_free(schema);
}


/* An array of the numbers from 0 on, each twice if it is asked for. */
static size_t
test_numbers(char *out, size_t count, int twice)
{
    size_t  i, n;

    n = 0;
    out[n++] = '[';

    for (i = 0; i < count; i++) {
        n += (size_t) sprintf(out + n, "%s%zu", i ? "," : "", i);
    }

    if (twice) {
        n += (size_t) sprintf(out + n, ",%zu", count - 1);
    }

    out[n++] = ']';

    return n;
}


static void
test_unique(void **state)
{
    char               *text;
    size_t              len;
    double              ms;
    martech_schema_t   *schema;

    (void) state;

    text = test_alloc(TEST_TEXT);
    schema = test_schema("{\"uniqueItems\":true}");

    /* what an event can hold is decided with the usual budget */

    len = test_numbers(text, 6000, 0);
    assert_int_equal(test_run(schema, text, len, MARTECH_SCHEMA_STEPS,
                              MARTECH_SCHEMA_SCRATCH, NULL),
                     MARTECH_SCHEMA_VALID);

    len = test_numbers(text, 6000, 1);
    assert_int_equal(test_run(schema, text, len, MARTECH_SCHEMA_STEPS,
                              MARTECH_SCHEMA_SCRATCH, NULL),
                     MARTECH_SCHEMA_INVALID);

    /* a million is given up at once, or is linear */

    len = test_numbers(text, 1000000, 1);
    assert_int_equal(test_run(schema, text, len, MARTECH_SCHEMA_STEPS,
                              MARTECH_SCHEMA_SCRATCH, &ms),
                     MARTECH_SCHEMA_LIMIT);
    assert_true(ms < 100);

    assert_int_equal(test_run(schema, text, len, 10000000, 8 * 1024 * 1024,
                              &ms),
                     MARTECH_SCHEMA_INVALID);
    assert_true(ms < 5000);

    martech_schema_free(schema);
    free(text);
}


/* 2^40 ways through nested choices end at the steps. */
static void
test_choices(void **state)
{
    char               *text;
    double              ms;
    size_t              n, i;
    martech_schema_t   *schema;

    (void) state;

    text = test_alloc(TEST_TEXT);
    n = (size_t) sprintf(text, "{\"$defs\":{\"a40\":{\"type\":\"null\"}");

    for (i = 0; i < 40; i++) {
        n += (size_t) sprintf(text + n, ",\"a%zu\":{\"anyOf\":["
                              "{\"$ref\":\"#/$defs/a%zu\"},"
                              "{\"$ref\":\"#/$defs/a%zu\"}]}", i, i + 1,
                              i + 1);
    }

    sprintf(text + n, "},\"$ref\":\"#/$defs/a0\"}");

    schema = test_schema(text);
    assert_int_equal(test_run(schema, "1", 1, MARTECH_SCHEMA_STEPS, 4096,
                              &ms),
                     MARTECH_SCHEMA_LIMIT);
    assert_true(ms < 200);

    martech_schema_free(schema);
    free(text);
}


static void
test_deep(void **state)
{
    char                     *text;
    size_t                    i, n;
    martech_schema_t         *schema;
    martech_schema_verdict_t  verdict;

    (void) state;

    text = test_alloc(TEST_TEXT);
    schema = test_schema("{\"items\":{\"$ref\":\"#\"}}");

    for (n = 100; n <= 900; n += 400) {

        for (i = 0; i < n; i++) {
            text[i] = '[';
            text[n + i] = ']';
        }

        verdict = test_run(schema, text, 2 * n, MARTECH_SCHEMA_STEPS, 4096,
                           NULL);
        assert_int_equal(verdict, MARTECH_SCHEMA_VALID);
    }

    martech_schema_free(schema);

    /* a dynamic reference that goes in a circle ends, too */

    schema = test_schema("{\"$dynamicAnchor\":\"a\","
                         "\"$dynamicRef\":\"#a\"}");
    assert_int_equal(test_run(schema, "1", 1, MARTECH_SCHEMA_STEPS, 4096,
                              NULL),
                     MARTECH_SCHEMA_LIMIT);
    martech_schema_free(schema);

    free(text);
}


/* Schemas too large or too deep are refused, and say so. */
static void
test_large(void **state)
{
    char           *text;
    size_t          i, n;
    test_schema_t   s;

    (void) state;

    text = test_alloc(TEST_TEXT);

    n = (size_t) sprintf(text, "{\"$defs\":{\"r\":true");

    for (i = 0; i < 300; i++) {
        n += (size_t) sprintf(text + n, ",\"a%zu\":{\"$ref\":"
                              "\"#/$defs/a%zu\"}", i, i + 1);
    }

    sprintf(text + n, ",\"a300\":true}}");
    test_compile(&s, text);
    assert_null(s.schema);
    assert_non_null(strstr(s.error.reason, "in a row"));

    n = (size_t) sprintf(text, "{\"anyOf\":[true");

    for (i = 0; i < 70000; i++) {
        n += (size_t) sprintf(text + n, ",true");
    }

    sprintf(text + n, "]}");
    test_compile(&s, text);
    assert_null(s.schema);
    assert_non_null(strstr(s.error.reason, "more than 65536 schemas"));

    for (i = 0, n = 0; i < 600; i++) {
        n += (size_t) sprintf(text + n, "{\"not\":");
    }

    n += (size_t) sprintf(text + n, "true");

    for (i = 0; i < 600; i++) {
        text[n++] = '}';
    }

    text[n] = '\0';
    test_compile(&s, text);
    assert_null(s.schema);
    assert_non_null(strstr(s.error.reason, "512 deep"));

    free(text);
}


static void
test_properties(void **state)
{
    int                place;
    uint32_t           i;
    size_t             n;
    test_doc_t         doc;
    martech_schema_t  *schema;

    static const char  value[] = "{\"b\\\"\":1,\"c\":1,\"x-1\":1,\"d\":1,"
                                 "\"b\\u0022\":1}";
    static const int   want[] = {
        0, 2, MARTECH_SCHEMA_MATCHED, MARTECH_SCHEMA_UNKNOWN, 0
    };

    (void) state;

    schema = test_schema("{\"$ref\":\"#/$defs/.event\",\"$defs\":{"
                         "\".event\":{\"properties\":{\"b\\\"\":true,"
                         "\"a\":true},\"patternProperties\":{\"^x-\":true},"
                         "\"allOf\":[{\"properties\":{\"c\":true,"
                         "\"a\":true}}],\"additionalProperties\":false}}}");

    assert_int_equal(martech_schema_properties(schema), 3);
    test_str_equal(martech_schema_name(schema, 0), "b\"");
    test_str_equal(martech_schema_name(schema, 1), "a");
    test_str_equal(martech_schema_name(schema, 2), "c");

    test_open(&doc, value, strlen(value));

    for (i = 1, n = 0; i < doc.tape.nodes_count; i++, n++) {
        place = martech_schema_property(schema, &doc.tape, i);
        assert_int_equal(place, want[n]);
    }

    test_doc_close(&doc);
    martech_schema_free(schema);
}


/* Each number is less than those below it, and equal in all of its forms. */

static void
test_order(void **state)
{
    int                       order;
    size_t                    i, k, m, n;
    martech_str_t             text;
    martech_schema_decimal_t  a, b;

    static const char *const  rows[][3] = {
        { "-1e30", "-1000000000000000000000000000000", "-10.0e29" },
        { "-1234567890123456789.5", "-12345678901234567895e-1",
          "-1234567890123456789.50" },
        { "-2", "-2.0", "-20e-1" }, { "-1.51", "-151e-2", "-1.510" },
        { "-1.5", "-15e-1", "-1.50" }, { "-1", "-1.00", "-0.1e1" },
        { "-0.5", "-5e-1", "-0.50" }, { "-0.04", "-4e-2", "-0.0400" },
        { "0", "-0.0", "0e7" }, { "0.04", "4e-2", "0.0400" },
        { "0.5", "5e-1", "0.50" }, { "1", "1.0", "10e-1" },
        { "1.2", "12e-1", "1.20" }, { "1.5", "15e-1", "1.500" },
        { "2", "2.0", "2e0" },
        { "9007199254740992", "9007199254740992.0", "9007199254740992e0" },
        { "9007199254740993", "9007199254740993.0", "9007199254740993e0" },
        { "99999999999999999999", "999999999999999999990e-1",
          "99999999999999999999.0" },
    };

    (void) state;

    for (i = 0; i < 3 * sizeof(rows) / sizeof(rows[0]); i++) {

        for (k = 0; k < 3 * sizeof(rows) / sizeof(rows[0]); k++) {
            m = i / 3;
            n = k / 3;

            text.data = (const unsigned char *) rows[m][i % 3];
            text.len = strlen(rows[m][i % 3]);
            martech_schema_decimal(&a, text);

            text.data = (const unsigned char *) rows[n][k % 3];
            text.len = strlen(rows[n][k % 3]);
            martech_schema_decimal(&b, text);

            order = martech_schema_decimal_compare(&a, &b);

            if ((order > 0) - (order < 0) != (m > n) - (m < n)) {
                fail_msg("%s and %s: %d", rows[m][i % 3], rows[n][k % 3],
                         order);
            }

            if (m == n) {
                assert_true(martech_schema_decimal_hash(&a)
                            == martech_schema_decimal_hash(&b));
            }
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_noted),
        cmocka_unit_test(test_more),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_unique),
        cmocka_unit_test(test_choices),
        cmocka_unit_test(test_deep),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_properties),
    };

    return cmocka_run_group_tests_name("martech_schema", tests, NULL, NULL);
}
