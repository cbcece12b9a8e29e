
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Runs the cases of t/cases, one TAP line each; t/cases/README.md tells what
 * a case is made of.  A new case needs a folder, and no line of C.
 *
 * The folder is $MARTECH_CASES, or t/cases of the source tree that this
 * program was built in.  No case found is a failure.
 */


/* system */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "martech_event_test.h"

/* martech */
#include "martech_time.h"


#define TEST_CASES_MAX  2000
#define TEST_FILE_MAX   (4 * 1024 * 1024)


typedef struct {
    unsigned char         *data;         /* NULL: no such file */
    size_t                 len;
} test_file_t;


/* What a test gets: the folder of its case, and its name for TAP. */
typedef struct {
    char                   path[PATH_MAX];
    char                   name[320];    /* of group and folder */
} test_case_t;


typedef struct {
    struct CMUnitTest      tests[TEST_CASES_MAX];
    test_case_t           *cases[TEST_CASES_MAX];
    size_t                 count;
} test_suite_t;


static void test_event_case(void **state);
static void test_json_valid_case(void **state);
static void test_json_invalid_case(void **state);


/* The folders of cases and what runs them. */
static const struct {
    const char            *folder;
    CMUnitTestFunction     run;
} test_groups[] = {
    { "event", test_event_case },
    { "json/valid", test_json_valid_case },
    { "json/invalid", test_json_invalid_case },
};


/* A file of a case in a block of its size; data is NULL if there is none. */
static test_file_t
test_file(const test_case_t *c, const char *name)
{
    FILE         *f;
    char          path[PATH_MAX + 32];
    test_file_t   file;

    file.data = NULL;
    file.len = 0;

    snprintf(path, sizeof(path), "%s/%s", c->path, name);

    f = fopen(path, "rb");
    if (f == NULL) {
        return file;
    }

    file.data = test_alloc(TEST_FILE_MAX);
    file.len = fread(file.data, 1, TEST_FILE_MAX, f);

    if (ferror(f) || file.len == TEST_FILE_MAX) {
        test_fail("%s: cannot read, or too large", path);
    }

    fclose(f);

    file.data = realloc(file.data, file.len ? file.len : 1);

    return file;
}


static test_file_t
test_file_needed(const test_case_t *c, const char *name)
{
    test_file_t  file;

    file = test_file(c, name);
    if (file.data == NULL) {
        test_fail("%s: no %s", c->name, name);
    }

    return file;
}


/* Bytes against a file, which ends with a line feed that is not part of it. */
static void
test_file_equal(const test_case_t *c, const char *name, test_file_t file,
    const void *data, size_t len)
{
    size_t  n;

    n = file.len;

    if (n > 0 && file.data[n - 1] == '\n') {
        n--;
    }

    if (n != len || (n != 0 && memcmp(file.data, data, n) != 0)) {
        test_fail("%s: got\n%.*s\nwant (%s)\n%.*s", c->name, (int) len,
                  (const char *) data, name, (int) n, file.data);
    }
}


static int64_t
test_fact_number(const test_doc_t *doc, const char *pointer, int64_t def)
{
    char           buf[32];
    uint32_t       node;
    martech_str_t  s;

    node = martech_json_pointer(&doc->tape, 0, pointer);
    if (node == MARTECH_JSON_NONE) {
        return def;
    }

    s = martech_json_slice(&doc->tape, node);
    snprintf(buf, sizeof(buf), "%.*s", (int) s.len, (const char *) s.data);

    return strtoll(buf, NULL, 10);
}


/* The text lives as long as the document, and is un-escaped in place. */
static void
test_fact_string(test_doc_t *doc, const char *pointer, martech_str_t *fact)
{
    long           n;
    uint32_t       node;
    martech_str_t  s;

    node = martech_json_pointer(&doc->tape, 0, pointer);
    if (node == MARTECH_JSON_NONE) {
        return;
    }

    s = martech_json_slice(&doc->tape, node);

    fact->data = doc->text + doc->tape.nodes[node].value;
    n = martech_json_unescape(s, doc->text + doc->tape.nodes[node].value,
                              s.len);
    assert_true(n >= 0);
    fact->len = (size_t) n;
}


