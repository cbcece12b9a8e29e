
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the unit tests of martech/ share: a document in a block of exactly its
 * size, so that a read beyond its end is a sanitizer report, and messages
 * that name the row of a table that failed.
 */


#ifndef _MARTECH_TEST_H_INCLUDED_
#define _MARTECH_TEST_H_INCLUDED_


/* system; cmocka wants these four in front */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libraries */
#include <cmocka.h>

/* martech */
#include "martech.h"
#include "martech_json.h"


#define test_count(table)  (sizeof(table) / sizeof((table)[0]))

/* fails the running test and says in which row of its table */
#define test_fail(...)                                                        \
    do {                                                                      \
        print_error(__VA_ARGS__);                                             \
        print_error("\n");                                                    \
        fail();                                                               \
    } while (0)


/* A document, its tape, and the blocks that hold both. */
typedef struct {
    martech_json_tape_t   tape;
    unsigned char        *text;         /* malloc(len), no byte more */
} test_doc_t;


static inline void *
test_alloc(size_t size)
{
    void  *p;

    /* a block of size zero is still a block: it must not be touched */

    p = malloc(size ? size : 1);
    if (p == NULL) {
        abort();
    }

    return p;
}


/* A copy in a block of exactly len bytes. */
static inline unsigned char *
test_copy(const void *data, size_t len)
{
    unsigned char  *p;

    p = malloc(len);
    if (p == NULL && len != 0) {
        abort();
    }

    if (len != 0) {
        memcpy(p, data, len);
    }

    return p;
}


static inline void
test_doc_close(test_doc_t *doc)
{
    free(doc->text);
    free(doc->tape.nodes);

    doc->text = NULL;
    doc->tape.nodes = NULL;
}


/*
 * Scans a copy of the text with a tape of nodes_max nodes; the caller closes
 * the document whatever the result.
 */
static inline martech_rc_t
test_doc_scan(test_doc_t *doc, const void *text, size_t len,
    uint32_t nodes_max, const martech_limits_t *limits)
{
    memset(&doc->tape, 0x5a, sizeof(martech_json_tape_t));

    doc->text = test_copy(text, len);
    doc->tape.nodes = test_alloc(nodes_max * sizeof(martech_json_node_t));
    doc->tape.nodes_max = nodes_max;

    return martech_json_scan(&doc->tape, doc->text, len, limits);
}


/* The same for a document that must be accepted, with the default limits. */
static inline void
test_doc_open(test_doc_t *doc, const char *text)
{
    martech_rc_t      rc;
    martech_limits_t  limits;

    martech_limits_default(&limits);

    rc = test_doc_scan(doc, text, strlen(text), 4096, &limits);
    if (rc != MARTECH_OK) {
        test_fail("\"%s\" refused: %s at %zu", text, martech_rc_name(rc),
                  doc->tape.error_offset);
    }
}


static inline martech_str_t
test_str(const char *text)
{
    martech_str_t  s;

    s.len = strlen(text);
    s.data = (const unsigned char *) text;

    return s;
}


static inline void
test_str_equal(martech_str_t got, const char *want)
{
    if (got.len != strlen(want)
        || (got.len != 0 && memcmp(got.data, want, got.len) != 0))
    {
        test_fail("got \"%.*s\", not \"%s\"", (int) got.len,
                  (const char *) got.data, want);
    }
}


#endif /* _MARTECH_TEST_H_INCLUDED_ */
