
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The check of a stored event, and its new text.
 *
 * Stored events have passed the rules of their type once.  One that was made
 * anonymous has lost members which these rules ask for; it gets stand-ins
 * for the time of the check.  All bytes but those of the verdict, and of a
 * name that is an alias, stay as they are.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_quarantine_move.h"

#include "../martech/martech_privacy.h"


#define FWD_QUARANTINE_TEXT_MAX  (256 * 1024 * 1024)
#define FWD_QUARANTINE_REPAIRS   4


/* A place of a text that becomes another one. */
typedef struct {
    size_t                from;
    size_t                to;
    const char           *data;
    size_t                len;
} fwd_quarantine_edit_t;


static int fwd_quarantine_foreign(const fwd_quarantine_move_t *m,
    const fwd_quarantined_t *item);
static fwd_rc_t fwd_quarantine_event(fwd_quarantine_move_t *m,
    const fwd_quarantined_t *item);
static const char *fwd_quarantine_missing(martech_rc_t rc);
static void fwd_quarantine_repair(fwd_quarantine_move_t *m,
    const char *member);
static void fwd_quarantine_martech(fwd_quarantine_move_t *m,
    const fwd_quarantined_t *item, uint32_t martech, fwd_buf_t *out);
static martech_str_t fwd_quarantine_member(const martech_json_tape_t *tape,
    uint32_t node);
static void fwd_quarantine_verdict(fwd_quarantine_move_t *m,
    const fwd_quarantined_t *item, fwd_buf_t *out);
static size_t fwd_quarantine_rename(fwd_quarantine_move_t *m,
    const fwd_quarantined_t *item, fwd_quarantine_edit_t *edit);
static void fwd_quarantine_apply(fwd_buf_t *out, martech_str_t text,
    const fwd_quarantine_edit_t *edits, size_t count);


fwd_quarantine_move_t *
fwd_quarantine_move_create(const martech_plan_t *plan)
{
    fwd_quarantine_move_t  *m;

    m = calloc(1, sizeof(fwd_quarantine_move_t));
    if (m == NULL) {
        return NULL;
    }

    m->plan = plan;
    fwd_buf_init(&m->text, FWD_QUARANTINE_TEXT_MAX);
    fwd_buf_init(&m->out, FWD_QUARANTINE_TEXT_MAX);

    return m;
}


void
fwd_quarantine_move_destroy(fwd_quarantine_move_t *m)
{
    if (m != NULL) {
        fwd_buf_free(&m->text);
        fwd_buf_free(&m->out);
        free(m->tape.nodes);
        free(m);
    }
}


const char *
fwd_quarantine_check(fwd_quarantine_move_t *m, const fwd_quarantined_t *item)
{
    if (item->tape->nodes_count == 0
        || item->tape->nodes[0].kind != MARTECH_JSON_OBJECT
        || item->id.len == 0 || item->src.len == 0)
    {
        return "unreadable";
    }

    if (m->plan == NULL) {
        return NULL;
    }

    m->verdict.count = 0;

    if (!m->any && fwd_quarantine_foreign(m, item)) {
        return "another_plan";
    }

    if (fwd_quarantine_event(m, item) != FWD_OK) {
        return "unreadable";
    }

    martech_plan_check(m->plan, &m->event, &m->work, &m->verdict);

    if (m->verdict.action < MARTECH_PLAN_QUARANTINE) {
        return NULL;
    }

    return m->verdict.count != 0 ? m->verdict.list[0].rule : "unplanned";
}


/*
 * Sources may have different plans, and one quarantine.  A plan that does not
 * know the events of another one would let them in.
 */

static int
fwd_quarantine_foreign(const fwd_quarantine_move_t *m,
    const fwd_quarantined_t *item)
{
    uint32_t       node;
    martech_str_t  name;

    if (item->plan == MARTECH_JSON_NONE) {
        return 0;
    }

    node = martech_json_member(item->tape, item->plan, "name", 4);
    name = martech_plan_name(m->plan);

    return node != MARTECH_JSON_NONE
           && !martech_json_equals(item->tape, node,
                                   (const char *) name.data, name.len);
}


