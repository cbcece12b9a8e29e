
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of ngx_martech_module/ngx_http_martech_resp: the replies that our
 * commands get and arrays of them, cut at every place a socket may cut them,
 * what is no reply, and the classes of errors.
 */


#include "martech_test.h"

/* the module's part without NGINX */
#include "ngx_http_martech_resp.h"


typedef struct {
    int                    type;
    size_t                 len;          /* of text */
    const char            *text;
} test_reply_t;


/* One conversation: every kind, and lengths around the room for text. */
static const char  test_wire[] =
    "+OK\r\n"
    "+\r\n"
    "-ERR unknown command 'XAD', with args beginning with: 'x'\r\n"
    ":0\r\n"
    ":-1\r\n"
    ":9223372036854775807\r\n"
    "$15\r\n1795203360123-0\r\n"
    "$0\r\n\r\n"
    "$-1\r\n"
    "*-1\r\n"
    "_\r\n"
    "$9\r\na\r\nb\0\n\r+c\r\n"
    "*2\r\n$9\r\n127.0.0.1\r\n$4\r\n6379\r\n"
    "*3\r\n$6\r\nmaster\r\n:123\r\n*1\r\n*3\r\n$3\r\n::1\r\n"
        "$4\r\n6380\r\n$3\r\n117\r\n"
    "*0\r\n"
    "*6\r\n$-1\r\n*0\r\n+OK\r\n$0\r\n\r\n*-1\r\n_\r\n"
    "+QUEUED\r\n";

static const test_reply_t  test_replies[] = {
    { NGX_HTTP_MARTECH_RESP_STATUS, 2, "OK" },
    { NGX_HTTP_MARTECH_RESP_STATUS, 0, "" },
    { NGX_HTTP_MARTECH_RESP_ERROR, 56,
      "ERR unknown command 'XAD', with args beginning with: 'x'" },
    { NGX_HTTP_MARTECH_RESP_INTEGER, 1, "0" },
    { NGX_HTTP_MARTECH_RESP_INTEGER, 2, "-1" },
    { NGX_HTTP_MARTECH_RESP_INTEGER, 19, "9223372036854775807" },
    { NGX_HTTP_MARTECH_RESP_BULK, 15, "1795203360123-0" },
    { NGX_HTTP_MARTECH_RESP_BULK, 0, "" },
    { NGX_HTTP_MARTECH_RESP_NULL, 0, "" },
    { NGX_HTTP_MARTECH_RESP_NULL, 0, "" },
    { NGX_HTTP_MARTECH_RESP_NULL, 0, "" },
    { NGX_HTTP_MARTECH_RESP_BULK, 9, "a\r\nb\0\n\r+c" },
    { NGX_HTTP_MARTECH_RESP_ARRAY, 14, "127.0.0.1\n6379" },
    { NGX_HTTP_MARTECH_RESP_ARRAY, 23, "master\n123\n::1\n6380\n117" },
    { NGX_HTTP_MARTECH_RESP_ARRAY, 0, "" },
    { NGX_HTTP_MARTECH_RESP_ARRAY, 6, "\nOK\n\n\n" },
    { NGX_HTTP_MARTECH_RESP_STATUS, 6, "QUEUED" },
};


/*
 * Gives one piece of a conversation to the parser, in a block of its own
 * size, and compares each reply that completes with the next expected one.
 */
static size_t
test_feed(ngx_http_martech_resp_t *resp, const char *data, size_t len,
    size_t done)
{
    int                    rc;
    unsigned char         *copy;
    const test_reply_t    *want;
    const unsigned char   *pos, *end, *before;

    copy = test_copy(data, len);
    pos = copy;
    end = copy + len;

    for ( ;; ) {
        before = pos;
        rc = ngx_http_martech_resp_parse(resp, &pos, end);

        assert_true(pos >= before && pos <= end);

        if (rc == 0) {
            assert_ptr_equal(pos, end);
            break;
        }

        if (rc != 1 || done == test_count(test_replies)) {
            test_fail("reply %zu: %d at %zu", done, rc,
                      (size_t) (pos - copy));
        }

        want = &test_replies[done++];

        if (resp->type != want->type || resp->len != want->len
            || memcmp(resp->text, want->text, want->len) != 0)
        {
            test_fail("reply %zu: '%c' \"%.*s\"", done, resp->type,
                      (int) resp->len, resp->text);
        }
    }

    free(copy);

    return done;
}


