
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of martech/martech_json: what the scanner takes and refuses and why,
 * the shape of the tape, look-up, un-escaping, and the writer at every size
 * of its buffer.  Whole documents stand in t/cases/json.
 */


#include "martech_test.h"


typedef struct {
    const char            *text;
    size_t                 len;
} test_text_t;


/* a text with its length, so that it may hold a NUL */
#define text(s)  { s, sizeof(s) - 1 }


typedef struct {
    test_text_t            text;
    martech_rc_t           rc;
    long                   offset;       /* -1: any up to the length */
} test_refusal_t;


typedef struct {
    uint32_t               key;
    uint32_t               key_len;
    uint32_t               value;
    uint32_t               len;
    uint32_t               next;
    uint32_t               count;
    unsigned               kind;
    unsigned               flags;
} test_node_t;


typedef struct {
    const char            *pointer;
    const char            *want;         /* text of the node, NULL: none */
} test_pointer_t;


/*
 * Offsets are given where only one byte can be meant: the first that no
 * document could have at this place.
 */
static const test_refusal_t  test_refusals[] = {

    { text(""), MARTECH_BODY_EMPTY, -1 },
    { text(" \t\r\n"), MARTECH_BODY_EMPTY, -1 },

    /* structure */
    { text("{"), MARTECH_JSON_INVALID, 1 },
    { text("["), MARTECH_JSON_INVALID, 1 },
    { text("}"), MARTECH_JSON_INVALID, 0 },
    { text("]"), MARTECH_JSON_INVALID, 0 },
    { text(","), MARTECH_JSON_INVALID, 0 },
    { text(":"), MARTECH_JSON_INVALID, 0 },
    { text("[1"), MARTECH_JSON_INVALID, 2 },
    { text("[1,"), MARTECH_JSON_INVALID, 3 },
    { text("[1,]"), MARTECH_JSON_INVALID, 3 },
    { text("[,1]"), MARTECH_JSON_INVALID, 1 },
    { text("[1,,2]"), MARTECH_JSON_INVALID, 3 },
    { text("[1 2]"), MARTECH_JSON_INVALID, 3 },
    { text("[1}"), MARTECH_JSON_INVALID, 2 },
    { text("[1:2]"), MARTECH_JSON_INVALID, 2 },
    { text("{\"a\":1]"), MARTECH_JSON_INVALID, 6 },
    { text("{\"a\":1,}"), MARTECH_JSON_INVALID, 7 },
    { text("{,\"a\":1}"), MARTECH_JSON_INVALID, 1 },
    { text("{\"a\"}"), MARTECH_JSON_INVALID, 4 },
    { text("{\"a\" 1}"), MARTECH_JSON_INVALID, 5 },
    { text("{\"a\":}"), MARTECH_JSON_INVALID, 5 },
    { text("{\"a\"::1}"), MARTECH_JSON_INVALID, 5 },
    { text("{\"a\":1 \"b\":2}"), MARTECH_JSON_INVALID, 7 },
    { text("{a:1}"), MARTECH_JSON_INVALID, 1 },
    { text("{1:1}"), MARTECH_JSON_INVALID, 1 },
    { text("{null:1}"), MARTECH_JSON_INVALID, 1 },
    { text("{[]:1}"), MARTECH_JSON_INVALID, 1 },
    { text("{'a':1}"), MARTECH_JSON_INVALID, 1 },
    { text("1 2"), MARTECH_JSON_INVALID, 2 },
    { text("{}{}"), MARTECH_JSON_INVALID, 2 },
    { text("[]]"), MARTECH_JSON_INVALID, 2 },
    { text("{} x"), MARTECH_JSON_INVALID, 3 },
    { text("[1]\0"), MARTECH_JSON_INVALID, 3 },
    { text("\0"), MARTECH_JSON_INVALID, 0 },
    { text("[1]//"), MARTECH_JSON_INVALID, 3 },
    { text("/* */1"), MARTECH_JSON_INVALID, 0 },
    { text("[1\v]"), MARTECH_JSON_INVALID, 2 },
    { text("[\f1]"), MARTECH_JSON_INVALID, 1 },

    /* words */
    { text("nul"), MARTECH_JSON_INVALID, -1 },
    { text("nulL"), MARTECH_JSON_INVALID, -1 },
    { text("nullx"), MARTECH_JSON_INVALID, -1 },
    { text("True"), MARTECH_JSON_INVALID, 0 },
    { text("[tru]"), MARTECH_JSON_INVALID, -1 },
    { text("[true1]"), MARTECH_JSON_INVALID, -1 },
    { text("fals"), MARTECH_JSON_INVALID, -1 },
    { text("falsee"), MARTECH_JSON_INVALID, -1 },
    { text("NaN"), MARTECH_JSON_INVALID, 0 },
    { text("Infinity"), MARTECH_JSON_INVALID, 0 },
    { text("undefined"), MARTECH_JSON_INVALID, 0 },

    /* numbers */
    { text("-"), MARTECH_JSON_INVALID, -1 },
    { text("+1"), MARTECH_JSON_INVALID, 0 },
    { text(".5"), MARTECH_JSON_INVALID, 0 },
    { text("-.5"), MARTECH_JSON_INVALID, -1 },
    { text("5."), MARTECH_JSON_INVALID, -1 },
    { text("[5.]"), MARTECH_JSON_INVALID, -1 },
    { text("5.e1"), MARTECH_JSON_INVALID, -1 },
    { text("5e"), MARTECH_JSON_INVALID, -1 },
    { text("5e+"), MARTECH_JSON_INVALID, -1 },
    { text("5E-"), MARTECH_JSON_INVALID, -1 },
    { text("5e1.5"), MARTECH_JSON_INVALID, -1 },
    { text("01"), MARTECH_JSON_INVALID, -1 },
    { text("-01"), MARTECH_JSON_INVALID, -1 },
    { text("00"), MARTECH_JSON_INVALID, -1 },
    { text("[-]"), MARTECH_JSON_INVALID, -1 },
    { text("0x10"), MARTECH_JSON_INVALID, -1 },
    { text("1_000"), MARTECH_JSON_INVALID, -1 },
    { text("-Infinity"), MARTECH_JSON_INVALID, -1 },
    { text("1.2.3"), MARTECH_JSON_INVALID, -1 },
    { text("--1"), MARTECH_JSON_INVALID, -1 },

    /* strings */
    { text("\""), MARTECH_JSON_INVALID, -1 },
    { text("\"abc"), MARTECH_JSON_INVALID, -1 },
    { text("\"abc\\"), MARTECH_JSON_INVALID, -1 },
    { text("\"abc\\\""), MARTECH_JSON_INVALID, -1 },
    { text("\"a\nb\""), MARTECH_JSON_INVALID, 2 },
    { text("\"a\0b\""), MARTECH_JSON_INVALID, 2 },
    { text("\"a\x1f" "b\""), MARTECH_JSON_INVALID, 2 },
    { text("\"0123456789abcdef\t\""), MARTECH_JSON_INVALID, 17 },
    { text("{\"a\tb\":1}"), MARTECH_JSON_INVALID, 3 },
    { text("\"\\a\""), MARTECH_JSON_INVALID, -1 },
    { text("\"\\'\""), MARTECH_JSON_INVALID, -1 },
    { text("\"\\x41\""), MARTECH_JSON_INVALID, -1 },
    { text("\"\\U0041\""), MARTECH_JSON_INVALID, -1 },
    { text("\"\\u\""), MARTECH_JSON_INVALID, -1 },
    { text("\"\\u004\""), MARTECH_JSON_INVALID, -1 },
    { text("\"\\u004g\""), MARTECH_JSON_INVALID, -1 },
    { text("\"\\u00 4\""), MARTECH_JSON_INVALID, -1 },
    { text("\"\\u+041\""), MARTECH_JSON_INVALID, -1 },
    { text("\"\\u004"), MARTECH_JSON_INVALID, -1 },
    { text("'a'"), MARTECH_JSON_INVALID, 0 },

    /* the two documented extra refusals */
    { text("{\"a\\u0000b\":1}"), MARTECH_JSON_INVALID, -1 },
    { text("{\"\\u0000\":1}"), MARTECH_JSON_INVALID, -1 },
    { text("\"\\ud800\""), MARTECH_JSON_UTF8, -1 },
    { text("\"\\udbff\""), MARTECH_JSON_UTF8, -1 },
    { text("\"\\udc00\""), MARTECH_JSON_UTF8, -1 },
    { text("\"\\udfff\""), MARTECH_JSON_UTF8, -1 },
    { text("\"\\ud800x\""), MARTECH_JSON_UTF8, -1 },
    { text("\"\\ud800\\n\""), MARTECH_JSON_UTF8, -1 },
    { text("\"\\ud800\\u0041\""), MARTECH_JSON_UTF8, -1 },
    { text("\"\\ud800\\ud800\""), MARTECH_JSON_UTF8, -1 },
    { text("\"\\udc00\\ud800\""), MARTECH_JSON_UTF8, -1 },
    { text("{\"\\udead\":1}"), MARTECH_JSON_UTF8, -1 },

    /* bytes: lone, short, over-long, surrogate, above U+10FFFF */
    { text("\"\x80\""), MARTECH_JSON_UTF8, 1 },
    { text("\"\xbf\""), MARTECH_JSON_UTF8, 1 },
    { text("\"\xc2\""), MARTECH_JSON_UTF8, -1 },
    { text("\"\xc0\x80\""), MARTECH_JSON_UTF8, -1 },
    { text("\"\xc1\xbf\""), MARTECH_JSON_UTF8, -1 },
    { text("\"\xc3\xc3\""), MARTECH_JSON_UTF8, -1 },
    { text("\"\xe0\x9f\xbf\""), MARTECH_JSON_UTF8, -1 },
    { text("\"\xe2\x82\""), MARTECH_JSON_UTF8, -1 },
    { text("\"\xed\xa0\x80\""), MARTECH_JSON_UTF8, -1 },
    { text("\"\xed\xbf\xbf\""), MARTECH_JSON_UTF8, -1 },
    { text("\"\xf0\x8f\xbf\xbf\""), MARTECH_JSON_UTF8, -1 },
    { text("\"\xf0\x90\x80\""), MARTECH_JSON_UTF8, -1 },
    { text("\"\xf4\x90\x80\x80\""), MARTECH_JSON_UTF8, -1 },
    { text("\"\xf5\x80\x80\x80\""), MARTECH_JSON_UTF8, -1 },
    { text("\"\xf8\x88\x80\x80\x80\""), MARTECH_JSON_UTF8, -1 },
    { text("\"\xfe\""), MARTECH_JSON_UTF8, 1 },
    { text("\"\xff\""), MARTECH_JSON_UTF8, 1 },
    { text("{\"\xff\":1}"), MARTECH_JSON_UTF8, 2 },
    { text("\"plain ascii first \xff\""), MARTECH_JSON_UTF8, 19 },
};