static fwd_rc_t
fwd_quarantine_event(fwd_quarantine_move_t *m, const fwd_quarantined_t *item)
{
    unsigned           i;
    const char        *field, *member;
    martech_rc_t       rc;
    martech_str_t      text;
    martech_limits_t   limits;

    fwd_quarantine_limits(&limits);
    fwd_buf_reset(&m->text);
    fwd_buf_add(&m->text, item->q.data, item->q.len);

    for (i = 0; i <= FWD_QUARANTINE_REPAIRS; i++) {
        text.data = m->text.data;
        text.len = m->text.len;

        if (m->text.failed
            || fwd_quarantine_scan(&m->tape, text) != FWD_OK
            || martech_batch_open(&m->batch, &m->tape, item->type, &limits,
                                  &field) != MARTECH_OK)
        {
            return FWD_ERROR;
        }

        rc = martech_event_check(&m->event, &m->batch, m->batch.first,
                                 &m->facts, &limits);
        if (rc == MARTECH_OK) {
            return FWD_OK;
        }

        member = fwd_quarantine_missing(rc);

        if (member == NULL) {
            return FWD_ERROR;
        }

        fwd_quarantine_repair(m, member);
    }

    return FWD_ERROR;
}


static const char *
fwd_quarantine_missing(martech_rc_t rc)
{
    switch (rc) {

    case MARTECH_NO_USER_ANON_ID:
        return "anonymousId";

    case MARTECH_USER_ID_REQUIRED:
        return "userId";

    case MARTECH_GROUP_ID_REQUIRED:
        return "groupId";

    case MARTECH_PREVIOUS_ID_REQUIRED:
        return "previousId";

    default:
        return NULL;
    }
}


/* Puts a member in front; type and messageId are there, so with a comma. */

static void
fwd_quarantine_repair(fwd_quarantine_move_t *m, const char *member)
{
    size_t     at;
    fwd_buf_t  next;

    fwd_buf_init(&next, FWD_QUARANTINE_TEXT_MAX);
    at = m->tape.nodes[0].value + 1;

    fwd_buf_add(&next, m->text.data, at);
    fwd_buf_add_char(&next, '"');
    fwd_buf_add_string(&next, member);
    fwd_buf_add_string(&next, "\":\"-\",");
    fwd_buf_add(&next, m->text.data + at, m->text.len - at);

    fwd_buf_free(&m->text);
    m->text = next;
}


const char *
fwd_quarantine_form(fwd_quarantine_move_t *m, const fwd_quarantined_t *item,
    size_t *len)
{
    size_t                 count;
    uint32_t               node;
    fwd_buf_t              martech;
    const char            *text;
    fwd_quarantine_edit_t  edits[2], first;

    fwd_buf_init(&martech, FWD_QUARANTINE_TEXT_MAX);
    fwd_buf_reset(&m->out);
    count = fwd_quarantine_rename(m, item, &edits[0]);
    node = martech_json_pointer(item->tape, 0, "/context/martech");

    if (node != MARTECH_JSON_NONE
        && item->tape->nodes[node].kind == MARTECH_JSON_OBJECT)
    {
        fwd_quarantine_martech(m, item, node, &martech);

        edits[count].from = item->tape->nodes[node].value;
        edits[count].to = edits[count].from + item->tape->nodes[node].len;
        edits[count].data = (const char *) martech.data;
        edits[count].len = martech.len;
        count++;
    }

    if (count == 2 && edits[1].from < edits[0].from) {
        first = edits[0];
        edits[0] = edits[1];
        edits[1] = first;
    }

    fwd_quarantine_apply(&m->out, item->q, edits, count);

    text = martech.failed ? NULL : fwd_buf_string(&m->out);
    *len = m->out.len;
    fwd_buf_free(&martech);

    return text;
}


/* The object context.martech with the verdict of now. */

