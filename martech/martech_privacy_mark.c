
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The places of an event that JSON pointers with wildcards name.  Pointers
 * that begin alike share their steps, and are followed together.
 */


#include <string.h>

#include "martech_privacy_private.h"


#define MARTECH_PRIVACY_PERSONAL  1024   /* bytes of a pointer of a plan */


static void martech_privacy_batch(martech_privacy_work_t *w, uint32_t node);
static void martech_privacy_follow(martech_privacy_work_t *w, uint16_t list,
    uint32_t node);
static void martech_privacy_take(martech_privacy_work_t *w, uint16_t list,
    uint32_t node, uint32_t index);
static void martech_privacy_deep(martech_privacy_work_t *w, uint16_t list,
    uint32_t node);
static int martech_privacy_step_is(const martech_privacy_work_t *w,
    martech_str_t name, int any, uint32_t node, uint32_t index);
static void martech_privacy_found(martech_privacy_work_t *w, uint32_t node,
    unsigned how);
static void martech_privacy_plan(martech_privacy_work_t *w,
    martech_str_t pointer, uint32_t node, unsigned how, int rooted);
static void martech_privacy_plan_deep(martech_privacy_work_t *w,
    martech_str_t pointer, uint32_t node, unsigned how);
static void martech_privacy_marks_sort(martech_privacy_work_t *w);


void
martech_privacy_marks(martech_privacy_work_t *w,
    const martech_str_t *personal, unsigned npersonal, unsigned how)
{
    unsigned               i;
    const martech_batch_t  *batch;

    batch = w->ev->batch;

    w->nmarks = 0;
    w->visits = 0;

    if (w->privacy->root) {
        martech_privacy_follow(w, w->privacy->root, w->ev->node);

        martech_privacy_batch(w, batch->context);
        martech_privacy_batch(w, batch->integrations);
        martech_privacy_batch(w, batch->sent_at);
    }

    if (how != MARTECH_REDACT_NOT) {

        for (i = 0; i < npersonal; i++) {
            martech_privacy_plan(w, personal[i], w->ev->node, how, 1);
        }
    }

    martech_privacy_marks_sort(w);
}


/* An object of the batch's own, which is a member of each of its events. */

static void
martech_privacy_batch(martech_privacy_work_t *w, uint32_t node)
{
    uint16_t                       i;
    const martech_privacy_step_t  *step;

    if (node == MARTECH_JSON_NONE) {
        return;
    }

    martech_privacy_take(w, w->privacy->root, node, 0);

    for (i = w->privacy->root; i; i = step->next) {
        step = &w->privacy->steps[i];

        if (step->kind == MARTECH_STEP_DEEP) {
            martech_privacy_take(w, step->child, node, 0);
            martech_privacy_deep(w, step->child, node);
        }
    }
}


/* 0 once there were too many visits: such an event is not stored. */

static int
martech_privacy_visit(martech_privacy_work_t *w)
{
    if (w->edits->full || ++w->visits > MARTECH_PRIVACY_VISITS) {
        w->edits->full = 1;
        return 0;
    }

    return 1;
}


static void
martech_privacy_follow(martech_privacy_work_t *w, uint16_t list,
    uint32_t node)
{
    uint16_t                       i;
    uint32_t                       child, index;
    const martech_json_node_t     *nodes;

    nodes = w->tape->nodes;

    if (nodes[node].kind < MARTECH_JSON_ARRAY) {
        return;
    }

    for (i = list; i; i = w->privacy->steps[i].next) {

        if (w->privacy->steps[i].kind == MARTECH_STEP_DEEP) {
            martech_privacy_deep(w, w->privacy->steps[i].child, node);
        }
    }

    index = 0;

    for (child = node + 1; child < nodes[node].next;
         child = nodes[child].next)
    {
        if (!martech_privacy_visit(w)) {
            return;
        }

        martech_privacy_take(w, list, child, index++);
    }
}


/* The steps of a list that one member or element answers to. */

static void
martech_privacy_take(martech_privacy_work_t *w, uint16_t list, uint32_t node,
    uint32_t index)
{
    uint16_t                       i;
    const martech_privacy_step_t  *step;

    for (i = list; i; i = step->next) {
        step = &w->privacy->steps[i];

        if (step->kind == MARTECH_STEP_DEEP
            || !martech_privacy_step_is(w, step->name,
                                        step->kind == MARTECH_STEP_ANY, node,
                                        index))
        {
            continue;
        }

        if (step->how != MARTECH_REDACT_NOT) {
            martech_privacy_found(w, node, step->how);
        }

        if (step->child) {
            martech_privacy_follow(w, step->child, node);
        }
    }
}


/* "**": the steps behind it, here and in all that is within. */

