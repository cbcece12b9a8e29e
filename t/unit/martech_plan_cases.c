
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Runs the tables of t/cases/plan: wrong plans and what is said of them, right
 * ones, and events with their verdicts.  Each table tells its own form.
 */


/* system */
#include <limits.h>
#include <unistd.h>

#include "martech_plan_test.h"


/* A case of a table: its lines are a title, an input and a result. */
typedef struct {
    const char  *title;
    char        *input;
    char        *result;
} test_case_t;


static char *
test_read(const char *name)
{
    int          i;
    char        *slash, *text, exe[PATH_MAX], path[PATH_MAX + 64];
    FILE        *f;
    long         size;
    ssize_t      n;
    const char  *root;

    root = getenv("MARTECH_CASES");
    n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

    if (root == NULL && n > 0) {
        exe[n] = '\0';

        for (i = 0; i < 3; i++) {
            slash = strrchr(exe, '/');

            if (slash != NULL) {
                *slash = '\0';
            }
        }

        (void) snprintf(path, sizeof(path), "%s/t/cases/plan/%s", exe, name);

    } else {
        (void) snprintf(path, sizeof(path), "%s/plan/%s",
                        root ? root : "t/cases", name);
    }

    f = fopen(path, "rb");
    if (f == NULL) {
        test_fail("no %s", path);
    }

    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    size = ftell(f);
    rewind(f);

    text = test_alloc((size_t) size + 1);
    assert_int_equal(fread(text, 1, (size_t) size, f), size);
    text[size] = '\0';
    fclose(f);

    return text;
}


/* Takes the next case out of a text; 0 at its end. */

static int
test_next(char **text, test_case_t *c)
{
    char  *p, *end;

    p = strstr(*text, "\n# ");
    if (p == NULL) {
        return 0;
    }

    p += 3;
    end = strchr(p, '\n');
    *end = '\0';
    c->title = p;
    c->input = end + 1;

    p = strstr(end + 1, "=> ");
    if (p == NULL) {
        test_fail("%s: no result", c->title);
    }

    end = strchr(p, '\n');
    *end = '\0';
    c->result = p + 3;

    /* the input ends where the line before the result does */

    p = (p == c->input) ? p : p - 1;
    *p = '\0';

    *text = end + 1;

    while (end > c->result && end[-1] == ' ') {
        *--end = '\0';
    }

    return 1;
}


static void
test_same(const test_case_t *c, const char *got)
{
    size_t  n;

    n = strlen(c->result);

    if (n >= 3 && strcmp(c->result + n - 3, "...") == 0) {

        if (strncmp(c->result, got, n - 3) == 0 && got[n - 3] != '\0') {
            return;
        }

    } else if (strcmp(c->result, got) == 0) {
        return;
    }

    test_fail("%s:\n  want %s\n  got  %s", c->title, c->result, got);
}


static void
test_wrong(void **state)
{
    char                  *text, *pos, got[1024];
    unsigned               count;
    test_case_t            c;
    martech_plan_t        *plan;
    martech_plan_error_t   error;

    (void) state;

    text = test_read("wrong.txt");
    pos = text;

    for (count = 0; test_next(&pos, &c); count++) {
        plan = test_plan_compile(c.input, &error);

        if (plan != NULL) {
            test_fail("%s: accepted", c.title);
        }

        (void) snprintf(got, sizeof(got), "%s: %s", error.pointer,
                        error.reason);
        test_same(&c, got);
    }

    assert_true(count >= 50);
    free(text);
}


static void
test_right(void **state)
{
    char                  *text, *pos, got[1024];
    unsigned               i, count;
    size_t                 n;
    test_case_t            c;
    martech_str_t          name;
    martech_plan_t        *plan;
    martech_plan_error_t   error;

    (void) state;

    text = test_read("right.txt");
    pos = text;

    for (count = 0; test_next(&pos, &c); count++) {
        plan = test_plan_compile(c.input, &error);

        if (plan == NULL) {
            test_fail("%s: refused: %s: %s", c.title, error.pointer,
                      error.reason);
        }

        n = (size_t) sprintf(got, "%u:", martech_plan_entries(plan));

        for (i = 0; martech_plan_entries(plan) > 0
                    && i < martech_plan_fields(plan, 0); i++)
        {
            name = martech_plan_field(plan, 0, i);
            n += (size_t) sprintf(got + n, " %.*s", (int) name.len,
                                  (const char *) name.data);
        }

        test_same(&c, got);
        martech_plan_free(plan);
    }

    assert_true(count >= 15);
    free(text);
}


static void
test_verdicts(void **state)
{
    char            *file, *text, *pos;
    unsigned         count;
    test_case_t      c;
    test_plan_t     *t;
    martech_plan_t  *plan;

    (void) state;

    file = test_read("plan.json");
    text = test_read("verdicts.txt");
    pos = text;

    plan = test_plan_open(file);
    t = test_plan_init();

    for (count = 0; test_next(&pos, &c); count++) {
        test_plan_check(t, plan, c.input);
        test_same(&c, t->words);
    }

    assert_true(count >= 40);

    test_plan_close(t);
    martech_plan_free(plan);
    free(file);
    free(text);
}


/* The example of the documentation. */

static void
test_example(void **state)
{
    char            *file;
    martech_plan_t  *plan;

    (void) state;

    file = test_read("../../../lua-free-conf/plan.json");
    plan = test_plan_open(file);

    assert_int_equal(martech_plan_entries(plan), 15);

    martech_plan_free(plan);
    free(file);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_right),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_example)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