/* Texts that must be taken; the root's kind is the first column. */
static const struct {
    unsigned               kind;
    test_text_t            text;
} test_accepted[] = {
    { MARTECH_JSON_NULL, text("null") },
    { MARTECH_JSON_NULL, text(" \t\r\nnull \t\r\n") },
    { MARTECH_JSON_TRUE, text("true") },
    { MARTECH_JSON_FALSE, text("false") },
    { MARTECH_JSON_NUMBER, text("0") },
    { MARTECH_JSON_NUMBER, text("-0") },
    { MARTECH_JSON_NUMBER, text("10") },
    { MARTECH_JSON_NUMBER, text("-1") },
    { MARTECH_JSON_NUMBER, text("0.0") },
    { MARTECH_JSON_NUMBER, text("0e0") },
    { MARTECH_JSON_NUMBER, text("-0E-0") },
    { MARTECH_JSON_NUMBER, text("1.5e+300") },
    { MARTECH_JSON_NUMBER, text("1e9999999999") },
    { MARTECH_JSON_NUMBER, text("123456789012345678901234567890") },
    { MARTECH_JSON_STRING, text("\"\"") },
    { MARTECH_JSON_STRING, text("\"\\u0000\"") },
    { MARTECH_JSON_STRING, text("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"") },
    { MARTECH_JSON_STRING, text("\"\\uD83D\\uDE00\"") },
    { MARTECH_JSON_STRING, text("\"\\udbff\\udfff\"") },
    { MARTECH_JSON_STRING, text("\"\\ud7ff\\ue000\\uFFFF\"") },
    { MARTECH_JSON_STRING, text("\"\x7f\"") },
    { MARTECH_JSON_STRING, text("\"\xc2\x80\xdf\xbf\"") },
    { MARTECH_JSON_STRING, text("\"\xe0\xa0\x80\xed\x9f\xbf\"") },
    { MARTECH_JSON_STRING, text("\"\xee\x80\x80\xef\xbf\xbf\"") },
    { MARTECH_JSON_STRING, text("\"\xf0\x90\x80\x80\"") },
    { MARTECH_JSON_STRING, text("\"\xf4\x8f\xbf\xbf\"") },
    { MARTECH_JSON_STRING, text("\"\xef\xbb\xbf is no mark in here\"") },
    { MARTECH_JSON_ARRAY, text("[]") },
    { MARTECH_JSON_ARRAY, text("[ ]") },
    { MARTECH_JSON_ARRAY, text(" [ 1 , 2 ] ") },
    { MARTECH_JSON_OBJECT, text("{}") },
    { MARTECH_JSON_OBJECT, text("{\n}") },
    { MARTECH_JSON_OBJECT, text("{\"\":\"\"}") },
    { MARTECH_JSON_OBJECT, text("{\"a\":1,\"a\":2}") },
    { MARTECH_JSON_OBJECT, text("{ \"a\" : { \"b\" : [ ] } }") },
};


static void
test_scan_accepts(void **state)
{
    size_t             i;
    test_doc_t         doc;
    martech_rc_t       rc;
    martech_limits_t   limits;
    const test_text_t *t;

    (void) state;

    martech_limits_default(&limits);

    for (i = 0; i < test_count(test_accepted); i++) {
        t = &test_accepted[i].text;
        rc = test_doc_scan(&doc, t->text, t->len, 16, &limits);

        if (rc != MARTECH_OK) {
            test_fail("row %zu \"%s\": refused with %s at %zu", i, t->text,
                      martech_rc_name(rc), doc.tape.error_offset);
        }

        assert_ptr_equal(doc.tape.text, doc.text);
        assert_int_equal(doc.tape.len, t->len);
        assert_int_equal(doc.tape.nodes[0].kind, test_accepted[i].kind);
        assert_int_equal(doc.tape.nodes[0].next, doc.tape.nodes_count);

        test_doc_close(&doc);
    }
}


static void
test_scan_refuses(void **state)
{
    size_t                 i;
    test_doc_t             doc;
    martech_rc_t           rc;
    martech_limits_t       limits;
    const test_refusal_t  *r;

    (void) state;

    martech_limits_default(&limits);

    for (i = 0; i < test_count(test_refusals); i++) {
        r = &test_refusals[i];
        rc = test_doc_scan(&doc, r->text.text, r->text.len, 16, &limits);

        if (rc != r->rc) {
            test_fail("row %zu \"%s\": %s, not %s", i, r->text.text,
                      martech_rc_name(rc), martech_rc_name(r->rc));
        }

        if (doc.tape.error_offset > r->text.len
            || (r->offset >= 0
                && doc.tape.error_offset != (size_t) r->offset))
        {
            test_fail("row %zu \"%s\": offset %zu, not %ld", i, r->text.text,
                      doc.tape.error_offset, r->offset);
        }

        assert_int_equal(doc.tape.nodes_count, 0);

        test_doc_close(&doc);
    }
}


/* RFC 8259 section 8.1: a byte order mark is not part of a JSON text. */
static void
test_scan_refuses_bytes_outside(void **state)
{
    static const char *const  texts[] = {
        "\xef\xbb\xbf{}", "\xff{}", "{}\xff", "[\xc2\xa0]", "\xe2\x80\xa8[]"
    };

    size_t            i;
    test_doc_t        doc;
    martech_rc_t      rc;
    martech_limits_t  limits;

    (void) state;

    martech_limits_default(&limits);

    for (i = 0; i < test_count(texts); i++) {
        rc = test_doc_scan(&doc, texts[i], strlen(texts[i]), 16, &limits);

        if (rc != MARTECH_JSON_INVALID && rc != MARTECH_JSON_UTF8) {
            test_fail("row %zu: %s", i, martech_rc_name(rc));
        }

        test_doc_close(&doc);
    }
}


/*
 * No beginning of a document is a document, and none may be read past its
 * end: each is scanned in a block of its own size.
 */
static void
test_scan_refuses_every_prefix(void **state)
{
    static const char  full[] =
        "{\"a\":[1,-2.5e+10,true,false,null,\"x\\u00e9\\ud83d\\ude00\\n\"],"
        "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\":{\"b\":{}},\"c\":[[[]]]}";

    size_t            n;
    test_doc_t        doc;
    martech_rc_t      rc;
    martech_limits_t  limits;

    (void) state;

    martech_limits_default(&limits);

    for (n = 0; n < sizeof(full) - 1; n++) {
        rc = test_doc_scan(&doc, full, n, 32, &limits);

        if (rc == MARTECH_OK) {
            test_fail("the first %zu bytes accepted", n);
        }

        assert_true(doc.tape.error_offset <= n);
        assert_int_equal(doc.tape.nodes_count, 0);

        test_doc_close(&doc);
    }

    rc = test_doc_scan(&doc, full, n, 32, &limits);
    assert_int_equal(rc, MARTECH_OK);
    test_doc_close(&doc);
}


/*
 * A bad byte at every place of strings of many lengths: a scanner that looks
 * at several bytes at a time goes wrong at one of them.
 */
static void
test_scan_finds_bad_byte_anywhere(void **state)
{
    static const unsigned char  bad[] = { 0x00, 0x1f, '\n', 0x80, 0xff, 0xc3 };

    char              text[72];
    size_t            b, len, at;
    test_doc_t        doc;
    martech_rc_t      rc, want;
    martech_limits_t  limits;

    (void) state;

    martech_limits_default(&limits);

    for (len = 1; len <= sizeof(text) - 2; len++) {
        for (at = 0; at < len; at++) {
            for (b = 0; b < sizeof(bad); b++) {
                memset(text, 'x', sizeof(text));
                text[0] = '"';
                text[1 + len] = '"';
                text[1 + at] = (char) bad[b];

                want = bad[b] < 0x20 ? MARTECH_JSON_INVALID
                                     : MARTECH_JSON_UTF8;

                rc = test_doc_scan(&doc, text, len + 2, 4, &limits);
                if (rc != want) {
                    test_fail("byte %02x at %zu of %zu: %s", bad[b], at, len,
                              martech_rc_name(rc));
                }

                test_doc_close(&doc);
            }

            memset(text, 'x', sizeof(text));
            text[0] = '"';
            text[1 + len] = '"';
            text[1 + at] = '"';

            /* the string ends early; what follows is garbage or nothing */

            rc = test_doc_scan(&doc, text, len + 2, 4, &limits);
            assert_int_not_equal(rc, MARTECH_OK);
            test_doc_close(&doc);
        }
    }
}


static void
test_scan_tape_shape(void **state)
{
    static const char  text[] =
        " {\"a\" : [1, {\"b\":\"\\n\"}, []], \"\\u0063\":null} ";

    static const test_node_t  want[] = {
        { 0, 0,  1, 42, 7, 2, MARTECH_JSON_OBJECT, 0 },
        { 3, 1,  8, 19, 6, 3, MARTECH_JSON_ARRAY, 0 },
        { 0, 0,  9,  1, 3, 0, MARTECH_JSON_NUMBER, 0 },
        { 0, 0, 12, 10, 5, 1, MARTECH_JSON_OBJECT, 0 },
        { 14, 1, 18, 2, 5, 0, MARTECH_JSON_STRING,
          MARTECH_JSON_VALUE_ESCAPED },
        { 0, 0, 24, 2, 6, 0, MARTECH_JSON_ARRAY, 0 },
        { 30, 6, 38, 4, 7, 0, MARTECH_JSON_NULL, MARTECH_JSON_KEY_ESCAPED }
    };

    size_t                 i;
    test_doc_t             doc;
    martech_json_node_t   *n;

    (void) state;

    test_doc_open(&doc, text);
    assert_int_equal(doc.tape.nodes_count, test_count(want));

    for (i = 0; i < test_count(want); i++) {
        n = &doc.tape.nodes[i];

        if (n->kind != want[i].kind || n->value != want[i].value
            || n->len != want[i].len || n->next != want[i].next
            || n->count != want[i].count || n->key != want[i].key
            || n->key_len != want[i].key_len || n->flags != want[i].flags)
        {
            test_fail("node %zu: kind %u value %u+%u next %u count %u "
                      "key %u+%u flags %u", i, n->kind, n->value, n->len,
                      n->next, n->count, n->key, n->key_len, n->flags);
        }
    }

    test_doc_close(&doc);
}


/* Each child is reached, and the number of steps is the count. */
static void
test_scan_children(void **state)
{
    uint32_t              i, n;
    test_doc_t            doc;
    martech_json_node_t  *nodes;

    (void) state;

    test_doc_open(&doc, "[[1,[2,3]],{\"a\":{\"b\":[]},\"c\":4},\"x\",5]");
    nodes = doc.tape.nodes;

    n = 0;

    for (i = 1; i != nodes[0].next; i = nodes[i].next) {
        assert_in_range(i, 1, doc.tape.nodes_count - 1);
        n++;
    }

    assert_int_equal(n, 4);
    assert_int_equal(nodes[0].count, 4);

    test_doc_close(&doc);
}


static void
test_scan_limit_depth(void **state)
{
    char              text[512];
    uint32_t          max, n;
    test_doc_t        doc;
    martech_rc_t      rc;
    martech_limits_t  limits;

    (void) state;

    martech_limits_default(&limits);
    assert_int_equal(limits.depth_max, 32);

    for (max = 1; max <= 100; max++) {
        limits.depth_max = max;

        for (n = max - 1; n <= max + 1; n++) {
            memset(text, '[', n);
            memset(text + n, ']', n);

            rc = test_doc_scan(&doc, text, 2 * n, 200, &limits);

            if (n == 0) {
                assert_int_equal(rc, MARTECH_BODY_EMPTY);

            } else if (n <= max) {
                assert_int_equal(rc, MARTECH_OK);

            } else {
                assert_int_equal(rc, MARTECH_JSON_DEPTH);
                assert_int_equal(doc.tape.error_offset, max);
            }

            test_doc_close(&doc);
        }
    }
}


/* Depth counts what is open, not what was opened. */
static void
test_scan_limit_depth_counts_open(void **state)
{
    static const char  wide[] = "[[],[],{},{},[[]],{\"a\":[]},[],[]]";

    test_doc_t        doc;
    martech_limits_t  limits;

    (void) state;

    martech_limits_default(&limits);

    limits.depth_max = 3;
    assert_int_equal(test_doc_scan(&doc, wide, sizeof(wide) - 1, 64, &limits),
                     MARTECH_OK);
    test_doc_close(&doc);

    limits.depth_max = 2;
    assert_int_equal(test_doc_scan(&doc, wide, sizeof(wide) - 1, 64, &limits),
                     MARTECH_JSON_DEPTH);
    test_doc_close(&doc);
}


/* A hostile body costs no stack and no time: a million open brackets. */
static void
test_scan_limit_depth_hostile(void **state)
{
    char             *text;
    test_doc_t        doc;
    martech_limits_t  limits;

    (void) state;

    martech_limits_default(&limits);

    text = test_alloc(1000000);
    memset(text, '[', 1000000);

    assert_int_equal(test_doc_scan(&doc, text, 1000000, 64, &limits),
                     MARTECH_JSON_DEPTH);

    test_doc_close(&doc);
    free(text);
}


static void
test_scan_limit_tokens(void **state)
{
    static const char  text[] = "{\"a\":[1,2,{}],\"b\":\"x\",\"c\":[]}";

    uint32_t          max;
    test_doc_t        doc;
    martech_rc_t      rc;
    martech_limits_t  limits;

    (void) state;

    martech_limits_default(&limits);

    for (max = 0; max < 12; max++) {
        rc = test_doc_scan(&doc, text, sizeof(text) - 1, max, &limits);

        if (max < 7) {
            assert_int_equal(rc, MARTECH_JSON_TOKENS);
            assert_int_equal(doc.tape.nodes_count, 0);

        } else {
            assert_int_equal(rc, MARTECH_OK);
            assert_int_equal(doc.tape.nodes_count, 7);
        }

        test_doc_close(&doc);
    }
}


static void
test_scan_limit_key_size(void **state)
{
    char             *text;
    size_t            n, len;
    test_doc_t        doc;
    martech_rc_t      rc;
    martech_limits_t  limits;

    (void) state;

    martech_limits_default(&limits);
    assert_int_equal(limits.key_size_max, 1024);

    text = test_alloc(80000);

    for (n = 1023; n <= 1025; n++) {
        len = n + 6;
        memset(text, 'k', len);
        memcpy(text, "{\"", 2);
        memcpy(text + 2 + n, "\":1}", 4);

        rc = test_doc_scan(&doc, text, len, 4, &limits);
        assert_int_equal(rc, n <= 1024 ? MARTECH_OK : MARTECH_JSON_KEY_SIZE);

        if (rc == MARTECH_OK) {
            assert_int_equal(doc.tape.nodes[1].key_len, n);
        }

        test_doc_close(&doc);
    }

    /* the largest setting there is; the length of a name has 16 bits */

    limits.key_size_max = UINT16_MAX;

    for (n = UINT16_MAX - 1; n <= UINT16_MAX + 5; n++) {
        len = n + 6;
        memset(text, 'k', len);
        memcpy(text, "{\"", 2);
        memcpy(text + 2 + n, "\":1}", 4);

        rc = test_doc_scan(&doc, text, len, 4, &limits);
        assert_int_equal(rc, n <= UINT16_MAX ? MARTECH_OK
                                             : MARTECH_JSON_KEY_SIZE);

        if (rc == MARTECH_OK) {
            assert_int_equal(doc.tape.nodes[1].key_len, n);
        }

        test_doc_close(&doc);
    }

    free(text);
}


/* The size of a string counts as it stands between the quotes. */
static void
test_scan_limit_string_size(void **state)
{
    char             *text;
    size_t            n;
    test_doc_t        doc;
    martech_rc_t      rc;
    martech_limits_t  limits;

    (void) state;

    martech_limits_default(&limits);
    assert_int_equal(limits.string_size_max, 32 * 1024);

    text = test_alloc(40000);

    for (n = 32 * 1024 - 1; n <= 32 * 1024 + 1; n++) {
        memset(text, 's', n + 2);
        text[0] = '"';
        text[n + 1] = '"';

        rc = test_doc_scan(&doc, text, n + 2, 1, &limits);
        assert_int_equal(rc, n <= 32 * 1024 ? MARTECH_OK
                                            : MARTECH_JSON_STRING_SIZE);

        test_doc_close(&doc);
    }

    /* numbers and containers are not strings */

    limits.string_size_max = 4;

    rc = test_doc_scan(&doc, "[123456789,\"abcd\"]", 18, 8, &limits);
    assert_int_equal(rc, MARTECH_OK);
    test_doc_close(&doc);

    rc = test_doc_scan(&doc, "[\"\\u0041\"]", 10, 8, &limits);
    assert_int_equal(rc, MARTECH_JSON_STRING_SIZE);
    test_doc_close(&doc);

    free(text);
}


/* After MARTECH_JSON_TOKENS the same tape serves with more room. */
static void
test_scan_again(void **state)
{
    test_doc_t        doc;
    martech_limits_t  limits;

    (void) state;

    martech_limits_default(&limits);

    assert_int_equal(test_doc_scan(&doc, "[1,2]", 5, 2, &limits),
                     MARTECH_JSON_TOKENS);

    free(doc.tape.nodes);
    doc.tape.nodes = test_alloc(3 * sizeof(martech_json_node_t));
    doc.tape.nodes_max = 3;

    assert_int_equal(martech_json_scan(&doc.tape, doc.text, 5, &limits),
                     MARTECH_OK);
    assert_int_equal(doc.tape.nodes_count, 3);

    test_doc_close(&doc);
}


static void
test_member(void **state)
{
    uint32_t    n;
    test_doc_t  doc;

    (void) state;

    test_doc_open(&doc,
        "{\"skip\":{\"a\":0},\"a\":1,\"ab\":2,\"\":3,\"a\":4,"
        "\"\\u0065\\u0301\\ud83d\\ude00\":5,\"q\\\"\":6,\"o\":{\"a\":7}}");

    n = martech_json_member(&doc.tape, 0, "a", 1);
    test_str_equal(martech_json_slice(&doc.tape, n), "1");

    n = martech_json_member(&doc.tape, 0, "ab", 2);
    test_str_equal(martech_json_slice(&doc.tape, n), "2");

    n = martech_json_member(&doc.tape, 0, "abc", 2);
    test_str_equal(martech_json_slice(&doc.tape, n), "2");

    n = martech_json_member(&doc.tape, 0, "", 0);
    test_str_equal(martech_json_slice(&doc.tape, n), "3");

    n = martech_json_member(&doc.tape, 0, "e\xcc\x81\xf0\x9f\x98\x80", 7);
    test_str_equal(martech_json_slice(&doc.tape, n), "5");

    n = martech_json_member(&doc.tape, 0, "q\"", 2);
    test_str_equal(martech_json_slice(&doc.tape, n), "6");

    /* names are compared un-escaped only */

    n = martech_json_member(&doc.tape, 0, "q\\\"", 3);
    assert_int_equal(n, MARTECH_JSON_NONE);

    n = martech_json_member(&doc.tape, 0, "o", 1);
    n = martech_json_member(&doc.tape, n, "a", 1);
    test_str_equal(martech_json_slice(&doc.tape, n), "7");

    /* no such member, or no object */

    assert_int_equal(martech_json_member(&doc.tape, 0, "b", 1), 0);
    assert_int_equal(martech_json_member(&doc.tape, 0, "abc", 3), 0);
    assert_int_equal(martech_json_member(&doc.tape, n, "a", 1), 0);

    test_doc_close(&doc);

    test_doc_open(&doc, "[{\"a\":1}]");
    assert_int_equal(martech_json_member(&doc.tape, 0, "a", 1), 0);
    assert_int_equal(martech_json_member(&doc.tape, 1, "a", 1), 2);
    test_doc_close(&doc);

    test_doc_open(&doc, "{}");
    assert_int_equal(martech_json_member(&doc.tape, 0, "", 0), 0);
    test_doc_close(&doc);
}


static void
test_pointer(void **state)
{
    /* the second part is the example of RFC 6901 section 5 */

    static const test_pointer_t  table[] = {
        { "/a/0", "10" },
        { "/a/1/b", "\"x\"" },
        { "/a/2", "12" },
        { "/a/3", NULL },
        { "/a/-", NULL },
        { "/l/8", "8" },
        { "/l/9", "9" },
        { "/l/10", "10" },
        { "/l/11", NULL },
        { "/x0", "\"x zero\"" },
        { "/x1", "\"x one\"" },
        { "/a/00", NULL },
        { "/a/01", NULL },
        { "/a/+1", NULL },
        { "/a/-1", NULL },
        { "/a/1x", NULL },
        { "/a/", NULL },
        { "/a/ 1", NULL },
        { "/a/4294967296", NULL },
        { "/a/4294967297", NULL },
        { "/a/18446744073709551617", NULL },
        { "/a/0/0", NULL },
        { "a", NULL },
        { "/nothing", NULL },
        { "/nothing/a", NULL },
        { "/a/1/b/", NULL },
        { "/~2", NULL },
        { "/m~", NULL },
        { "/0", "\"zero\"" },

        { "/foo", "[\"bar\", \"baz\"]" },
        { "/foo/0", "\"bar\"" },
        { "/", "0" },
        { "/a~1b", "1" },
        { "/c%d", "2" },
        { "/e^f", "3" },
        { "/g|h", "4" },
        { "/i\\j", "5" },
        { "/k\"l", "6" },
        { "/ ", "7" },
        { "/m~0n", "8" },
        { "/m~01n", "9" },
    };

    size_t      i;
    uint32_t    n;
    test_doc_t  doc;

    (void) state;

    test_doc_open(&doc,
        "{\"a\":[10,{\"b\":\"x\"},12],\"0\":\"zero\","
        "\"l\":[0,1,2,3,4,5,6,7,8,9,10],\"x0\":\"x zero\","
        "\"x1\":\"x one\","
        "\"foo\":[\"bar\", \"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,"
        "\"g|h\":4,\"i\\\\j\":5,\"k\\\"l\":6,\" \":7,\"m~n\":8,\"m~1n\":9}");

    for (i = 0; i < test_count(table); i++) {
        n = martech_json_pointer(&doc.tape, 0, table[i].pointer);

        if (table[i].want == NULL) {
            if (n != MARTECH_JSON_NONE) {
                test_fail("\"%s\" names a node", table[i].pointer);
            }

            continue;
        }

        if (n == MARTECH_JSON_NONE) {
            test_fail("\"%s\" names no node", table[i].pointer);
        }

        test_str_equal(martech_json_text(&doc.tape, n), table[i].want);
    }

    n = martech_json_pointer(&doc.tape, 0, "/a");
    assert_int_equal(martech_json_pointer(&doc.tape, n, ""), n);

    n = martech_json_pointer(&doc.tape, n, "/1/b");
    test_str_equal(martech_json_slice(&doc.tape, n), "x");

    test_doc_close(&doc);
}


static void
test_slice_and_text(void **state)
{
    test_doc_t  doc;

    (void) state;

    test_doc_open(&doc,
                  " [ \"a\\n\" , -1.0e5 , null , {\"x\" : [ ]} , \"\" ] ");

    test_str_equal(martech_json_slice(&doc.tape, 0),
                   "[ \"a\\n\" , -1.0e5 , null , {\"x\" : [ ]} , \"\" ]");
    test_str_equal(martech_json_slice(&doc.tape, 1), "a\\n");
    test_str_equal(martech_json_text(&doc.tape, 1), "\"a\\n\"");
    test_str_equal(martech_json_slice(&doc.tape, 2), "-1.0e5");
    test_str_equal(martech_json_text(&doc.tape, 2), "-1.0e5");
    test_str_equal(martech_json_text(&doc.tape, 3), "null");
    test_str_equal(martech_json_slice(&doc.tape, 4), "{\"x\" : [ ]}");
    test_str_equal(martech_json_text(&doc.tape, 5), "[ ]");
    test_str_equal(martech_json_slice(&doc.tape, 6), "");
    test_str_equal(martech_json_text(&doc.tape, 6), "\"\"");

    test_doc_close(&doc);
}


static void
test_equals(void **state)
{
    test_doc_t  doc;

    (void) state;

    test_doc_open(&doc, "[\"track\",\"tr\\u0061ck\",12,null,true,\"\",[],"
                        "\"a\\u0000b\",\"\\ud83d\\ude00\"]");

    assert_int_equal(martech_json_equals(&doc.tape, 1, "track", 5), 1);
    assert_int_equal(martech_json_equals(&doc.tape, 1, "trac", 4), 0);
    assert_int_equal(martech_json_equals(&doc.tape, 1, "tracks", 6), 0);
    assert_int_equal(martech_json_equals(&doc.tape, 1, "Track", 5), 0);
    assert_int_equal(martech_json_equals(&doc.tape, 2, "track", 5), 1);
    assert_int_equal(martech_json_equals(&doc.tape, 2, "tracks", 6), 0);
    assert_int_equal(martech_json_equals(&doc.tape, 2, "trac", 4), 0);
    assert_int_equal(martech_json_equals(&doc.tape, 2, "tr\\u0061ck", 10), 0);
    assert_int_equal(martech_json_equals(&doc.tape, 3, "12", 2), 1);
    assert_int_equal(martech_json_equals(&doc.tape, 3, "1", 1), 0);
    assert_int_equal(martech_json_equals(&doc.tape, 4, "null", 4), 0);
    assert_int_equal(martech_json_equals(&doc.tape, 5, "true", 4), 0);
    assert_int_equal(martech_json_equals(&doc.tape, 6, "", 0), 1);
    assert_int_equal(martech_json_equals(&doc.tape, 6, "x", 1), 0);
    assert_int_equal(martech_json_equals(&doc.tape, 7, "[]", 2), 0);
    assert_int_equal(martech_json_equals(&doc.tape, 8, "a\0b", 3), 1);
    assert_int_equal(martech_json_equals(&doc.tape, 8, "a", 1), 0);
    assert_int_equal(martech_json_equals(&doc.tape, 9, "\xf0\x9f\x98\x80", 4),
                     1);

    test_doc_close(&doc);
}


/* Escaped names and strings are compared whole, however long they are. */
static void
test_compare_long_escaped(void **state)
{
    char              *text, *want;
    size_t             n, len;
    uint32_t           node;
    test_doc_t         doc;
    martech_limits_t   limits;

    (void) state;

    martech_limits_default(&limits);

    text = test_alloc(4096);
    want = test_alloc(2048);

    for (n = 1; n <= 1010; n += 7) {
        len = (size_t) sprintf(text, "{\"\\u0041");
        memset(text + len, 'k', n);
        len += n;
        len += (size_t) sprintf(text + len, "\":\"\\u0041");
        memset(text + len, 'k', n);
        len += n;
        len += (size_t) sprintf(text + len, "\"}");

        want[0] = '/';
        want[1] = 'A';
        memset(want + 2, 'k', n);
        want[n + 2] = '\0';

        assert_int_equal(test_doc_scan(&doc, text, len, 2, &limits),
                         MARTECH_OK);

        node = martech_json_member(&doc.tape, 0, want + 1, n + 1);
        if (node != 1) {
            test_fail("member not found by an escaped name of %zu", n + 1);
        }

        if (martech_json_equals(&doc.tape, 1, want + 1, n + 1) != 1) {
            test_fail("escaped string of %zu is not equal", n + 1);
        }

        assert_int_equal(martech_json_equals(&doc.tape, 1, want + 1, n), 0);
        assert_int_equal(martech_json_member(&doc.tape, 0, want + 1, n), 0);

        if (martech_json_pointer(&doc.tape, 0, want) != 1) {
            test_fail("pointer of %zu names nothing", n + 2);
        }

        test_doc_close(&doc);
    }

    free(want);
    free(text);
}


/* Un-escapes into blocks of every size up to what is needed. */
static void
test_unescape(void **state)
{
    static const struct {
        const char   *src;
        test_text_t   want;
    } table[] = {
        { "", text("") },
        { "plain", text("plain") },
        { "\\\"\\\\\\/\\b\\f\\n\\r\\t", text("\"\\/\b\f\n\r\t") },
        { "\\u0000", text("\0") },
        { "\\u007f\\u0080", text("\x7f\xc2\x80") },
        { "\\u07ff\\u0800", text("\xdf\xbf\xe0\xa0\x80") },
        { "\\ud7ff\\ue000\\uffff",
          text("\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf") },
        { "\\uABCD\\uabcd", text("\xea\xaf\x8d\xea\xaf\x8d") },
        { "\\ud800\\udc00", text("\xf0\x90\x80\x80") },
        { "\\uDBFF\\uDFFF", text("\xf4\x8f\xbf\xbf") },
        { "a\\ud83d\\ude00b", text("a\xf0\x9f\x98\x80" "b") },
        { "\xc3\xa9\\u00e9", text("\xc3\xa9\xc3\xa9") },
        { "tail\\n", text("tail\n") },
        { "\\\\u0041", text("\\u0041") },
    };

    long             n;
    size_t           i, size;
    unsigned char   *out, *copy;
    martech_str_t    src;

    (void) state;

    for (i = 0; i < test_count(table); i++) {
        src.len = strlen(table[i].src);
        copy = test_copy(table[i].src, src.len);
        src.data = copy;

        for (size = 0; size <= src.len; size++) {
            out = test_copy(table[i].src, size);

            n = martech_json_unescape(src, out, size);

            if (size < table[i].want.len) {
                if (n != -1) {
                    test_fail("row %zu, %zu bytes: %ld, not -1", i, size, n);
                }

            } else if (n != (long) table[i].want.len
                       || (n != 0 && memcmp(out, table[i].want.text,
                                            (size_t) n) != 0))
            {
                test_fail("row %zu, %zu bytes: %ld", i, size, n);
            }

            free(out);
        }

        free(copy);
    }
}


/* Every code point by escape and by bytes gives the same bytes. */
static void
test_unescape_every_code_point(void **state)
{
    char              text[32];
    long              n;
    size_t            len;
    uint32_t          c;
    test_doc_t        doc;
    unsigned char     out[8], want[4];
    martech_limits_t  limits;

    (void) state;

    martech_limits_default(&limits);

    for (c = 0; c <= 0x10ffff; c += (c < 0x3000 ? 1 : 0x7b)) {

        if (c >= 0xd800 && c <= 0xdfff) {
            continue;
        }

        if (c < 0x10000) {
            snprintf(text, sizeof(text), "\"\\u%04x\"", c);

        } else {
            snprintf(text, sizeof(text), "\"\\u%04X\\u%04x\"",
                     0xd800 + ((c - 0x10000) >> 10),
                     0xdc00 + ((c - 0x10000) & 0x3ff));
        }

        if (c < 0x80) {
            want[0] = (unsigned char) c;
            len = 1;

        } else if (c < 0x800) {
            want[0] = (unsigned char) (0xc0 | (c >> 6));
            want[1] = (unsigned char) (0x80 | (c & 0x3f));
            len = 2;

        } else if (c < 0x10000) {
            want[0] = (unsigned char) (0xe0 | (c >> 12));
            want[1] = (unsigned char) (0x80 | ((c >> 6) & 0x3f));
            want[2] = (unsigned char) (0x80 | (c & 0x3f));
            len = 3;

        } else {
            want[0] = (unsigned char) (0xf0 | (c >> 18));
            want[1] = (unsigned char) (0x80 | ((c >> 12) & 0x3f));
            want[2] = (unsigned char) (0x80 | ((c >> 6) & 0x3f));
            want[3] = (unsigned char) (0x80 | (c & 0x3f));
            len = 4;
        }

        assert_int_equal(test_doc_scan(&doc, text, strlen(text), 1, &limits),
                         MARTECH_OK);

        n = martech_json_unescape(martech_json_slice(&doc.tape, 0), out,
                                  sizeof(out));
        assert_int_equal(n, len);
        assert_memory_equal(out, want, len);

        test_doc_close(&doc);
    }
}


/* One document that uses every call of the writer. */
static void
test_write_all(martech_json_writer_t *w)
{
    martech_json_begin(w, '{');

    martech_json_name(w, "null");
    martech_json_raw(w, "null", 4);

    martech_json_name(w, "list");
    martech_json_begin(w, '[');
    martech_json_int(w, 0);
    martech_json_int(w, -1);
    martech_json_int(w, INT64_MAX);
    martech_json_int(w, INT64_MIN);
    martech_json_bool(w, 1);
    martech_json_bool(w, 0);
    martech_json_begin(w, '[');
    martech_json_end(w, ']');
    martech_json_begin(w, '{');
    martech_json_end(w, '}');
    martech_json_cstring(w, "x");
    martech_json_end(w, ']');

    martech_json_name(w, "text");
    martech_json_string(w, "a\"b\\c/\xc3\xa9", 8);

    martech_json_name(w, "raw");
    martech_json_raw(w, "[1,2]", 5);

    martech_json_end(w, '}');
    martech_json_bytes(w, "\r\n", 2);
}


static const char  test_written[] =
    "{\"null\":null,\"list\":[0,-1,9223372036854775807,-9223372036854775808,"
    "true,false,[],{},\"x\"],\"text\":\"a\\\"b\\\\c/\xc3\xa9\","
    "\"raw\":[1,2]}\r\n";


static void
test_writer(void **state)
{
    char                   buf[512];
    size_t                 len;
    martech_json_writer_t  w;

    (void) state;

    martech_json_writer_init(&w, buf, sizeof(buf));
    test_write_all(&w);

    len = (size_t) (w.pos - w.start);

    assert_int_equal(w.overflow, 0);
    assert_ptr_equal(w.start, buf);

    if (len != sizeof(test_written) - 1
        || memcmp(buf, test_written, len) != 0)
    {
        test_fail("%.*s", (int) len, buf);
    }
}


/*
 * Too small by one byte up to empty: overflow is set, nothing stands behind
 * the end, and what was written is a beginning of the whole.
 */
static void
test_writer_overflow(void **state)
{
    size_t                 size, len;
    unsigned char         *buf;
    martech_json_writer_t  w;

    (void) state;

    for (size = 0; size <= sizeof(test_written) + 2; size++) {
        buf = malloc(size);

        martech_json_writer_init(&w, buf, size);
        test_write_all(&w);

        len = (size_t) (w.pos - w.start);

        assert_true(len <= size);

        if (w.overflow != (size < sizeof(test_written) - 1)) {
            test_fail("%zu bytes: overflow is %u", size, w.overflow);
        }

        if (len != 0 && memcmp(buf, test_written, len) != 0) {
            test_fail("%zu bytes: wrote \"%.*s\"", size, (int) len, buf);
        }

        free(buf);
    }
}


/* Every byte value in a string comes back when it is read. */
static void
test_writer_string_every_byte(void **state)
{
    long                   n;
    char                   buf[1024];
    size_t                 len;
    unsigned               c;
    test_doc_t             doc;
    unsigned char          raw[3], out[16];
    martech_rc_t           rc;
    martech_limits_t       limits;
    martech_json_writer_t  w;

    (void) state;

    martech_limits_default(&limits);

    for (c = 0; c < 256; c++) {
        raw[0] = 'a';
        raw[1] = (unsigned char) c;
        raw[2] = 'z';

        martech_json_writer_init(&w, buf, sizeof(buf));
        martech_json_string(&w, raw, 3);

        len = (size_t) (w.pos - w.start);
        assert_int_equal(w.overflow, 0);

        rc = test_doc_scan(&doc, buf, len, 1, &limits);
        if (rc != MARTECH_OK) {
            test_fail("byte %02x: wrote \"%.*s\"", c, (int) len, buf);
        }

        n = martech_json_unescape(martech_json_slice(&doc.tape, 0), out,
                                  sizeof(out));

        if (c < 0x80) {
            assert_int_equal(n, 3);
            assert_memory_equal(out, raw, 3);

        } else {
            assert_int_equal(n, 5);
            assert_memory_equal(out, "a\xef\xbf\xbdz", 5);
        }

        test_doc_close(&doc);
    }
}


/*
 * What is not UTF-8 becomes U+FFFD; valid neighbours stay.  How many bytes one
 * U+FFFD stands for is not promised, so runs of it count as one here.
 */
static void
test_writer_string_not_utf8(void **state)
{
    static const struct {
        test_text_t   raw;
        const char   *want;            /* '?' is a run of U+FFFD */
    } table[] = {
        { text("\xff"), "?" },
        { text("a\xff"), "a?" },
        { text("\xff" "b"), "?b" },
        { text("\xc3"), "?" },
        { text("\xc3" "a"), "?a" },
        { text("\xe2\x82"), "?" },
        { text("\xe2\x82" "a"), "?a" },
        { text("\xf0\x9f\x98"), "?" },
        { text("\xf0\x9f\x98\""), "?\"" },
        { text("\xc0\x80"), "?" },
        { text("\xed\xa0\x80x"), "?x" },
        { text("\xed\xbf\xbfx"), "?x" },
        { text("\xe0\x9f\xbfx"), "?x" },
        { text("\xf0\x8f\xbf\xbfx"), "?x" },
        { text("\xed\x9f\xbf\xee\x80\x80"), "\xed\x9f\xbf\xee\x80\x80" },
        { text("\xe0\xa0\x80\xef\xbf\xbf"), "\xe0\xa0\x80\xef\xbf\xbf" },
        { text("\xf0\x90\x80\x80"), "\xf0\x90\x80\x80" },
        { text("\xf4\x8f\xbf\xbf"), "\xf4\x8f\xbf\xbf" },
        { text("\xf4\x90\x80\x80x"), "?x" },
        { text("\xc3\xc3\xa9"), "?\xc3\xa9" },
        { text("\xe2\x82\xe2\x82\xac"), "?\xe2\x82\xac" },
        { text("\xc3\xa9\x80\xc3\xa9"), "\xc3\xa9?\xc3\xa9" },
        { text("a\0\xff\0"), "a" },
    };

    long                   n, k, m;
    char                   buf[256];
    size_t                 i;
    test_doc_t             doc;
    unsigned char          out[64];
    martech_limits_t       limits;
    martech_json_writer_t  w;
    unsigned char         *raw;

    (void) state;

    martech_limits_default(&limits);

    for (i = 0; i < test_count(table); i++) {
        raw = test_copy(table[i].raw.text, table[i].raw.len);

        martech_json_writer_init(&w, buf, sizeof(buf));
        martech_json_string(&w, raw, table[i].raw.len);

        free(raw);

        assert_int_equal(test_doc_scan(&doc, buf, (size_t) (w.pos - w.start),
                                       1, &limits), MARTECH_OK);

        n = martech_json_unescape(martech_json_slice(&doc.tape, 0), out,
                                  sizeof(out));
        assert_true(n >= 0);

        /* fold each run of U+FFFD into a question mark */

        m = 0;

        for (k = 0; k < n; k++) {
            if (n - k < 3 || memcmp(out + k, "\xef\xbf\xbd", 3) != 0) {
                out[m++] = out[k];
                continue;
            }

            if (m == 0 || out[m - 1] != '?') {
                out[m++] = '?';
            }

            k += 2;
        }

        if (table[i].raw.len == 4 && table[i].raw.text[1] == '\0') {
            assert_int_equal(m, 4);
            assert_memory_equal(out, "a\0?\0", 4);

        } else if (m != (long) strlen(table[i].want)
                   || memcmp(out, table[i].want, (size_t) m) != 0)
        {
            test_fail("row %zu: \"%.*s\"", i, (int) m, out);
        }

        test_doc_close(&doc);
    }
}


/* The worst string for its size, into exactly six bytes for each of one. */
static void
test_writer_string_growth(void **state)
{
    char                   raw[64];
    unsigned char         *buf;
    martech_json_writer_t  w;

    (void) state;

    memset(raw, 0x01, sizeof(raw));

    buf = test_alloc(2 + 6 * sizeof(raw));
    martech_json_writer_init(&w, buf, 2 + 6 * sizeof(raw));
    martech_json_string(&w, raw, sizeof(raw));
    assert_int_equal(w.overflow, 0);

    free(buf);
}


static void
test_writer_empty_string(void **state)
{
    char                   buf[16];
    martech_json_writer_t  w;

    (void) state;

    martech_json_writer_init(&w, buf, sizeof(buf));
    martech_json_begin(&w, '[');
    martech_json_string(&w, NULL, 0);
    martech_json_cstring(&w, "");
    martech_json_end(&w, ']');

    assert_int_equal(w.pos - w.start, 7);
    assert_memory_equal(buf, "[\"\",\"\"]", 7);
}


/* Codes have a name and a text, and no two share a name. */
static void
test_rc_names(void **state)
{
    int          i, k;
    const char  *name, *p;

    (void) state;

    for (i = 0; i < MARTECH_RC_COUNT; i++) {
        name = martech_rc_name((martech_rc_t) i);

        assert_non_null(name);
        assert_true(name[0] != '\0');

        for (p = name; *p != '\0'; p++) {
            if (strchr("abcdefghijklmnopqrstuvwxyz0123456789_", *p) == NULL) {
                test_fail("name \"%s\"", name);
            }
        }

        assert_non_null(martech_rc_text((martech_rc_t) i));

        if (i != MARTECH_OK) {
            assert_true(martech_rc_text((martech_rc_t) i)[0] != '\0');
        }

        for (k = 0; k < i; k++) {
            assert_string_not_equal(name, martech_rc_name((martech_rc_t) k));
        }
    }

    /* names of the Segment API, which senders may know */

    assert_string_equal(martech_rc_name(MARTECH_NO_USER_ANON_ID),
                        "no_user_anon_id");
    assert_string_equal(martech_rc_name(MARTECH_EVENT_NOT_DEFINED),
                        "event_not_defined");
    assert_string_equal(martech_rc_name(MARTECH_EVENT_NOT_STRING),
                        "event_not_string");
    assert_string_equal(martech_rc_name(MARTECH_PROPERTIES_NOT_OBJECT),
                        "properties_not_object");
    assert_string_equal(martech_rc_name(MARTECH_TRAITS_NOT_OBJECT),
                        "traits_not_object");
    assert_string_equal(martech_rc_name(MARTECH_NAME_NOT_STRING),
                        "name_not_string");
    assert_string_equal(martech_rc_name(MARTECH_CATEGORY_NOT_STRING),
                        "category_not_string");
    assert_string_equal(martech_rc_name(MARTECH_ID_NOT_STRING),
                        "id_not_string");

    /* "never NULL" has no exception */

    assert_non_null(martech_rc_name(MARTECH_RC_COUNT));
    assert_non_null(martech_rc_text(MARTECH_RC_COUNT));
    assert_non_null(martech_rc_name((martech_rc_t) 4711));
    assert_non_null(martech_rc_text((martech_rc_t) 4711));
}


static void
test_limits_default(void **state)
{
    martech_limits_t  limits;

    (void) state;

    memset(&limits, 0xa5, sizeof(limits));
    martech_limits_default(&limits);

    assert_int_equal(limits.event_size_max, 32 * 1024);
    assert_int_equal(limits.batch_size_max, 500 * 1024);
    assert_int_equal(limits.batch_count_max, 2500);
    assert_int_equal(limits.message_id_max, 100);
    assert_int_equal(limits.depth_max, 32);
    assert_int_equal(limits.tokens_max, 262144);
    assert_int_equal(limits.key_size_max, 1024);
    assert_int_equal(limits.string_size_max, 32 * 1024);
}


/*
 * Names and strings of each length around that of a look, and the same at
 * each distance from the end of the text.
 */

static void
test_scan_every_length(void **state)
{
    char                 *copy, text[256];
    size_t                name, value, space, len;
    martech_limits_t      limits;
    martech_json_node_t   nodes[4];
    martech_json_tape_t   tape;

    (void) state;

    martech_limits_default(&limits);
    tape.nodes = nodes;
    tape.nodes_max = 4;

    for (name = 0; name < 40; name++) {

        for (value = 0; value < 40; value++) {
            space = (name * 7 + value) % 24;

            len = (size_t) sprintf(text, "{\"%.*s\":\"%.*s\",\"b\":7}%*s",
                                   (int) name, "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
                                   "nnnnnnnnnn", (int) value,
                                   "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv",
                                   (int) space, "");

            copy = malloc(len);          /* a byte beyond it is found */
            assert_non_null(copy);
            memcpy(copy, text, len);

            assert_int_equal(martech_json_scan(&tape, (unsigned char *) copy,
                                               len, &limits),
                             MARTECH_OK);
            assert_int_equal(tape.nodes_count, 3);
            assert_int_equal(nodes[0].count, 2);
            assert_int_equal(nodes[0].len, len - space);
            assert_int_equal(nodes[1].key, 2);
            assert_int_equal(nodes[1].key_len, name);
            assert_int_equal(nodes[1].value, name + 5);
            assert_int_equal(nodes[1].len, value);
            assert_int_equal(nodes[2].key_len, 1);
            assert_int_equal(nodes[2].len, 1);
            assert_int_equal(nodes[2].flags, 0);

            free(copy);
        }

        /* cut behind the name, its colon and the next byte */

        for (len = name + 2; len < name + 6; len++) {
            copy = malloc(len);
            assert_non_null(copy);
            memcpy(copy, text, len);

            assert_int_equal(martech_json_scan(&tape, (unsigned char *) copy,
                                               len, &limits),
                             MARTECH_JSON_INVALID);
            assert_int_equal(tape.error_offset, len);

            free(copy);
        }
    }
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_scan_accepts),
        cmocka_unit_test(test_scan_refuses),
        cmocka_unit_test(test_scan_refuses_bytes_outside),
        cmocka_unit_test(test_scan_refuses_every_prefix),
        cmocka_unit_test(test_scan_finds_bad_byte_anywhere),
        cmocka_unit_test(test_scan_tape_shape),
        cmocka_unit_test(test_scan_children),
        cmocka_unit_test(test_scan_limit_depth),
        cmocka_unit_test(test_scan_limit_depth_counts_open),
        cmocka_unit_test(test_scan_limit_depth_hostile),
        cmocka_unit_test(test_scan_limit_tokens),
        cmocka_unit_test(test_scan_limit_key_size),
        cmocka_unit_test(test_scan_limit_string_size),
        cmocka_unit_test(test_scan_again),
        cmocka_unit_test(test_scan_every_length),
        cmocka_unit_test(test_member),
        cmocka_unit_test(test_pointer),
        cmocka_unit_test(test_slice_and_text),
        cmocka_unit_test(test_equals),
        cmocka_unit_test(test_compare_long_escaped),
        cmocka_unit_test(test_unescape),
        cmocka_unit_test(test_unescape_every_code_point),
        cmocka_unit_test(test_writer),
        cmocka_unit_test(test_writer_overflow),
        cmocka_unit_test(test_writer_string_every_byte),
        cmocka_unit_test(test_writer_string_not_utf8),
        cmocka_unit_test(test_writer_string_growth),
        cmocka_unit_test(test_writer_empty_string),
        cmocka_unit_test(test_rc_names),
        cmocka_unit_test(test_limits_default),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
