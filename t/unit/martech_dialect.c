
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Runs the cases of t/cases/dialect: a request of a client, the batch that
 * its dialect makes of it, what the event model says of each event, and the
 * answer.  t/cases/README.md tells what a case is made of.
 *
 * The folder is $MARTECH_CASES, or t/cases of the source tree that this
 * program was built in.  No case found is a failure.
 */


/* system */
#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* libraries */
#include <jansson.h>

#include "martech_event_test.h"

/* martech */
#include "martech_dialect.h"
#include "martech_form.h"


#define TEST_CASES_MAX    2000
#define TEST_HEADERS_MAX  32
#define TEST_OUT_SIZE     (1024 * 1024)


typedef struct {
    martech_str_t           name;        /* lower case */
    martech_str_t           value;
} test_header_t;


/* A case with all that it is run with. */
typedef struct {
    char                    path[PATH_MAX];
    char                    name[320];
    char                    dialect[64];

    martech_str_t           text;        /* of the request, own block */
    martech_str_t           conf_text;
    test_header_t           headers[TEST_HEADERS_MAX];
    size_t                  nheaders;
    martech_request_t       request;
    martech_dialect_conf_t  conf;
    martech_limits_t        limits;
    martech_json_tape_t     tape;
    martech_translation_t   t;
    martech_verdict_t       verdict;
} test_case_t;


typedef struct {
    struct CMUnitTest       tests[TEST_CASES_MAX];
    test_case_t            *cases[TEST_CASES_MAX];
    size_t                  count;
} test_suite_t;


/* Blocks that live until the end, reachable for who looks for leaks. */
static struct test_kept_s {
    struct test_kept_s  *next;
    void                *block;
} *test_kept;


static void *
test_keep(void *block)
{
    struct test_kept_s  *kept;

    kept = test_alloc(sizeof(struct test_kept_s));
    kept->next = test_kept;
    kept->block = block;
    test_kept = kept;

    return block;
}


static martech_str_t
test_file(const test_case_t *c, const char *name)
{
    long           size;
    FILE          *f;
    char           path[PATH_MAX + 32];
    martech_str_t  file = { 0, NULL };
    void          *data;

    snprintf(path, sizeof(path), "%s/%s", c->path, name);

    f = fopen(path, "rb");
    if (f == NULL) {
        return file;
    }

    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    size = ftell(f);
    assert_true(size >= 0);
    rewind(f);

    data = test_keep(test_alloc((size_t) size));
    file.len = fread(data, 1, (size_t) size, f);
    file.data = data;

    assert_int_equal(file.len, (size_t) size);
    fclose(f);

    return file;
}


static martech_str_t
test_trim(martech_str_t text)
{
    while (text.len > 0 && isspace(text.data[text.len - 1])) {
        text.len--;
    }

    return text;
}


/* Takes a line off a text; 0 if there is none. */
static int
test_line(martech_str_t *rest, martech_str_t *line)
{
    const unsigned char  *p;

    if (rest->len == 0) {
        return 0;
    }

    p = memchr(rest->data, '\n', rest->len);

    line->data = rest->data;
    line->len = p ? (size_t) (p - rest->data) : rest->len;

    rest->len -= p ? line->len + 1 : line->len;
    rest->data += p ? line->len + 1 : line->len;

    if (line->len > 0 && line->data[line->len - 1] == '\r') {
        line->len--;
    }

    return 1;
}


/* What stands in front of a character; the text goes on behind it. */
static martech_str_t
test_until(martech_str_t *text, int ch)
{
    martech_str_t         part;
    const unsigned char  *p;

    p = memchr(text->data, ch, text->len);

    part.data = text->data;
    part.len = p ? (size_t) (p - text->data) : text->len;

    text->len -= p ? part.len + 1 : part.len;
    text->data += p ? part.len + 1 : part.len;

    return part;
}


