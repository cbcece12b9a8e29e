
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * An event that is not stored as it was sent: without its person, or changed
 * by edits.  Writing it is martech_event_write.c, which comes here for bytes
 * that edits touch.
 */


#include <string.h>

#include "martech_event.h"
#include "martech_field.h"


#define MARTECH_EVENT_HASH_LEN  32           /* hex digits of a keyed hash */


static void martech_anonymize_runs(martech_event_t *ev);
static int martech_edited_hash(const martech_edit_t *edit, uint32_t start,
    uint32_t end);
static void martech_copy_bytes(martech_event_t *ev, uint32_t from,
    uint32_t to);
static uint32_t martech_copy_comma(martech_event_t *ev, uint32_t pos,
    uint32_t end, const unsigned char *first);


static inline int
martech_edit_blank(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}


void
martech_event_anonymize(martech_event_t *ev, const uint64_t random[2])
{
    unsigned  i;

    static const uint8_t  gone[] = {
        MARTECH_FIELD_MESSAGE_ID, MARTECH_FIELD_ANONYMOUS_ID,
        MARTECH_FIELD_USER_ID, MARTECH_FIELD_GROUP_ID,
        MARTECH_FIELD_PREVIOUS_ID, MARTECH_FIELD_ORIGINAL_TIMESTAMP,
        MARTECH_FIELD_SENT_AT, MARTECH_FIELD_TRAITS,
        MARTECH_FIELD_INTEGRATIONS,
    };

    ev->anonymous = 1;
    ev->visitor.len = 0;
    ev->context_extra.len = 0;

    martech_anonymize_runs(ev);

    for (i = 0; i < sizeof(gone); i++) {
        ev->fields[gone[i]] = MARTECH_JSON_NONE;
    }

    /* the difference of two clocks tells devices apart */

    ev->skew_known = 0;

    martech_uuid7(ev->id_buf, ev->facts->now_ms, random);

    ev->message_id.data = ev->id_buf;
    ev->message_id.len = MARTECH_UUID_LEN;
    ev->identity = ev->message_id;
}


/* Collects the members that are passed on once more, without the traits. */

static void
martech_anonymize_runs(martech_event_t *ev)
{
    unsigned                    f;
    uint32_t                    i, last;
    const martech_json_node_t  *nodes;

    nodes = ev->batch->tape->nodes;
    last = MARTECH_JSON_NONE;

    ev->nruns = 0;

    for (i = ev->node + 1; i < nodes[ev->node].next; i = nodes[i].next) {
        f = martech_field(ev->batch->tape, &nodes[i]);

        if (martech_field_passed(f) && f != MARTECH_FIELD_TRAITS) {
            martech_event_run(ev, i, last);
            last = i;

        } else {
            last = MARTECH_JSON_NONE;
        }
    }
}


void
martech_event_edited(martech_event_t *ev, const uint64_t random[2])
{
    unsigned               i;
    uint32_t               node, start, end;
    martech_str_t          text;
    const martech_edit_t  *edit;

    node = ev->fields[MARTECH_FIELD_MESSAGE_ID];

    if (ev->edits == NULL || node == MARTECH_JSON_NONE) {
        return;
    }

    text = martech_json_text(ev->batch->tape, node);

    start = (uint32_t) (text.data - ev->batch->tape->text);
    end = start + (uint32_t) text.len;

    i = martech_edit_at(ev->edits, start);

    if (i == ev->edits->count || ev->edits->list[i].start >= end) {
        return;
    }

    edit = &ev->edits->list[i];

    ev->fields[MARTECH_FIELD_MESSAGE_ID] = MARTECH_JSON_NONE;
    ev->message_id.data = ev->id_buf;

    if (martech_edited_hash(edit, start, end)) {
        ev->message_id.len = MARTECH_EVENT_HASH_LEN;
        memcpy(ev->id_buf, edit->with.data + 1, MARTECH_EVENT_HASH_LEN);
        return;
    }

    martech_uuid7(ev->id_buf, ev->facts->now_ms, random);
    ev->message_id.len = MARTECH_UUID_LEN;
}


static int
martech_edited_hash(const martech_edit_t *edit, uint32_t start, uint32_t end)
{
    unsigned       i;
    unsigned char  c;

    if (edit->start != start || edit->end != end
        || edit->with.len != MARTECH_EVENT_HASH_LEN + 2)
    {
        return 0;
    }

    for (i = 1; i <= MARTECH_EVENT_HASH_LEN; i++) {
        c = edit->with.data[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return 0;
        }
    }

    return 1;
}


/*
 * A change that is larger than the text is one of something around it, whose
 * other bytes are written elsewhere or not at all: its replacement is no part
 * of this text.
 */

void
martech_event_copy_edited(martech_event_t *ev, martech_str_t text)
{
    unsigned                i;
    uint32_t                start, pos, end;
    unsigned char          *first;
    const unsigned char    *source;
    const martech_edit_t   *edit;
    const martech_edits_t  *edits;

    edits = ev->edits;
    source = ev->batch->tape->text;
    first = ev->out;

    start = (uint32_t) (text.data - source);
    end = start + (uint32_t) text.len;
    pos = start;

    for (i = martech_edit_at(edits, start);
         i < edits->count && edits->list[i].start < end;
         i++)
    {
        edit = &edits->list[i];

        if (edit->start > pos) {
            martech_copy_bytes(ev, pos, edit->start);
        }

        pos = (edit->end < end) ? edit->end : end;

        if (edit->with.len > 0) {

            if (edit->start >= start && edit->end <= end) {
                memcpy(ev->out, edit->with.data, edit->with.len);
                ev->out += edit->with.len;
            }

        } else if (edit->start < start || source[edit->start] == '"') {
            pos = martech_copy_comma(ev, pos, end, first);
        }
    }

    martech_copy_bytes(ev, pos, end);
}


static void
martech_copy_bytes(martech_event_t *ev, uint32_t from, uint32_t to)
{
    if (to > from) {
        memcpy(ev->out, ev->batch->tape->text + from, to - from);
        ev->out += to - from;
    }
}


/*
 * A member has been left out: one comma beside it goes as well, the one
 * behind it if there is no member before.  Returns where copying goes on.
 * Blanks in front of it go at once, so that nobody walks over them twice.
 */

static uint32_t
martech_copy_comma(martech_event_t *ev, uint32_t pos, uint32_t end,
    const unsigned char *first)
{
    uint32_t              p;
    const unsigned char  *source;

    source = ev->batch->tape->text;

    while (ev->out > first && martech_edit_blank(ev->out[-1])) {
        ev->out--;
    }

    for (p = pos; p < end && martech_edit_blank(source[p]); p++) {
        /* void */
    }

    if (p < end && source[p] == ',') {

        if (ev->out == first || ev->out[-1] == ',' || ev->out[-1] == '{') {
            return p + 1;
        }

        return pos;
    }

    if (ev->out > first && ev->out[-1] == ',') {
        ev->out--;
    }

    return p;
}
