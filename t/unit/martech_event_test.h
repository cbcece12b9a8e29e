
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A request body for the tests of martech/martech_event: opens it, builds
 * its events into blocks of exactly the promised bound, and reads the result
 * back.
 */


#ifndef _MARTECH_EVENT_TEST_H_INCLUDED_
#define _MARTECH_EVENT_TEST_H_INCLUDED_


#include "martech_test.h"

/* martech */
#include "martech_event.h"


typedef struct test_event_s  test_event_t;

struct test_event_s {
    void                 (*prepare)(test_event_t *t);
                                         /* between check and bound, or NULL */
    void                  *data;         /* prepare's */
    martech_facts_t        facts;
    martech_limits_t       limits;
    test_doc_t             doc;          /* the body */
    martech_batch_t        batch;
    const char            *field;        /* of a refused body */
    martech_event_t        ev;
    unsigned char         *out;          /* of the last event built */
    size_t                 bound;
    test_doc_t             canonical;    /* it, read back */
};


/* 2026-11-20T19:36:00.123Z */
#define TEST_NOW_MS  1795203360123ULL


static inline void
test_event_init(test_event_t *t)
{
    memset(t, 0, sizeof(test_event_t));

    martech_limits_default(&t->limits);

    t->facts.now_ms = TEST_NOW_MS;
    t->facts.source = test_str("web");
    t->facts.request_id = test_str("0123456789abcdef0123456789abcdef");
    t->facts.dialect = test_str("segment");
}


static inline void
test_event_close(test_event_t *t)
{
    test_doc_close(&t->doc);
    test_doc_close(&t->canonical);

    free(t->out);
    t->out = NULL;
}


/* Scans and opens a body; the scan has to succeed. */
static inline martech_rc_t
test_event_open(test_event_t *t, martech_event_type_t type, const void *body,
    size_t len)
{
    martech_rc_t  rc;

    test_event_close(t);

    rc = test_doc_scan(&t->doc, body, len, 65536, &t->limits);
    if (rc != MARTECH_OK) {
        test_fail("%.*s: %s at %zu", (int) (len > 300 ? 300 : len),
                  (const char *) body, martech_rc_name(rc),
                  t->doc.tape.error_offset);
    }

    memset(&t->batch, 0x5a, sizeof(martech_batch_t));
    t->field = NULL;

    rc = martech_batch_open(&t->batch, &t->doc.tape, type, &t->limits,
                            &t->field);

    if (rc != MARTECH_OK) {
        assert_non_null(t->field);
        return rc;
    }

    assert_true(t->batch.count >= 1);
    assert_int_equal(t->batch.single, type != MARTECH_EVENT_UNKNOWN);

    return MARTECH_OK;
}


/* Node of an event of the open body. */
static inline uint32_t
test_event_node(const test_event_t *t, uint32_t index)
{
    uint32_t  node;

    assert_true(index < t->batch.count);

    node = t->batch.first;

    while (index-- > 0) {
        node = t->doc.tape.nodes[node].next;
    }

    return node;
}


/*
 * What holds of every result: a refusal has a pointer; an event is one JSON
 * object on one line within its bound, with an id that fits a stream entry.
 */
static inline void
test_event_check(test_event_t *t, martech_rc_t rc)
{
    size_t  i;

    assert_non_null(t->ev.field);

    if (rc != MARTECH_OK) {

        if (t->ev.field[0] != '\0' && t->ev.field[0] != '/') {
            test_fail("pointer \"%s\"", t->ev.field);
        }

        return;
    }

    if (t->ev.len > t->bound) {
        test_fail("%zu bytes, bound %zu", t->ev.len, t->bound);
    }

    rc = test_doc_scan(&t->canonical, t->out, t->ev.len, 65536, &t->limits);
    if (rc != MARTECH_OK) {
        test_fail("not JSON: %.*s", (int) t->ev.len, t->out);
    }

    assert_int_equal(t->canonical.tape.nodes[0].kind, MARTECH_JSON_OBJECT);
    assert_null(memchr(t->out, '\n', t->ev.len));

    assert_in_range(t->ev.type, MARTECH_EVENT_TRACK, MARTECH_EVENT_ALIAS);
    assert_true(t->ev.identity.len >= 1);
    assert_true(t->ev.message_id.len >= 1);

    for (i = 0; i < t->ev.message_id.len; i++) {
        assert_true(t->ev.message_id.data[i] >= 0x20);
    }
}