static martech_str_t
test_header(const martech_request_t *request, const char *name, size_t len)
{
    size_t              i;
    martech_str_t       none = { 0, NULL };
    const test_case_t  *c;

    c = request->data;

    for (i = 0; i < c->nheaders; i++) {
        if (c->headers[i].name.len == len
            && strncasecmp((const char *) c->headers[i].name.data, name, len)
               == 0)
        {
            return c->headers[i].value;
        }
    }

    return none;
}


static int
test_each(const martech_request_t *request, unsigned i, martech_str_t *name,
    martech_str_t *value)
{
    const test_case_t  *c;

    c = request->data;

    if (i >= c->nheaders) {
        return 0;
    }

    *name = c->headers[i].name;
    *value = c->headers[i].value;

    return 1;
}


static martech_str_t
test_cookie(const martech_request_t *request, const char *name, size_t len)
{
    martech_str_t  all, pair, key, none = { 0, NULL };

    all = test_header(request, "cookie", 6);

    while (all.len > 0) {
        pair = test_until(&all, ';');

        while (pair.len > 0 && pair.data[0] == ' ') {
            pair.data++;
            pair.len--;
        }

        key = test_until(&pair, '=');

        if (key.len == len && memcmp(key.data, name, len) == 0) {
            return pair;
        }
    }

    return none;
}


static unsigned
test_method(martech_str_t word)
{
    size_t  i;

    static const struct {
        const char  *name;
        unsigned     bit;
    } methods[] = {
        { "GET", MARTECH_GET }, { "HEAD", MARTECH_HEAD },
        { "POST", MARTECH_POST }, { "OPTIONS", MARTECH_OPTIONS },
        { "PUT", MARTECH_PUT }, { "DELETE", MARTECH_DELETE },
    };

    for (i = 0; i < test_count(methods); i++) {
        if (strlen(methods[i].name) == word.len
            && memcmp(methods[i].name, word.data, word.len) == 0)
        {
            return methods[i].bit;
        }
    }

    return 0;
}


/*
 * The file "request": request line, headers, an empty line, the body without
 * its last line feed; a file "body" has it byte for byte instead.
 */
static void
test_request(test_case_t *c)
{
    size_t              len;
    martech_str_t       rest, line, target, body;
    unsigned char      *decoded;
    martech_request_t  *r;

    c->text = test_file(c, "request");

    if (c->text.data == NULL) {
        test_fail("%s: no file request", c->name);
    }

    r = &c->request;
    rest = c->text;

    assert_true(test_line(&rest, &line));

    r->method = test_method(test_until(&line, ' '));
    target = test_until(&line, ' ');
    r->path = test_until(&target, '?');
    r->args = target;

    decoded = test_keep(test_alloc(r->path.len));
    r->path = martech_form_decode(r->path, decoded);

    while (test_line(&rest, &line) && line.len > 0) {
        assert_true(c->nheaders < TEST_HEADERS_MAX);

        c->headers[c->nheaders].name = test_until(&line, ':');

        len = strspn((const char *) line.data, " ");
        line.data += len;
        line.len -= len;

        c->headers[c->nheaders++].value = line;
    }

    body = test_file(c, "body");

    if (body.data == NULL) {
        body = rest;

        if (body.len > 0 && body.data[body.len - 1] == '\n') {
            body.len--;
        }
    }

    /* a block of its size, so that a byte beyond it is found */

    r->body.data = test_keep(test_copy(body.data, body.len));
    r->body.len = body.len;

    r->header = test_header;
    r->cookie = test_cookie;
    r->each = test_each;
    r->data = c;

    r->content_type = test_header(r, "content-type", 12);
    r->host = test_header(r, "host", 4);
    r->visitor = test_header(r, "test-visitor", 12);
    r->prefix = test_header(r, "test-prefix", 11);
    r->scheme = test_str("https");
    r->now_ms = TEST_NOW_MS;
    r->conf = &c->conf;
}


