
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Rules and an event: whatever both are, what is written is one JSON object
 * within its bound, or the edits say that it must not be stored.  The first
 * bytes of the input choose the rules; up to the first line feed stands a
 * pointer, a name or an expression, the rest is the request body.
 */


#include "fuzz.h"

/* martech */
#include "martech_event.h"
#include "martech_pii.h"
#include "martech_privacy.h"
#include "martech_url.h"


#define FUZZ_EVENTS_MAX  8
#define FUZZ_EDITS       128
#define FUZZ_ROOM        16384


static martech_privacy_t *
fuzz_rules(uint8_t a, uint8_t b, martech_str_t text)
{
    unsigned             i;
    char                 error[MARTECH_PRIVACY_ERROR_SIZE];
    martech_redact_t     how;
    martech_privacy_t   *privacy;

    static const martech_str_t  key = martech_string("0123456789abcdef");
    static const martech_str_t  usual = martech_string("default");
    static const martech_str_t  patterns[] = {
        martech_string("email"), martech_string("card"),
        martech_string("phone"), martech_string("iban"),
        martech_string("national_id"),
    };

    privacy = martech_privacy_create();
    fuzz_assert(privacy != NULL);

    how = (martech_redact_t) (a % 3);

    (void) martech_privacy_key(privacy, key, error);
    (void) martech_privacy_pointer(privacy, text, how, error);
    (void) martech_privacy_name(privacy, text, a & 4, how, error);

    if (a & 8) {
        (void) martech_privacy_value(privacy, text, how, error);
        (void) martech_privacy_scrub(privacy, text, error);
    }

    if (a & 16) {
        (void) martech_privacy_scrub(privacy, usual, error);
    }

    for (i = 0; i < 5; i++) {

        if (b & (1u << i)) {
            (void) martech_privacy_pattern(privacy, patterns[i],
                                           (martech_redact_t) ((a + i) % 3),
                                           error);
        }
    }

    martech_privacy_ip(privacy, (martech_keep_t) ((a >> 5) % 3));
    martech_privacy_agent(privacy, (martech_keep_t) ((b >> 5) % 3));
    martech_privacy_personal(privacy, how);

    fuzz_assert(martech_privacy_ready(privacy) == NULL);

    return privacy;
}


static void
fuzz_text(martech_str_t text)
{
    long                 n;
    size_t               at;
    unsigned             hints;
    unsigned char       *out;
    martech_pii_match_t  match;
    martech_url_rules_t  rules;

    hints = (unsigned) text.len & 3;

    for (at = 0; martech_pii_next(0x3f, hints, text.data, text.len, at,
                                  &match);
         at = match.to)
    {
        fuzz_assert(match.from >= at && match.from < match.to
                    && match.to <= text.len);
    }

    rules.count = 0;
    rules.usual = 1;
    rules.campaign = text.len & 1;

    out = fuzz_alloc(text.len);
    n = martech_url_scrub(&rules, text.len & 2, text, out, text.len);
    fuzz_assert(n >= 0 && (size_t) n <= text.len);
    free(out);
}


static void
fuzz_event(martech_privacy_t *privacy, const martech_batch_t *batch,
    uint32_t node, martech_facts_t *facts, const martech_limits_t *limits,
    martech_str_t text, int anonymous)
{
    size_t                  bound;
    martech_event_t         ev;
    martech_edits_t         edits;
    martech_edit_t          list[FUZZ_EDITS];
    martech_limits_t        any;
    martech_json_tape_t     tape;
    unsigned char          *out, *room;

    if (martech_event_check(&ev, batch, node, facts, limits) != MARTECH_OK) {
        return;
    }

    room = fuzz_alloc(FUZZ_ROOM);

    memset(&edits, 0, sizeof(edits));
    edits.list = list;
    edits.max = FUZZ_EDITS;
    edits.buf = room;
    edits.size = FUZZ_ROOM;

    if (anonymous) {
        martech_privacy_anonymize(privacy, &ev, facts->ip, facts->user_agent,
                                  &text, 1, &edits);
        martech_event_anonymize(&ev, facts->random);

    } else {
        martech_privacy_edit(privacy, &ev, &text, 1, &edits);
    }

    if (edits.full) {
        free(room);
        return;
    }

    martech_edit_sort(&edits);
    ev.edits = &edits;
    martech_event_edited(&ev, facts->random);

    bound = martech_event_bound(&ev);
    out = fuzz_alloc(bound);

    (void) martech_event_write(&ev, out);
    fuzz_assert(ev.len <= bound);

    memset(&any, 0xff, sizeof(any));
    any.depth_max = 1000;
    any.key_size_max = UINT16_MAX;

    tape.nodes_max = (uint32_t) ev.len;
    tape.nodes = fuzz_alloc(ev.len * sizeof(martech_json_node_t));
    fuzz_assert(martech_json_scan(&tape, out, ev.len, &any) == MARTECH_OK);

    free(tape.nodes);
    free(out);
    free(room);
}


static void
fuzz_body(martech_privacy_t *privacy, const martech_json_tape_t *tape,
    const martech_limits_t *limits, martech_str_t text, int anonymous)
{
    uint32_t         i, node;
    const char      *field;
    martech_batch_t  batch;
    martech_facts_t  facts;

    static const martech_str_t  web = martech_string("web");
    static const martech_str_t  ip = martech_string("2001:db8::1");
    static const martech_str_t  agent = martech_string("Mozilla/5.0 (X11)");

    memset(&facts, 0, sizeof(facts));
    facts.source = web;
    facts.request_id = web;
    facts.dialect = web;
    facts.ip = ip;
    facts.user_agent = agent;

    if (martech_batch_open(&batch, tape, MARTECH_EVENT_UNKNOWN, limits, &field)
        != MARTECH_OK
        && martech_batch_open(&batch, tape, MARTECH_EVENT_TRACK, limits,
                              &field)
           != MARTECH_OK)
    {
        return;
    }

    node = batch.first;

    for (i = 0; i < batch.count && i < FUZZ_EVENTS_MAX; i++) {
        fuzz_event(privacy, &batch, node, &facts, limits, text, anonymous);
        node = tape->nodes[node].next;
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t               a, b;
    martech_str_t         text;
    const uint8_t        *line;
    martech_limits_t      limits;
    martech_privacy_t    *privacy;
    martech_json_tape_t   tape;

    if (size < 2) {
        return 0;
    }

    a = data[0];
    b = data[1];
    data += 2;
    size -= 2;

    line = memchr(data, '\n', size);

    text.data = data;
    text.len = line ? (size_t) (line - data) : 0;

    if (line) {
        size -= text.len + 1;
        data = line + 1;
    }

    fuzz_text(text);

    martech_limits_default(&limits);

    tape.nodes_max = (uint32_t) size + 1;
    tape.nodes = fuzz_alloc(tape.nodes_max * sizeof(martech_json_node_t));

    if (martech_json_scan(&tape, data, size, &limits) == MARTECH_OK) {
        privacy = fuzz_rules(a, b, text);
        fuzz_body(privacy, &tape, &limits, text, (b >> 7) & 1);
        martech_privacy_free(privacy);
    }

    free(tape.nodes);

    return 0;
}