static void
test_whole(void **state)
{
    ngx_http_martech_resp_t  resp;

    (void) state;

    memset(&resp, 0, sizeof(resp));

    assert_int_equal(test_feed(&resp, test_wire, sizeof(test_wire) - 1, 0),
                     test_count(test_replies));
}


static void
test_split_everywhere(void **state)
{
    size_t                   len, a, b, done;
    ngx_http_martech_resp_t  resp;

    (void) state;

    len = sizeof(test_wire) - 1;

    /* byte by byte, with an empty piece before each */

    memset(&resp, 0, sizeof(resp));
    done = 0;

    for (a = 0; a < len; a++) {
        done = test_feed(&resp, test_wire + a, 0, done);
        done = test_feed(&resp, test_wire + a, 1, done);
    }

    assert_int_equal(done, test_count(test_replies));

    /* in three, cut at every two places */

    for (a = 0; a <= len; a++) {
        for (b = a; b <= len; b++) {
            memset(&resp, 0, sizeof(resp));

            done = test_feed(&resp, test_wire, a, 0);
            done = test_feed(&resp, test_wire + a, b - a, done);
            done = test_feed(&resp, test_wire + b, len - b, done);

            assert_int_equal(done, test_count(test_replies));
        }
    }
}


/* It stops right behind a reply, and the rest is the caller's. */
static void
test_stops_behind_reply(void **state)
{
    static const char  text[] = "+A\r\n:1\r\n";

    const unsigned char      *pos;
    ngx_http_martech_resp_t   resp;

    (void) state;

    memset(&resp, 0, sizeof(resp));
    pos = (const unsigned char *) text;

    assert_int_equal(ngx_http_martech_resp_parse(&resp, &pos, pos + 8), 1);
    assert_ptr_equal(pos, text + 4);
    assert_int_equal(ngx_http_martech_resp_parse(&resp, &pos,
                                         (const unsigned char *) text + 8), 1);
    assert_ptr_equal(pos, text + 8);
    assert_int_equal(resp.type, NGX_HTTP_MARTECH_RESP_INTEGER);
}


/* Text beyond its room is read and cut, and the next reply is whole. */
static void
test_long_text_is_cut(void **state)
{
    static const char  kinds[] = "+-$";

    char                     *text, *p;
    size_t                    k, n;
    const unsigned char      *pos, *end;
    ngx_http_martech_resp_t   resp;

    (void) state;

    text = test_alloc(NGX_HTTP_MARTECH_RESP_BULK_MAX + 100);

    for (k = 0; k < 3; k++) {
        for (n = 254; n <= NGX_HTTP_MARTECH_RESP_BULK_MAX; n += 1 + n / 3) {
            p = text;

            if (kinds[k] == '$') {
                p += sprintf(p, "$%zu\r\n", n);

            } else {
                *p++ = kinds[k];
            }

            memset(p, 'x', n);
            p += n;
            memcpy(p, "\r\n:7\r\n", 6);
            p += 6;

            memset(&resp, 0, sizeof(resp));
            pos = (unsigned char *) text;
            end = (unsigned char *) p;

            assert_int_equal(ngx_http_martech_resp_parse(&resp, &pos, end),
                             1);
            assert_int_equal(resp.type, kinds[k]);
            assert_int_equal(resp.len, n < NGX_HTTP_MARTECH_RESP_TEXT_MAX
                                       ? n : NGX_HTTP_MARTECH_RESP_TEXT_MAX);
            assert_int_equal(resp.cut, n > NGX_HTTP_MARTECH_RESP_TEXT_MAX);

            assert_int_equal(ngx_http_martech_resp_parse(&resp, &pos, end),
                             1);
            assert_int_equal(resp.type, NGX_HTTP_MARTECH_RESP_INTEGER);
            assert_int_equal(resp.len, 1);
            assert_int_equal(resp.cut, 0);
            assert_ptr_equal(pos, end);
        }
    }

    free(text);
}


