
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the tests of martech/martech_plan share: a plan from a text in a block
 * of exactly its size, an event held against it, and the verdict in words.
 */


#ifndef _MARTECH_PLAN_TEST_H_INCLUDED_
#define _MARTECH_PLAN_TEST_H_INCLUDED_


#include "martech_event_test.h"

/* martech */
#include "martech_plan.h"


#define TEST_WORDS_MAX  8192


typedef struct {
    test_event_t            event;
    martech_plan_work_t     work;
    martech_plan_verdict_t  verdict;
    char                    words[TEST_WORDS_MAX];
    char                    text[MARTECH_PLAN_TEXT_MAX + 1];
} test_plan_t;


/* "+" stands for a plan with nothing but a head, and what follows in it. */
static inline martech_plan_t *
test_plan_compile(const char *text, martech_plan_error_t *error)
{
    char            *whole;
    size_t           len;
    unsigned char   *copy;
    martech_plan_t  *plan;

    whole = test_alloc(strlen(text) + 64);

    if (text[0] == '+') {
        len = (size_t) sprintf(whole, "{\"martech_plan\":1,\"name\":\"p\","
                               "\"version\":\"1\",%s}", text + 1);

    } else {
        len = (size_t) sprintf(whole, "%s", text);
    }

    copy = test_copy(whole, len);
    free(whole);

    memset(error, 0x5a, sizeof(martech_plan_error_t));

    plan = martech_plan_compile(copy, len, error);
    free(copy);

    return plan;
}


/* The same for a plan that must be right. */
static inline martech_plan_t *
test_plan_open(const char *text)
{
    martech_plan_t        *plan;
    martech_plan_error_t   error;

    plan = test_plan_compile(text, &error);
    if (plan == NULL) {
        test_fail("refused: %s: %s", error.pointer, error.reason);
    }

    return plan;
}


static inline test_plan_t *
test_plan_init(void)
{
    test_plan_t  *t;

    t = test_alloc(sizeof(test_plan_t));
    test_event_init(&t->event);

    return t;
}


static inline void
test_plan_close(test_plan_t *t)
{
    test_event_close(&t->event);
    free(t);
}


static inline void
test_words(test_plan_t *t, const char *fmt, ...)
{
    size_t   used;
    va_list  args;

    used = strlen(t->words);

    va_start(args, fmt);
    (void) vsnprintf(t->words + used, sizeof(t->words) - used, fmt, args);
    va_end(args);
}


/* The verdict as t/cases/plan/verdicts.txt has it. */
static inline void
test_plan_words(test_plan_t *t, const martech_plan_t *plan)
{
    char                     pointer[MARTECH_PLAN_POINTER_MAX + 1];
    unsigned                 i, n;
    uint64_t                 bits[MARTECH_PLAN_FIELD_WORDS];
    martech_str_t            name;
    martech_plan_verdict_t  *v;

    v = &t->verdict;
    t->words[0] = '\0';

    test_words(t, "%s | ", martech_plan_action_name(v->action));

    if (v->entry >= 0) {
        name = martech_plan_entry(plan, (unsigned) v->entry)->name;
        test_words(t, "%.*s", (int) name.len, (const char *) name.data);

    } else {
        test_words(t, v->ungoverned ? "~" : "-");
    }

    if (v->version.len > 0) {
        test_words(t, " | v%.*s", (int) v->version.len,
                   (const char *) v->version.data);
    }

    if (v->priority != MARTECH_PLAN_NORMAL) {
        test_words(t, " | %s", martech_plan_priority_name(v->priority));
    }

    if (v->rename.len > 0) {
        test_words(t, " | as %.*s", (int) v->rename.len,
                   (const char *) v->rename.data);
    }

    for (i = 0; i < v->count; i++) {
        (void) martech_plan_pointer(&t->event.ev, &v->list[i], pointer,
                                    sizeof(pointer));
        test_words(t, " | %s %s", pointer, v->list[i].rule);

        assert_true(martech_plan_rule(v->list[i].rule)
                    < MARTECH_PLAN_RULES - 1);
    }

    if (v->more) {
        test_words(t, " | more");
    }

    if (!martech_plan_nulls(plan, &t->work, v, bits)) {
        return;
    }

    for (i = 0, n = 0; i < martech_plan_fields(plan, (unsigned) v->entry);
         i++)
    {
        if (bits[i / 64] >> (i % 64) & 1) {
            name = martech_plan_field(plan, (unsigned) v->entry, i);
            test_words(t, "%s %.*s", n++ == 0 ? " | null" : "",
                       (int) name.len, (const char *) name.data);
        }
    }
}


/* What is written into the event must be members of an object. */
static inline void
test_plan_written(test_plan_t *t, const martech_plan_t *plan)
{
    char        *whole;
    size_t       len;
    test_doc_t   doc;

    len = martech_plan_write(plan, &t->event.ev, &t->verdict, NULL, t->text,
                             MARTECH_PLAN_TEXT_MAX);

    assert_true(len < MARTECH_PLAN_TEXT_MAX);
    t->text[len] = '\0';

    whole = test_alloc(len + 3);
    (void) sprintf(whole, "{%s}", t->text);

    test_doc_open(&doc, whole);
    assert_int_not_equal(martech_json_pointer(&doc.tape, 0, "/plan/action"),
                         MARTECH_JSON_NONE);
    test_doc_close(&doc);

    free(whole);
}


/*
 * Holds an event against a plan: the first of a batch, or one event, which is
 * given a userId and put into a batch.
 */
static inline void
test_plan_check(test_plan_t *t, const martech_plan_t *plan, const char *event)
{
    char          *body;
    martech_rc_t   rc;
    test_event_t  *e;

    e = &t->event;
    body = test_alloc(strlen(event) + 64);

    if (strncmp(event, "{\"batch\"", 8) == 0) {
        (void) sprintf(body, "%s", event);

    } else {
        (void) sprintf(body, "{\"batch\":[{\"userId\":\"u\",%s]}", event + 1);
    }

    rc = test_event_open(e, MARTECH_EVENT_UNKNOWN, body, strlen(body));
    free(body);

    if (rc == MARTECH_OK) {
        memset(&e->ev, 0x5a, sizeof(martech_event_t));
        rc = martech_event_check(&e->ev, &e->batch, test_event_node(e, 0),
                                 &e->facts, &e->limits);
    }

    if (rc != MARTECH_OK) {
        test_fail("%s: %s", event, martech_rc_name(rc));
    }

    memset(&t->verdict, 0x5a, sizeof(martech_plan_verdict_t));
    memset(&t->work, 0x5a, sizeof(martech_plan_work_t));

    martech_plan_check(plan, &e->ev, &t->work, &t->verdict);

    test_plan_words(t, plan);
    test_plan_written(t, plan);
}


#endif /* _MARTECH_PLAN_TEST_H_INCLUDED_ */
