
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What is added to an event behind the sender's bytes: the rules see it in a
 * small event of its own.
 */


#include <string.h>

#include "martech_field.h"
#include "martech_privacy_private.h"


#define MARTECH_ADDED_NODES  64          /* a campaign has 25 members */
#define MARTECH_ADDED_EDITS  64
#define MARTECH_ADDED_FRAME  128         /* around what is added */


static martech_str_t martech_added_text(martech_privacy_added_t *added,
    martech_edits_t *edits);
static martech_str_t martech_added_copy(martech_event_t *ev,
    martech_edits_t *edits, martech_str_t text);
static void martech_added_take(martech_event_t *ev,
    martech_privacy_added_t *added, martech_edits_t *edits);


int
martech_privacy_param(const martech_privacy_t *privacy, martech_str_t param)
{
    return privacy->scrub
           && martech_url_scrub(&privacy->url, 1, param,
                                martech_privacy_scratch(privacy, 1),
                                MARTECH_PRIVACY_SCRATCH)
              <= 0;
}


void
martech_privacy_added(const martech_privacy_t *privacy,
    const martech_event_t *ev, const martech_str_t *personal,
    unsigned npersonal, martech_privacy_added_t *added,
    martech_edits_t *edits)
{
    martech_str_t        text;
    martech_edit_t       list[MARTECH_ADDED_EDITS];
    martech_event_t      small;
    martech_edits_t      changes;
    martech_batch_t      batch;
    martech_limits_t     limits;
    martech_json_tape_t  tape;
    martech_json_node_t  nodes[MARTECH_ADDED_NODES];

    if (added->visitor.len == 0 && added->campaign.len == 0) {
        return;
    }

    text = martech_added_text(added, edits);

    martech_limits_default(&limits);
    tape.nodes = nodes;
    tape.nodes_max = MARTECH_ADDED_NODES;

    if (text.len == 0
        || martech_json_scan(&tape, text.data, text.len, &limits)
           != MARTECH_OK)
    {
        edits->full = 1;
        return;
    }

    memset(&small, 0, sizeof(martech_event_t));
    memset(&batch, 0, sizeof(martech_batch_t));
    batch.tape = &tape;

    small.type = ev->type;
    small.batch = &batch;
    small.facts = ev->facts;
    small.edits = &changes;

    changes = *edits;
    changes.list = list;
    changes.max = MARTECH_ADDED_EDITS;
    changes.count = 0;

    martech_privacy_edit(privacy, &small, personal, npersonal, &changes);
    martech_edit_sort(&changes);

    edits->used = changes.used;
    edits->full = changes.full;

    martech_added_take(&small, added, edits);
}


/* {"anonymousId":"...","context":{"campaign":{...}}} */

static martech_str_t
martech_added_text(martech_privacy_added_t *added, martech_edits_t *edits)
{
    size_t                 size;
    martech_str_t          text;
    martech_json_writer_t  w;

    size = added->visitor.len + added->campaign.len + MARTECH_ADDED_FRAME;

    text.len = 0;
    text.data = martech_edit_room(edits, size);

    if (text.data == NULL) {
        return text;
    }

    martech_json_writer_init(&w, edits->buf + edits->used - size, size);

    martech_json_begin(&w, '{');

    if (added->visitor.len > 0) {
        martech_json_name(&w, "anonymousId");
        martech_json_string(&w, added->visitor.data, added->visitor.len);
    }

    martech_json_name(&w, "context");
    martech_json_begin(&w, '{');
    martech_json_name(&w, "campaign");
    martech_json_begin(&w, '{');
    martech_json_bytes(&w, added->campaign.data, added->campaign.len);
    martech_json_end(&w, '}');
    martech_json_end(&w, '}');
    martech_json_end(&w, '}');

    text.len = w.overflow ? 0 : (size_t) (w.pos - w.start);

    return text;
}


static void
martech_added_take(martech_event_t *ev, martech_privacy_added_t *added,
    martech_edits_t *edits)
{
    uint32_t                    node;
    martech_str_t               text;
    const martech_json_tape_t  *tape;

    tape = ev->batch->tape;

    node = martech_json_pointer(tape, 0, "/anonymousId");

    if (node != MARTECH_JSON_NONE) {
        text = martech_added_copy(ev, edits, martech_json_text(tape, node));

        /* less its quotes: an id, a hash, or asterisks have no escapes */

        added->visitor.len = 0;

        if (text.len > 2) {
            added->visitor.data = text.data + 1;
            added->visitor.len = text.len - 2;
        }
    }

    text = martech_json_slice(tape, martech_json_pointer(tape, 0,
                                                         "/context/campaign"));
    text.data++;
    text.len -= 2;

    added->campaign = martech_added_copy(ev, edits, text);
}


/* A part of the small event as the changes leave it. */

static martech_str_t
martech_added_copy(martech_event_t *ev, martech_edits_t *edits,
    martech_str_t text)
{
    size_t          size;
    unsigned        i;
    martech_str_t   out;
    unsigned char  *p;

    out.len = 0;
    out.data = NULL;

    size = text.len;

    for (i = 0; i < ev->edits->count; i++) {
        size += ev->edits->list[i].with.len;
    }

    p = martech_edit_room(edits, size);

    if (p == NULL || text.len == 0) {
        return out;
    }

    ev->out = p;
    martech_event_copy_edited(ev, text);

    out.data = p;
    out.len = (size_t) (ev->out - p);

    return out;
}