/* Nests arrays of one element, depth of them around a "1". */
static size_t
test_nest(char *text, size_t depth)
{
    char  *p;

    for (p = text; depth > 0; depth--) {
        memcpy(p, "*1\r\n", 4);
        p += 4;
    }

    memcpy(p, ":1\r\n", 4);

    return (size_t) (p + 4 - text);
}


static void
test_depth_of_arrays(void **state)
{
    char                      text[64];
    size_t                    n;
    const unsigned char      *pos;
    ngx_http_martech_resp_t   resp;

    (void) state;

    memset(&resp, 0, sizeof(resp));
    pos = (unsigned char *) text;
    n = test_nest(text, NGX_HTTP_MARTECH_RESP_DEPTH_MAX);

    assert_int_equal(ngx_http_martech_resp_parse(&resp, &pos, pos + n), 1);
    assert_ptr_equal(pos, text + n);
    assert_int_equal(resp.type, NGX_HTTP_MARTECH_RESP_ARRAY);
    assert_int_equal(resp.len, 1);

    memset(&resp, 0, sizeof(resp));
    pos = (unsigned char *) text;
    n = test_nest(text, NGX_HTTP_MARTECH_RESP_DEPTH_MAX + 1);

    assert_int_equal(ngx_http_martech_resp_parse(&resp, &pos, pos + n), -1);
}


/* A great array passes, cut; more elements than are allowed do not. */
static void
test_count_of_arrays(void **state)
{
    char                     *text, *p;
    size_t                    i;
    const unsigned char      *pos, *end;
    ngx_http_martech_resp_t   resp;

    (void) state;

    text = test_alloc(NGX_HTTP_MARTECH_RESP_COUNT_MAX * 4 + 64);

    p = text + sprintf(text, "*%d\r\n", NGX_HTTP_MARTECH_RESP_COUNT_MAX);

    for (i = 0; i < NGX_HTTP_MARTECH_RESP_COUNT_MAX; i++) {
        memcpy(p, ":7\r\n", 4);
        p += 4;
    }

    memset(&resp, 0, sizeof(resp));
    pos = (unsigned char *) text;
    end = (unsigned char *) p;

    assert_int_equal(ngx_http_martech_resp_parse(&resp, &pos, end), 1);
    assert_ptr_equal(pos, end);
    assert_int_equal(resp.len, NGX_HTTP_MARTECH_RESP_TEXT_MAX);
    assert_memory_equal(resp.text, "7\n7\n7\n7", 7);
    assert_int_equal(resp.cut, 1);

    /* the elements of all levels count */

    p = text + sprintf(text, "*2\r\n:1\r\n*%d\r\n",
                       NGX_HTTP_MARTECH_RESP_COUNT_MAX - 1);

    memset(&resp, 0, sizeof(resp));
    pos = (unsigned char *) text;
    end = (unsigned char *) p;

    assert_int_equal(ngx_http_martech_resp_parse(&resp, &pos, end), -1);

    free(text);
}