/*
 * Takes over what facts.json says; the rest stays as test_event_init() set
 * it.  Returns the type of the request.
 */
static martech_event_type_t
test_facts(const test_case_t *c, test_event_t *t, test_doc_t *doc)
{
    int64_t            now;
    martech_str_t      type = { 0, NULL }, text = { 0, NULL };
    test_file_t        file;
    martech_rc_t       rc;
    martech_limits_t  *l;

    file = test_file(c, "facts.json");
    if (file.data == NULL) {
        return MARTECH_EVENT_UNKNOWN;
    }

    rc = test_doc_scan(doc, file.data, file.len, 256, &t->limits);
    free(file.data);

    if (rc != MARTECH_OK) {
        test_fail("%s: facts.json: %s", c->name, martech_rc_name(rc));
    }

    test_fact_string(doc, "/now", &text);

    if (text.len != 0) {
        if (martech_time_parse(text.data, text.len, &now) != MARTECH_OK) {
            test_fail("%s: facts.json: bad \"now\"", c->name);
        }

        t->facts.now_ms = (uint64_t) now;
    }

    t->facts.random[0] = (uint64_t) test_fact_number(doc, "/random/0", 0);
    t->facts.random[1] = (uint64_t) test_fact_number(doc, "/random/1", 0);

    test_fact_string(doc, "/source", &t->facts.source);
    test_fact_string(doc, "/requestId", &t->facts.request_id);
    test_fact_string(doc, "/dialect", &t->facts.dialect);
    test_fact_string(doc, "/ip", &t->facts.ip);
    test_fact_string(doc, "/userAgent", &t->facts.user_agent);
    test_fact_string(doc, "/visitor", &t->facts.visitor);
    test_fact_string(doc, "/pageRequestId", &t->facts.page);

    text.len = 0;
    test_fact_string(doc, "/traceparent", &text);
    t->facts.traceparent = martech_traceparent(text);

    l = &t->limits;

    l->event_size_max = (size_t) test_fact_number(doc, "/limits/eventSize",
                                            (int64_t) l->event_size_max);
    l->batch_count_max = (uint32_t) test_fact_number(doc,
                                   "/limits/batchCount", l->batch_count_max);
    l->message_id_max = (uint32_t) test_fact_number(doc,
                                    "/limits/messageId", l->message_id_max);

    test_fact_string(doc, "/type", &type);

    if (type.len == 0) {
        return MARTECH_EVENT_UNKNOWN;
    }

    if (martech_event_type(type) == MARTECH_EVENT_UNKNOWN) {
        test_fail("%s: facts.json: bad \"type\"", c->name);
    }

    return martech_event_type(type);
}


/* Adds one line for an event: itself, or how it was refused. */
static size_t
test_event_line(test_event_t *t, uint32_t index, unsigned char *p,
    size_t size)
{
    martech_rc_t           rc;
    martech_json_writer_t  w;

    martech_json_writer_init(&w, p, size);

    rc = test_event_build(t, index);

    if (rc == MARTECH_OK) {
        martech_json_bytes(&w, t->out, t->ev.len);

    } else {
        martech_json_begin(&w, '{');
        martech_json_name(&w, "refused");
        martech_json_cstring(&w, martech_rc_name(rc));
        martech_json_name(&w, "field");
        martech_json_cstring(&w, t->ev.field);
        martech_json_end(&w, '}');
    }

    if (index + 1 < t->batch.count) {
        martech_json_bytes(&w, "\n", 1);
    }

    assert_int_equal(w.overflow, 0);

    return (size_t) (w.pos - w.start);
}


