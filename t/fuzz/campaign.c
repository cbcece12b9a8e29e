
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The address of a page, and the cookie of an earlier one: whatever both are,
 * what is read keeps within its limits, comes back the same from a cookie,
 * and leaves an event that is one JSON object within its bound, also when
 * the rules of privacy change what is added.  The first byte of the input
 * chooses the rules; up to the first line feed stands the cookie, behind it
 * a query, or the whole body of an event.
 */


#include "fuzz.h"

/* martech */
#include "martech_campaign.h"


#define FUZZ_EDITS  256
#define FUZZ_ROOM   65536


static martech_privacy_t *
fuzz_rules(uint8_t how)
{
    char                error[MARTECH_PRIVACY_ERROR_SIZE];
    martech_redact_t    redact;
    martech_privacy_t  *privacy;

    static const martech_str_t  key = martech_string("0123456789abcdef");
    static const martech_str_t  email = martech_string("email");
    static const martech_str_t  usual = martech_string("default");
    static const martech_str_t  source = martech_string("source");
    static const martech_str_t  all = martech_string("/context/campaign");
    static const martech_str_t  id = martech_string("/anonymousId");

    privacy = martech_privacy_create();
    fuzz_assert(privacy != NULL);

    redact = (martech_redact_t) (how % 3);

    fuzz_assert(martech_privacy_key(privacy, key, error) == NULL);
    fuzz_assert(martech_privacy_pattern(privacy, email, redact, error)
                == NULL);
    fuzz_assert(martech_privacy_scrub(privacy, usual, error) == NULL);

    if (how & 4) {
        fuzz_assert(martech_privacy_name(privacy, source, 0, redact, error)
                    == NULL);
    }

    if (how & 8) {
        fuzz_assert(martech_privacy_pointer(privacy, all, redact, error)
                    == NULL);
    }

    if (how & 16) {
        fuzz_assert(martech_privacy_pointer(privacy, id, redact, error)
                    == NULL);
    }

    return privacy;
}


/* What a cookie keeps comes back in order, as far as there was room. */
static void
fuzz_query(martech_str_t query, int clicks)
{
    size_t               n;
    unsigned             i, k;
    martech_str_t        text;
    unsigned char       *out;
    martech_campaign_t   c, again;

    martech_campaign_init(&c, clicks);
    fuzz_assert(martech_campaign_query(&c, query, NULL) == c.count);
    fuzz_assert(c.count <= MARTECH_CAMPAIGN_PARAMS);
    fuzz_assert(c.used <= MARTECH_CAMPAIGN_SIZE);

    out = fuzz_alloc(MARTECH_CAMPAIGN_COOKIE_MAX);
    n = martech_campaign_cookie(&c, out);
    fuzz_assert(n <= MARTECH_CAMPAIGN_COOKIE_MAX);

    for (i = 0; i < n; i++) {
        fuzz_assert(out[i] > 0x20 && out[i] < 0x7f
                    && strchr("\",;\\", out[i]) == NULL);
    }

    text.data = out;
    text.len = n;

    martech_campaign_init(&again, clicks);
    (void) martech_campaign_query(&again, text, NULL);

    for (i = 0, k = 0; i < again.count; i++, k++) {

        while (k < c.count && (c.list[k].name.len != again.list[i].name.len
                               || memcmp(c.list[k].name.data,
                                         again.list[i].name.data,
                                         c.list[k].name.len)
                                  != 0))
        {
            k++;
        }

        fuzz_assert(k < c.count);
        fuzz_assert(c.list[k].value.len == again.list[i].value.len);
        fuzz_assert(memcmp(c.list[k].value.data, again.list[i].value.data,
                           c.list[k].value.len) == 0);
    }

    free(out);
}