static inline martech_rc_t
test_event_build(test_event_t *t, uint32_t index)
{
    uint32_t      node;
    martech_rc_t  rc;

    node = test_event_node(t, index);

    test_doc_close(&t->canonical);
    free(t->out);

    memset(&t->ev, 0x5a, sizeof(martech_event_t));

    t->out = NULL;
    rc = martech_event_check(&t->ev, &t->batch, node, &t->facts, &t->limits);

    if (rc == MARTECH_OK) {

        if (t->prepare) {
            t->prepare(t);
        }

        t->bound = martech_event_bound(&t->ev);
        t->out = malloc(t->bound);
        assert_non_null(t->out);

        (void) martech_event_write(&t->ev, t->out);
    }

    test_event_check(t, rc);

    return rc;
}


/* One event of a type, opened and built; the caller has the result. */
static inline martech_rc_t
test_event_one(test_event_t *t, martech_event_type_t type, const char *body)
{
    martech_rc_t  rc;

    rc = test_event_open(t, type, body, strlen(body));
    if (rc != MARTECH_OK) {
        test_fail("%s: %s at \"%s\"", body, martech_rc_name(rc), t->field);
    }

    return test_event_build(t, 0);
}


/* The same for one that has to be taken. */
static inline void
test_event_ok(test_event_t *t, martech_event_type_t type, const char *body)
{
    martech_rc_t  rc;

    rc = test_event_one(t, type, body);
    if (rc != MARTECH_OK) {
        test_fail("%s: %s at \"%s\"", body, martech_rc_name(rc),
                  t->ev.field);
    }
}


/*
 * The canonical event has this text at a pointer, or nothing if want is
 * NULL.  A name that stands twice is a fault wherever it is asked for.
 */
static inline void
test_event_has(test_event_t *t, const char *pointer, const char *want)
{
    uint32_t              node, i, n;
    martech_str_t         text;
    martech_json_tape_t  *tape;

    tape = &t->canonical.tape;
    node = martech_json_pointer(tape, 0, pointer);

    if (node == MARTECH_JSON_NONE) {
        if (want != NULL) {
            test_fail("no \"%s\" in %.*s", pointer, (int) t->ev.len, t->out);
        }

        return;
    }

    text = martech_json_text(tape, node);

    if (want == NULL || text.len != strlen(want)
        || memcmp(text.data, want, text.len) != 0)
    {
        test_fail("\"%s\" is %.*s, not %s, in %.*s", pointer, (int) text.len,
                  (const char *) text.data, want ? want : "absent",
                  (int) t->ev.len, t->out);
    }

    /* the last part once in its parent: no later namesake wins */

    for (i = node; i > 0; i--) {
        if (tape->nodes[i - 1].next > node
            && tape->nodes[i - 1].kind == MARTECH_JSON_OBJECT)
        {
            break;
        }
    }

    if (i == 0) {
        return;
    }

    n = 0;

    for (node = i; node != tape->nodes[i - 1].next;
         node = tape->nodes[node].next)
    {
        martech_str_t  name;
        unsigned char  buf[256];
        const char    *last;
        long           len;

        name.data = t->canonical.text + tape->nodes[node].key;
        name.len = tape->nodes[node].key_len;

        last = strrchr(pointer, '/') + 1;
        len = martech_json_unescape(name, buf, sizeof(buf));

        if (len == (long) strlen(last)
            && memcmp(buf, last, (size_t) len) == 0)
        {
            n++;
        }
    }

    if (n > 1) {
        test_fail("\"%s\" stands %u times in %.*s", pointer, n,
                  (int) t->ev.len, t->out);
    }
}


/* The event is refused with this code, at this pointer. */
static inline void
test_event_refused(test_event_t *t, martech_event_type_t type,
    const char *body, martech_rc_t rc, const char *field)
{
    martech_rc_t  got;

    got = test_event_one(t, type, body);

    if (got != rc || strcmp(t->ev.field, field) != 0) {
        test_fail("%s: %s at \"%s\", not %s at \"%s\"", body,
                  martech_rc_name(got), t->ev.field, martech_rc_name(rc),
                  field);
    }
}


#endif /* _MARTECH_EVENT_TEST_H_INCLUDED_ */