/* The file "conf": a line "post_path=", "redirect=" or "redirect_key=". */
static void
test_conf(test_case_t *c)
{
    martech_str_t  rest, line, name;

    c->conf.enabled = 1;
    c->conf_text = test_file(c, "conf");
    rest = c->conf_text;

    while (test_line(&rest, &line)) {
        name = test_until(&line, '=');

        if (martech_form_is(name, "post_path", 9)) {
            c->conf.path = line;

        } else if (martech_form_is(name, "redirect", 8)) {
            c->conf.targets[c->conf.ntargets++] = line;

        } else if (martech_form_is(name, "redirect_key", 12)) {
            c->conf.key = line;

        } else {
            test_fail("%s: conf: \"%.*s\"", c->name, (int) name.len,
                      (const char *) name.data);
        }
    }
}


static void
test_equal(const test_case_t *c, const char *name, const void *got, size_t len)
{
    martech_str_t  want;

    want = test_trim(test_file(c, name));

    if (want.data == NULL) {
        test_fail("%s: no file %s, got\n%.*s", c->name, name, (int) len,
                  (const char *) got);
    }

    if (want.len != len || memcmp(want.data, got, len) != 0) {
        test_fail("%s: got\n%.*s\nwant (%s)\n%.*s", c->name, (int) len,
                  (const char *) got, name, (int) want.len,
                  (const char *) want.data);
    }

}


/* As JSON values: white space and the order of members do not count. */
static void
test_batch_equal(const test_case_t *c, const void *got, size_t len)
{
    char          *text;
    json_t        *have, *want;
    json_error_t   error;
    martech_str_t  file;

    file = test_file(c, "batch.json");

    if (file.data == NULL) {
        test_fail("%s: no file batch.json, got\n%.*s", c->name, (int) len,
                  (const char *) got);
    }

    have = json_loadb(got, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL,
                      &error);

    if (have == NULL) {
        test_fail("%s: the batch is not JSON: %s\n%.*s", c->name, error.text,
                  (int) len, (const char *) got);
    }

    want = json_loadb((const char *) file.data, file.len,
                      JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);

    if (want == NULL) {
        test_fail("%s: batch.json:%d: %s", c->name, error.line, error.text);
    }

    if (!json_equal(have, want)) {
        text = test_keep(json_dumps(have, JSON_INDENT(2)));
        test_fail("%s: got\n%s", c->name, text);
    }

    json_decref(have);
    json_decref(want);
}


/*
 * What the event model says of each event, a line each: "ok", or code and
 * pointer.  The file "events" is needed only if one of them is refused.
 */
static void
test_events(test_case_t *c, const martech_endpoint_t *endpoint,
    martech_str_t batch)
{
    char           got[65536];
    size_t         len;
    uint32_t       i;
    martech_rc_t   rc;
    test_event_t   t;

    test_event_init(&t);

    rc = test_event_open(&t, endpoint->native ? endpoint->type
                                              : MARTECH_EVENT_UNKNOWN,
                         batch.data, batch.len);
    len = 0;

    if (rc != MARTECH_OK) {
        len += (size_t) snprintf(got, sizeof(got), "%s %s\n",
                                 martech_rc_name(rc), t.field);
    }

    for (i = 0; rc == MARTECH_OK && i < t.batch.count; i++) {
        c->verdict.events++;

        if (test_event_build(&t, i) == MARTECH_OK) {
            c->verdict.accepted++;
            len += (size_t) snprintf(got + len, sizeof(got) - len, "ok\n");
            continue;
        }

        len += (size_t) snprintf(got + len, sizeof(got) - len, "%s%s%s\n",
                     martech_rc_name(test_event_build(&t, i)),
                     t.ev.field[0] ? " " : "", t.ev.field);
    }

    test_event_close(&t);

    if (rc == MARTECH_OK && c->verdict.accepted == c->verdict.events) {
        return;
    }

    if (rc != MARTECH_OK || c->verdict.accepted == 0) {
        c->verdict.status = 400;
    }

    /* the last line may end with an empty pointer */

    while (len > 0 && isspace((unsigned char) got[len - 1])) {
        len--;
    }

    test_equal(c, "events", got, len);
}