static void
fuzz_write(martech_event_t *ev, martech_edits_t *edits)
{
    size_t                bound;
    uint64_t              fresh[2] = { 0, 0 };
    unsigned char        *out;
    martech_limits_t      any;
    martech_json_tape_t   tape;

    martech_edit_sort(edits);
    ev->edits = edits;
    martech_event_edited(ev, fresh);

    bound = martech_event_bound(ev);
    out = fuzz_alloc(bound);

    (void) martech_event_write(ev, out);
    fuzz_assert(ev->len <= bound);

    memset(&any, 0xff, sizeof(any));
    any.depth_max = 1000;
    any.key_size_max = UINT16_MAX;

    tape.nodes_max = (uint32_t) ev->len;
    tape.nodes = fuzz_alloc(ev->len * sizeof(martech_json_node_t));
    fuzz_assert(martech_json_scan(&tape, out, ev->len, &any) == MARTECH_OK);

    free(tape.nodes);
    free(out);
}


static void
fuzz_event(martech_event_t *ev, martech_privacy_t *privacy,
    martech_str_t cookie)
{
    martech_edit_t            list[FUZZ_EDITS];
    martech_edits_t           edits;
    unsigned char            *room, *text;
    martech_campaign_t        c;
    martech_privacy_added_t   added;

    room = fuzz_alloc(FUZZ_ROOM);
    text = fuzz_alloc(MARTECH_CAMPAIGN_TEXT_MAX);

    memset(&edits, 0, sizeof(edits));
    edits.list = list;
    edits.max = FUZZ_EDITS;
    edits.buf = room;
    edits.size = FUZZ_ROOM;

    martech_privacy_edit(privacy, ev, NULL, 0, &edits);

    martech_campaign_init(&c, 1);

    if (martech_campaign_event(&c, ev, privacy) == 0
        && !martech_campaign_given(ev))
    {
        (void) martech_campaign_query(&c, cookie, privacy);
        c.stored = 1;
    }

    added.visitor = ev->visitor;
    added.campaign.data = text;
    added.campaign.len = martech_campaign_write(&c, ev, text);
    fuzz_assert(added.campaign.len <= MARTECH_CAMPAIGN_TEXT_MAX);

    martech_privacy_added(privacy, ev, NULL, 0, &added, &edits);
    ev->visitor = added.visitor;

    martech_campaign_put(ev, &edits, added.campaign);

    if (!edits.full) {
        fuzz_write(ev, &edits);
    }

    free(room);
    free(text);
}


static void
fuzz_body(uint8_t how, martech_str_t cookie, martech_str_t body)
{
    const char           *field;
    martech_batch_t       batch;
    martech_event_t       ev;
    martech_facts_t       facts;
    martech_limits_t      limits;
    martech_privacy_t    *privacy;
    martech_json_tape_t   tape;

    static const martech_str_t  web = martech_string("web");
    static const martech_str_t  id =
                       martech_string("0199f6a0-1234-7abc-8def-0123456789ab");

    martech_limits_default(&limits);

    tape.nodes_max = (uint32_t) body.len + 1;
    tape.nodes = fuzz_alloc(tape.nodes_max * sizeof(martech_json_node_t));

    memset(&facts, 0, sizeof(facts));
    facts.source = web;
    facts.request_id = web;
    facts.dialect = web;
    facts.visitor = id;

    if (martech_json_scan(&tape, body.data, body.len, &limits) == MARTECH_OK
        && martech_batch_open(&batch, &tape,
                              (how & 32) ? MARTECH_EVENT_UNKNOWN
                                         : MARTECH_EVENT_PAGE,
                              &limits, &field)
           == MARTECH_OK
        && martech_event_check(&ev, &batch, batch.first, &facts, &limits)
           == MARTECH_OK)
    {
        privacy = fuzz_rules(how);
        fuzz_event(&ev, privacy, cookie);
        martech_privacy_free(privacy);
    }

    free(tape.nodes);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t         how;
    martech_str_t   cookie, rest;
    const uint8_t  *line;

    if (size == 0) {
        return 0;
    }

    how = *data++;
    size--;

    line = size ? memchr(data, '\n', size) : NULL;

    cookie.data = data;
    cookie.len = line ? (size_t) (line - data) : 0;

    rest.data = line ? line + 1 : data;
    rest.len = size - (size_t) (rest.data - data);

    fuzz_query(cookie, how & 64);
    fuzz_query(rest, 1);
    fuzz_body(how, cookie, rest);

    return 0;
}