static void
test_event_case(void **state)
{
    size_t                 len;
    uint32_t               i;
    test_doc_t             facts;
    test_file_t            input, want;
    test_event_t           t;
    martech_rc_t           rc;
    unsigned char         *got;
    const char            *field;
    const test_case_t     *c;
    martech_event_type_t   type;

    c = *state;

    memset(&facts, 0, sizeof(facts));
    test_event_init(&t);

    type = test_facts(c, &t, &facts);
    input = test_file_needed(c, "input.json");

    got = test_alloc(TEST_FILE_MAX);
    len = 0;

    rc = test_doc_scan(&t.doc, input.data, input.len, 65536, &t.limits);
    field = "";

    if (rc == MARTECH_OK) {
        rc = martech_batch_open(&t.batch, &t.doc.tape, type, &t.limits,
                                &t.field);
        field = t.field;
    }

    if (rc == MARTECH_OK && t.batch.single) {
        rc = test_event_build(&t, 0);
        field = t.ev.field;
    }

    if (rc != MARTECH_OK) {
        len = (size_t) snprintf((char *) got, TEST_FILE_MAX, "%s %s",
                                martech_rc_name(rc), field);

        if (len > 0 && got[len - 1] == ' ') {
            len--;
        }

        want = test_file(c, "error");
        if (want.data == NULL) {
            test_fail("%s: %.*s, but no file error", c->name, (int) len, got);
        }

        test_file_equal(c, "error", want, got, len);

    } else {
        for (i = 0; i < t.batch.count; i++) {
            len += test_event_line(&t, i, got + len, TEST_FILE_MAX - len);
        }

        want = test_file_needed(c, "expected.json");
        test_file_equal(c, "expected.json", want, got, len);
    }

    free(got);
    free(want.data);
    free(input.data);
    test_doc_close(&facts);
    test_event_close(&t);
}


/* A name or a string, un-escaped and escaped again by the writer. */
static void
test_json_write_string(martech_json_writer_t *w, martech_str_t s)
{
    long            n;
    unsigned char  *buf;

    buf = malloc(s.len);

    n = martech_json_unescape(s, buf, s.len);
    assert_true(n >= 0);

    martech_json_string(w, buf, (size_t) n);
    free(buf);
}


/* Writes the tree of a node again; its depth is bounded by the scan. */
static void
test_json_write(martech_json_writer_t *w, const martech_json_tape_t *tape,
    uint32_t node)
{
    int                         object;
    uint32_t                    i;
    martech_str_t               name;
    const martech_json_node_t  *n;

    n = &tape->nodes[node];

    if (n->kind == MARTECH_JSON_STRING) {
        test_json_write_string(w, martech_json_slice(tape, node));
        return;
    }

    if (n->kind != MARTECH_JSON_ARRAY && n->kind != MARTECH_JSON_OBJECT) {
        name = martech_json_slice(tape, node);
        martech_json_raw(w, name.data, name.len);
        return;
    }

    object = (n->kind == MARTECH_JSON_OBJECT);
    martech_json_begin(w, object ? '{' : '[');

    for (i = node + 1; i < n->next; i = tape->nodes[i].next) {

        if (object) {
            name.data = tape->text + tape->nodes[i].key;
            name.len = tape->nodes[i].key_len;
            test_json_write_string(w, name);

            martech_json_bytes(w, ":", 1);
            w->comma = 0;
        }

        test_json_write(w, tape, i);
    }

    martech_json_end(w, object ? '}' : ']');
}


static void
test_json_valid_case(void **state)
{
    test_doc_t              doc;
    test_file_t             input, want;
    martech_rc_t            rc;
    unsigned char          *got;
    martech_limits_t        limits;
    const test_case_t      *c;
    martech_json_writer_t   w;

    c = *state;
    martech_limits_default(&limits);

    input = test_file_needed(c, "input.json");
    want = test_file_needed(c, "expected.json");
    got = test_alloc(TEST_FILE_MAX);

    rc = test_doc_scan(&doc, input.data, input.len, 4096, &limits);
    if (rc != MARTECH_OK) {
        test_fail("%s: %s at %zu", c->name, martech_rc_name(rc),
                  doc.tape.error_offset);
    }

    martech_json_writer_init(&w, got, TEST_FILE_MAX);
    test_json_write(&w, &doc.tape, 0);
    assert_int_equal(w.overflow, 0);

    test_file_equal(c, "expected.json", want, got,
                    (size_t) (w.pos - w.start));

    free(got);
    free(want.data);
    free(input.data);
    test_doc_close(&doc);
}