static void
martech_privacy_deep(martech_privacy_work_t *w, uint16_t list, uint32_t node)
{
    uint32_t                    i;
    const martech_json_node_t  *nodes;

    nodes = w->tape->nodes;

    for (i = node; i < nodes[node].next; i++) {

        if (!martech_privacy_visit(w)) {
            return;
        }

        if (nodes[i].kind >= MARTECH_JSON_ARRAY) {
            martech_privacy_follow(w, list, i);
        }
    }
}


static int
martech_privacy_step_is(const martech_privacy_work_t *w, martech_str_t name,
    int any, uint32_t node, uint32_t index)
{
    size_t                      i;
    uint32_t                    n;
    const martech_json_node_t  *member;

    if (any) {
        return 1;
    }

    member = &w->tape->nodes[node];

    if (member->key) {

        if (member->flags & MARTECH_JSON_KEY_ESCAPED) {
            return martech_json_name_is(w->tape, node,
                                        (const char *) name.data, name.len);
        }

        return member->key_len == name.len
               && memcmp(w->tape->text + member->key, name.data, name.len)
                  == 0;
    }

    if (name.len == 0 || name.len > 9
        || (name.data[0] == '0' && name.len > 1))
    {
        return 0;
    }

    for (i = 0, n = 0; i < name.len; i++) {

        if (name.data[i] < '0' || name.data[i] > '9') {
            return 0;
        }

        n = n * 10 + (uint32_t) (name.data[i] - '0');
    }

    return n == index;
}


static void
martech_privacy_found(martech_privacy_work_t *w, uint32_t node, unsigned how)
{
    if (w->nmarks == MARTECH_PRIVACY_MARKS) {
        w->edits->full = 1;
        return;
    }

    w->marks[w->nmarks].node = node;
    w->marks[w->nmarks++].how = (uint8_t) how;
}


/*
 * A pointer of a plan is followed as it is written, because each event has
 * others.  rooted: node is the event itself.
 */

static void
martech_privacy_plan(martech_privacy_work_t *w, martech_str_t pointer,
    uint32_t node, unsigned how, int rooted)
{
    int                         any;
    size_t                      i, n;
    uint32_t                    child, index;
    martech_str_t               name, rest;
    unsigned char               buf[MARTECH_PRIVACY_PERSONAL];
    const martech_json_node_t  *nodes;

    nodes = w->tape->nodes;

    if (pointer.len < 1 || pointer.data[0] != '/') {
        return;
    }

    for (i = 1, n = 0; i < pointer.len && pointer.data[i] != '/'; i++) {

        if (n == sizeof(buf)) {
            w->edits->full = 1;
            return;
        }

        buf[n] = pointer.data[i];

        if (buf[n] == '~' && i + 1 < pointer.len) {
            buf[n] = (pointer.data[++i] == '0') ? '~' : '/';
        }

        n++;
    }

    name.data = buf;
    name.len = n;
    rest.data = pointer.data + i;
    rest.len = pointer.len - i;
    any = (n == 1 && i == 2 && buf[0] == '*');

    if (n == 2 && i == 3 && memcmp(buf, "**", 2) == 0) {
        martech_privacy_plan_deep(w, rest, node, how);

        if (rooted && w->ev->batch->context != MARTECH_JSON_NONE) {
            martech_privacy_plan_deep(w, rest, w->ev->batch->context, how);
        }

        return;
    }

    if (nodes[node].kind < MARTECH_JSON_ARRAY) {
        return;
    }

    /* the batch's own context is that of each event */

    if (rooted && n == 7 && memcmp(buf, "context", 7) == 0
        && w->ev->batch->context != MARTECH_JSON_NONE)
    {
        martech_privacy_plan(w, rest, w->ev->batch->context, how, 0);
    }

    index = 0;

    for (child = node + 1; child < nodes[node].next;
         child = nodes[child].next, index++)
    {
        if (!martech_privacy_visit(w)) {
            return;
        }

        if (!martech_privacy_step_is(w, name, any, child, index)) {
            continue;
        }

        if (rest.len == 0) {
            martech_privacy_found(w, child, how);

        } else {
            martech_privacy_plan(w, rest, child, how, 0);
        }
    }
}


static void
martech_privacy_plan_deep(martech_privacy_work_t *w, martech_str_t pointer,
    uint32_t node, unsigned how)
{
    uint32_t                    i;
    const martech_json_node_t  *nodes;

    nodes = w->tape->nodes;

    for (i = node; i < nodes[node].next; i++) {

        if (!martech_privacy_visit(w)) {
            return;
        }

        martech_privacy_plan(w, pointer, i, how, 0);
    }
}


/* Few, and nearly in order. */

static void
martech_privacy_marks_sort(martech_privacy_work_t *w)
{
    unsigned                i, j;
    martech_privacy_mark_t  mark;

    for (i = 1; i < w->nmarks; i++) {
        mark = w->marks[i];

        for (j = i; j > 0 && w->marks[j - 1].node > mark.node; j--) {
            w->marks[j] = w->marks[j - 1];
        }

        w->marks[j] = mark;
    }
}