/* What no command of ours gets: the connection cannot be used any more. */
static void
test_refuses(void **state)
{
    static const char *const  texts[] = {
        "x", "\r\n", "\n", " ", "OK\r\n", "HTTP/1.1 400 Bad Request\r\n",
        "\x80", "=", ",1.5\r\n", "#t\r\n", "(1\r\n", "%1\r\n", "~1\r\n",
        ">2\r\n", "!5\r\nERROR\r\n",

        /* line ends */
        "+OK\n", "+OK\r+", "+OK\rx\n", "+O\nK\r\n", "$3\nabc\r\n",
        "+OK\r\r\n",

        /* integers */
        ":\r\n", ":x\r\n", ":1x\r\n", ":-\r\n", ":1 \r\n", ":--1\r\n",
        ":1.5\r\n",

        /* lengths of bulks */
        "$\r\n", "$x\r\n", "$1x\r\n", "$ 1\r\n", "$-2\r\n", "$-10\r\n",
        "$-\r\n", "$65537\r\n", "$4294967296\r\n", "$4294967295\r\n",
        "$18446744073709551616\r\n", "$99999999999999999999999999\r\n",

        /* ends of bulks */
        "$3\r\nabcd\r\n", "$3\r\nabc\n", "$3\r\nabc\rx", "$0\r\nx",
        "$3\r\nabc\r\r\n",

        /* lengths of arrays, and what is in them */
        "*-2\r\n", "*\r\n", "*x\r\n", "*1x\r\n", "*65537\r\n",
        "*4294967296\r\n", "*99999999999999999999999999999999\r\n",
        "*1\r\nx", "*1\r\n:x\r\n", "*2\r\n:1\r\n$-2\r\n",
        "*1\r\n*-2\r\n", "*1\r\n$3\r\nabcd",

        /* null has no text */
        "_x\r\n",
    };

    int                       rc;
    size_t                    i, n;
    unsigned char            *copy;
    const unsigned char      *pos, *end;
    ngx_http_martech_resp_t   resp;

    (void) state;

    for (i = 0; i < test_count(texts); i++) {

        /* whole */

        n = strlen(texts[i]);
        copy = test_copy(texts[i], n);

        memset(&resp, 0, sizeof(resp));
        pos = copy;
        rc = ngx_http_martech_resp_parse(&resp, &pos, copy + n);

        if (rc != -1) {
            test_fail("row %zu \"%s\": %d", i, texts[i], rc);
        }

        assert_true(pos >= copy && pos <= copy + n);

        /* byte by byte: refused at some byte, complete at none */

        memset(&resp, 0, sizeof(resp));
        end = copy;
        rc = 0;

        while (rc == 0 && end < copy + n) {
            pos = end++;
            rc = ngx_http_martech_resp_parse(&resp, &pos, end);
        }

        if (rc != -1) {
            test_fail("row %zu \"%s\" by bytes: %d", i, texts[i], rc);
        }

        free(copy);
    }
}


static void
test_largest_bulk(void **state)
{
    char                     *text;
    size_t                    head;
    const unsigned char      *pos, *end;
    ngx_http_martech_resp_t   resp;

    (void) state;

    text = test_alloc(NGX_HTTP_MARTECH_RESP_BULK_MAX + 32);
    head = (size_t) sprintf(text, "$%d\r\n", NGX_HTTP_MARTECH_RESP_BULK_MAX);

    memset(text + head, 'x', NGX_HTTP_MARTECH_RESP_BULK_MAX);
    memcpy(text + head + NGX_HTTP_MARTECH_RESP_BULK_MAX, "\r\n", 2);

    memset(&resp, 0, sizeof(resp));
    pos = (unsigned char *) text;
    end = pos + head + NGX_HTTP_MARTECH_RESP_BULK_MAX + 2;

    assert_int_equal(ngx_http_martech_resp_parse(&resp, &pos, end), 1);
    assert_ptr_equal(pos, end);

    free(text);
}