/* The file "reply": "STATUS TYPE", headers, an empty line, the body. */
static void
test_reply(test_case_t *c, const martech_endpoint_t *endpoint)
{
    char             got[2 * MARTECH_REPLY_SIZE];
    size_t           i, len;
    martech_str_t    want;
    unsigned char    buf[MARTECH_REPLY_SIZE];
    martech_reply_t  reply;

    memset(&reply, 0, sizeof(reply));

    reply.buf = buf;
    reply.size = sizeof(buf);

    /* the body is gone when a request is answered */

    c->request.body.data = NULL;
    c->request.body.len = 0;
    c->request.note = c->t.note;

    if (endpoint->reply
        && (c->verdict.status == 0 || endpoint->image || endpoint->always))
    {
        endpoint->reply(&c->request, &c->verdict, &reply);
    }

    want = test_file(c, "reply");

    if (want.data == NULL) {
        return;
    }


    len = (size_t) snprintf(got, sizeof(got), "%u %s\n", reply.status,
                            reply.type ? reply.type : "-");

    for (i = 0; i < reply.nheaders; i++) {
        len += (size_t) snprintf(got + len, sizeof(got) - len, "%s: %.*s\n",
                                 reply.headers[i].name,
                                 (int) reply.headers[i].value.len,
                                 (const char *) reply.headers[i].value.data);
    }

    if (reply.type && strcmp(reply.type, "image/gif") == 0) {
        len += (size_t) snprintf(got + len, sizeof(got) - len, "\n(image)");

    } else {
        len += (size_t) snprintf(got + len, sizeof(got) - len, "\n%.*s",
                                 (int) reply.body.len,
                                 (const char *) reply.body.data);
    }

    while (len > 0 && isspace((unsigned char) got[len - 1])) {
        len--;
    }

    test_equal(c, "reply", got, len);
}


/* The file "visitor": the id that a header of the dialect's own brings. */
static void
test_visitor(test_case_t *c, const martech_endpoint_t *endpoint)
{
    martech_str_t  id;
    unsigned char  buf[MARTECH_ID_SIZE_MAX];

    if (endpoint->visitor == NULL) {
        return;
    }

    id = endpoint->visitor(&c->request, buf);

    if (id.len > 0 || test_file(c, "visitor").data) {
        test_equal(c, "visitor", id.data, id.len);
    }
}


/* Translates in blocks of the promised size; NULL out on a refusal. */
static martech_rc_t
test_translate(test_case_t *c, const martech_endpoint_t *endpoint)
{
    martech_rc_t            rc;
    martech_translation_t  *t;

    t = &c->t;

    t->request = &c->request;
    t->limits = &c->limits;
    t->tape = &c->tape;
    t->field = "";
    t->offset = -1;
    t->scratch_size = 4 * (c->request.body.len + c->request.args.len) + 4096;
    t->scratch = test_keep(test_alloc(t->scratch_size));

    c->tape.nodes_max = 65536;
    c->tape.nodes = test_alloc(c->tape.nodes_max
                               * sizeof(martech_json_node_t));

    martech_json_writer_init(&t->out, test_keep(test_alloc(TEST_OUT_SIZE)),
                             TEST_OUT_SIZE);

    rc = endpoint->translate(t);

    free(c->tape.nodes);

    return (rc == MARTECH_OK && t->out.overflow) ? MARTECH_BATCH_SIZE : rc;
}