static void
test_json_invalid_case(void **state)
{
    test_doc_t          doc;
    test_file_t         input, want;
    martech_rc_t        rc;
    const char         *name;
    martech_limits_t    limits;
    const test_case_t  *c;

    c = *state;
    martech_limits_default(&limits);

    input = test_file_needed(c, "input.json");
    want = test_file_needed(c, "error");

    rc = test_doc_scan(&doc, input.data, input.len, 4096, &limits);
    name = martech_rc_name(rc);

    test_file_equal(c, "error", want, name, strlen(name));
    assert_true(doc.tape.error_offset <= input.len);

    free(want.data);
    free(input.data);
    test_doc_close(&doc);
}


static void
test_suite_add(test_suite_t *suite, const char *root, size_t group,
    const char *name)
{
    test_case_t        *c;
    struct CMUnitTest  *test;

    if (suite->count == TEST_CASES_MAX) {
        fprintf(stderr, "more than %d cases\n", TEST_CASES_MAX);
        exit(2);
    }

    c = test_alloc(sizeof(test_case_t));

    snprintf(c->name, sizeof(c->name), "%s/%s", test_groups[group].folder,
             name);

    if ((size_t) snprintf(c->path, sizeof(c->path), "%s/%s", root, c->name)
        >= sizeof(c->path))
    {
        fprintf(stderr, "path of %s is too long\n", c->name);
        exit(2);
    }

    test = &suite->tests[suite->count];

    test->name = c->name;
    test->test_func = test_groups[group].run;
    test->setup_func = NULL;
    test->teardown_func = NULL;
    test->initial_state = c;

    suite->cases[suite->count++] = c;
}


/* Adds each folder of a group, in the order of names. */
static int
test_suite_load(test_suite_t *suite, const char *root, size_t group)
{
    int              i, n, found;
    char             path[PATH_MAX + 64];
    struct dirent  **entries;

    snprintf(path, sizeof(path), "%s/%s", root, test_groups[group].folder);

    n = scandir(path, &entries, NULL, alphasort);
    if (n < 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return 0;
    }

    found = 0;

    for (i = 0; i < n; i++) {

        if (entries[i]->d_name[0] != '.') {
            test_suite_add(suite, root, group, entries[i]->d_name);
            found++;
        }

        free(entries[i]);
    }

    free(entries);

    if (found == 0) {
        fprintf(stderr, "%s: no case\n", path);
    }

    return found;
}


/* $MARTECH_CASES, or the tree around build/unit/, or the current folder. */
static const char *
test_root(char *buf, size_t size)
{
    int          i;
    char        *slash, exe[PATH_MAX];
    ssize_t      n;
    const char  *env;
    struct stat  st;

    env = getenv("MARTECH_CASES");
    if (env != NULL) {
        return env;
    }

    n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

    if (n > 0) {
        exe[n] = '\0';

        for (i = 0; i < 3; i++) {
            slash = strrchr(exe, '/');
            if (slash == NULL) {
                break;
            }

            *slash = '\0';
        }

        if ((size_t) snprintf(buf, size, "%s/t/cases", exe) < size
            && stat(buf, &st) == 0)
        {
            return buf;
        }
    }

    return "t/cases";
}


int
main(void)
{
    int            rc;
    char           buf[PATH_MAX];
    size_t         i;
    const char    *root;
    test_suite_t  *suite;

    cmocka_set_message_output(CM_OUTPUT_TAP);

    root = test_root(buf, sizeof(buf));

    suite = calloc(1, sizeof(test_suite_t));
    if (suite == NULL) {
        return 2;
    }

    rc = 0;

    for (i = 0; i < test_count(test_groups); i++) {
        if (test_suite_load(suite, root, i) == 0) {
            printf("Bail out! no cases in %s/%s\n", root,
                   test_groups[i].folder);
            rc = 2;
            break;
        }
    }

    if (rc == 0) {

        /* the macro of cmocka takes arrays of a fixed size only */

        rc = _cmocka_run_group_tests("cases", suite->tests, suite->count,
                                     NULL, NULL);
    }

    for (i = 0; i < suite->count; i++) {
        free(suite->cases[i]);
    }

    free(suite);

    return rc;
}