/* The texts are those of Redis 6.2 to 7.2, as it sends them. */
static void
test_classes(void **state)
{
    static const struct {
        const char                      *text;
        ngx_http_martech_redis_class_e   class;
    } table[] = {
        { "OOM command not allowed when used memory > 'maxmemory'.",
          NGX_HTTP_MARTECH_REDIS_OOM },
        { "BUSY Redis is busy running a script. You can only call SCRIPT "
          "KILL or SHUTDOWN NOSAVE.", NGX_HTTP_MARTECH_REDIS_BUSY },
        { "TRYAGAIN Multiple keys request during rehashing of slot",
          NGX_HTTP_MARTECH_REDIS_BUSY },
        { "CLUSTERDOWN The cluster is down", NGX_HTTP_MARTECH_REDIS_BUSY },
        { "CLUSTERDOWN Hash slot not served", NGX_HTTP_MARTECH_REDIS_BUSY },
        { "MISCONF Redis is configured to save RDB snapshots, but it's "
          "currently unable to persist to disk.",
          NGX_HTTP_MARTECH_REDIS_BUSY },
        { "NOREPLICAS Not enough good replicas to write.",
          NGX_HTTP_MARTECH_REDIS_BUSY },
        { "LOADING Redis is loading the dataset in memory",
          NGX_HTTP_MARTECH_REDIS_LOADING },
        { "MASTERDOWN Link with MASTER is down and replica-serve-stale-data "
          "is set to 'no'.", NGX_HTTP_MARTECH_REDIS_READONLY },
        { "READONLY You can't write against a read only replica.",
          NGX_HTTP_MARTECH_REDIS_READONLY },
        { "MOVED 3999 127.0.0.1:6381", NGX_HTTP_MARTECH_REDIS_MOVED },
        { "ASK 3999 127.0.0.1:6381", NGX_HTTP_MARTECH_REDIS_MOVED },
        { "NOAUTH Authentication required.", NGX_HTTP_MARTECH_REDIS_DENIED },
        { "WRONGPASS invalid username-password pair or user is disabled.",
          NGX_HTTP_MARTECH_REDIS_DENIED },
        { "NOPERM this user has no permissions to run the 'xadd' command",
          NGX_HTTP_MARTECH_REDIS_DENIED },
        { "ERR AUTH <password> called without any password configured for "
          "the default user. Are you sure your configuration is correct?",
          NGX_HTTP_MARTECH_REDIS_DENIED },

        { "WRONGTYPE Operation against a key holding the wrong kind of "
          "value", NGX_HTTP_MARTECH_REDIS_OTHER },
        { "ERR unknown command 'XADD', with args beginning with: ",
          NGX_HTTP_MARTECH_REDIS_OTHER },
        { "ERR syntax error", NGX_HTTP_MARTECH_REDIS_OTHER },
        { "", NGX_HTTP_MARTECH_REDIS_OTHER },
        { "O", NGX_HTTP_MARTECH_REDIS_OTHER },
        { "OOMPH", NGX_HTTP_MARTECH_REDIS_OTHER },
        { "MOVEDX 1", NGX_HTTP_MARTECH_REDIS_OTHER },
        { "oom", NGX_HTTP_MARTECH_REDIS_OTHER },
        { " OOM ", NGX_HTTP_MARTECH_REDIS_OTHER },
    };

    size_t           i;
    unsigned char   *copy;

    (void) state;

    for (i = 0; i < test_count(table); i++) {
        copy = test_copy(table[i].text, strlen(table[i].text));

        if (ngx_http_martech_resp_class((char *) copy,
                                        strlen(table[i].text))
            != table[i].class)
        {
            test_fail("\"%s\": %d", table[i].text,
                      ngx_http_martech_resp_class((char *) copy,
                                                  strlen(table[i].text)));
        }

        free(copy);
    }
}


static void
test_class_names(void **state)
{
    unsigned     i, k;
    const char  *name;

    (void) state;

    for (i = 0; i < NGX_HTTP_MARTECH_REDIS_CLASSES; i++) {
        name = ngx_http_martech_resp_class_name(i);

        assert_non_null(name);
        assert_true(strspn(name, "abcdefghijklmnopqrstuvwxyz_")
                    == strlen(name));
        assert_true(name[0] != '\0');

        for (k = 0; k < i; k++) {
            assert_string_not_equal(name,
                                    ngx_http_martech_resp_class_name(k));
        }
    }

    assert_non_null(ngx_http_martech_resp_class_name(i));
    assert_non_null(ngx_http_martech_resp_class_name(4711));
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_split_everywhere),
        cmocka_unit_test(test_stops_behind_reply),
        cmocka_unit_test(test_long_text_is_cut),
        cmocka_unit_test(test_depth_of_arrays),
        cmocka_unit_test(test_count_of_arrays),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_largest_bulk),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_class_names),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