static void
test_dialect_case(void **state)
{
    int                        n;
    char                       error[256];
    martech_rc_t               rc;
    test_case_t               *c;
    martech_str_t              name, batch;
    const martech_endpoint_t  *endpoint;

    c = *state;

    martech_limits_default(&c->limits);
    test_conf(c);
    test_request(c);

    name.data = (const unsigned char *) c->dialect;
    name.len = strlen(c->dialect);

    n = martech_dialect_find(name);

    if (n < 0) {
        test_fail("%s: there is no dialect \"%s\"", c->name, c->dialect);
    }

    endpoint = martech_dialects[n]->match(&c->request);

    if (endpoint == NULL || !(endpoint->methods & c->request.method)) {
        test_equal(c, "error", endpoint ? "method" : "path",
                   endpoint ? 6 : 4);
        return;
    }

    if (endpoint->silent) {
        test_reply(c, endpoint);
        return;
    }

    test_visitor(c, endpoint);

    batch = c->request.body;

    if (!endpoint->native) {
        rc = test_translate(c, endpoint);

        if (rc != MARTECH_OK) {
            snprintf(error, sizeof(error), "%s %s", martech_rc_name(rc),
                     c->t.field);
            name.data = (const unsigned char *) error;
            name.len = strlen(error);
            name = test_trim(name);
            test_equal(c, "error", name.data, name.len);
            c->verdict.status = 400;
            test_reply(c, endpoint);
            return;
        }

        batch.data = c->t.out.start;
        batch.len = (size_t) (c->t.out.pos - c->t.out.start);

        test_batch_equal(c, batch.data, batch.len);
    }

    test_events(c, endpoint, batch);
    test_reply(c, endpoint);
}


static int
test_is_case(const char *path)
{
    char         file[PATH_MAX];
    struct stat  st;

    snprintf(file, sizeof(file), "%.4000s/request", path);

    return stat(file, &st) == 0;
}


static void
test_add(test_suite_t *suite, const char *root, const char *dialect,
    const char *folder)
{
    test_case_t  *c;

    c = test_keep(test_alloc(sizeof(test_case_t)));
    memset(c, 0, sizeof(test_case_t));

    snprintf(c->path, sizeof(c->path), "%.3000s/dialect/%.60s/%.200s", root,
             dialect, folder);
    snprintf(c->name, sizeof(c->name), "%.60s/%.200s", dialect, folder);
    snprintf(c->dialect, sizeof(c->dialect), "%.60s", dialect);

    if (folder[0] == '.' || !test_is_case(c->path)
        || suite->count == TEST_CASES_MAX)
    {
        return;
    }

    suite->cases[suite->count] = c;
    suite->tests[suite->count] = (struct CMUnitTest) {
        .name = c->name,
        .test_func = test_dialect_case,
        .initial_state = c,
    };
    suite->count++;
}


static void
test_collect(test_suite_t *suite, const char *root)
{
    int              i, n, j, m;
    char             path[PATH_MAX];
    struct dirent  **dialects, **cases;

    snprintf(path, sizeof(path), "%.4000s/dialect", root);
    n = scandir(path, &dialects, NULL, alphasort);

    for (i = 0; i < n; i++) {
        snprintf(path, sizeof(path), "%.3000s/dialect/%s", root,
                 dialects[i]->d_name);

        m = (dialects[i]->d_name[0] == '.')
            ? 0 : scandir(path, &cases, NULL, alphasort);

        for (j = 0; j < m; j++) {
            test_add(suite, root, dialects[i]->d_name, cases[j]->d_name);
            free(cases[j]);
        }

        if (m > 0) {
            free(cases);
        }

        free(dialects[i]);
    }

    if (n >= 0) {
        free(dialects);
    }
}


/* $MARTECH_CASES, or the tree around build/unit/, or the current folder. */
static void
test_root(char *buf, size_t size)
{
    int          i;
    char        *slash, exe[PATH_MAX];
    ssize_t      n;
    const char  *env;

    env = getenv("MARTECH_CASES");
    n = env ? -1 : readlink("/proc/self/exe", exe, sizeof(exe) - 1);

    if (n < 0) {
        snprintf(buf, size, "%s", env ? env : "t/cases");
        return;
    }

    exe[n] = '\0';

    /* build/unit/program */

    for (i = 0; i < 3; i++) {
        slash = strrchr(exe, '/');

        if (slash) {
            *slash = '\0';
        }
    }

    snprintf(buf, size, "%.4000s/t/cases", exe);
}


int
main(void)
{
    char          root[PATH_MAX];

    static test_suite_t  suite;

    test_root(root, sizeof(root));
    test_collect(&suite, root);

    if (suite.count == 0) {
        fprintf(stderr, "no case found below %s/dialect\n", root);
        return 1;
    }

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return _cmocka_run_group_tests("dialect", suite.tests, suite.count,
                                   NULL, NULL);
}