static void
fwd_quarantine_martech(fwd_quarantine_move_t *m,
    const fwd_quarantined_t *item, uint32_t martech, fwd_buf_t *out)
{
    uint32_t                    i;
    martech_str_t               text;
    const martech_json_tape_t  *tape;

    tape = item->tape;
    fwd_buf_add_char(out, '{');

    for (i = martech + 1; i < tape->nodes[martech].next;
         i = tape->nodes[i].next)
    {
        if (martech_json_name_is(tape, i, "plan", 4)
            || (m->plan != NULL
                && martech_json_name_is(tape, i, "priority", 8)))
        {
            continue;
        }

        text = fwd_quarantine_member(tape, i);
        fwd_buf_add(out, text.data, text.len);
        fwd_buf_add_char(out, ',');
    }

    fwd_quarantine_verdict(m, item, out);
    fwd_buf_add_char(out, '}');
}


static martech_str_t
fwd_quarantine_member(const martech_json_tape_t *tape, uint32_t node)
{
    martech_str_t               text;
    const martech_json_node_t  *n;

    n = &tape->nodes[node];

    text.data = tape->text + n->key - 1;
    text.len = n->value + n->len + (n->kind == MARTECH_JSON_STRING)
               - (n->key - 1);

    return text;
}


/* What the edge said stays if nobody has looked again. */

static void
fwd_quarantine_verdict(fwd_quarantine_move_t *m,
    const fwd_quarantined_t *item, fwd_buf_t *out)
{
    size_t         len;
    martech_str_t  was;

    static const char  head[] = "\"plan\":{";

    if (m->plan != NULL) {
        len = martech_plan_write(m->plan, &m->event, &m->verdict,
                                 martech_privacy_text, m->written,
                                 sizeof(m->written));

        if (len > sizeof(head) - 1
            && memcmp(m->written, head, sizeof(head) - 1) == 0)
        {
            fwd_buf_add_string(out, head);
            fwd_buf_add_string(out, "\"replayed\":true,");
            fwd_buf_add(out, m->written + sizeof(head) - 1,
                        len - (sizeof(head) - 1));
            return;
        }
    }

    fwd_buf_add_string(out, head);
    fwd_buf_add_string(out, "\"replayed\":true,\"unchecked\":true");

    if (item->plan != MARTECH_JSON_NONE
        && item->tape->nodes[item->plan].kind == MARTECH_JSON_OBJECT
        && item->tape->nodes[item->plan].count != 0)
    {
        was = martech_json_slice(item->tape, item->plan);
        fwd_buf_add_char(out, ',');
        fwd_buf_add(out, was.data + 1, was.len - 2);
    }

    fwd_buf_add_char(out, '}');
}


/* An alias that came with the new plan. */

static size_t
fwd_quarantine_rename(fwd_quarantine_move_t *m,
    const fwd_quarantined_t *item, fwd_quarantine_edit_t *edit)
{
    uint32_t                    node;
    const martech_json_node_t  *n;

    if (m->plan == NULL || m->verdict.rename.len == 0) {
        return 0;
    }

    node = (item->type == MARTECH_EVENT_TRACK)
           ? martech_json_member(item->tape, 0, "event", 5)
           : martech_json_member(item->tape, 0, "name", 4);
    n = &item->tape->nodes[node];

    if (node == MARTECH_JSON_NONE || n->kind != MARTECH_JSON_STRING) {
        return 0;
    }

    edit->from = n->value - 1;
    edit->to = n->value + n->len + 1;
    edit->data = (const char *) m->verdict.rename.data;
    edit->len = m->verdict.rename.len;

    return 1;
}


static void
fwd_quarantine_apply(fwd_buf_t *out, martech_str_t text,
    const fwd_quarantine_edit_t *edits, size_t count)
{
    size_t  i, at;

    at = 0;

    for (i = 0; i < count; i++) {
        fwd_buf_add(out, text.data + at, edits[i].from - at);
        fwd_buf_add(out, edits[i].data, edits[i].len);
        at = edits[i].to;
    }

    fwd_buf_add(out, text.data + at, text.len - at);
}
