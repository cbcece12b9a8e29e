
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Any bytes as a request body: every event is refused with a pointer, or
 * comes out as one JSON object within its bound, with our own context and an
 * id that fits a stream entry.  The first two bytes of the input choose the
 * type of the request, the limits and what the request knows.
 */


#include "fuzz.h"

/* martech */
#include "martech_event.h"
#include "martech_shard.h"
#include "martech_time.h"


#define FUZZ_EVENTS_MAX  64
#define FUZZ_EDITS_MAX   48


static const char  fuzz_agent[] =
    "Mozilla/5.0 \"\\ \x01\x02\x7f\xc3\xa9\xff\xe2\x82";


static void
fuzz_settings(uint8_t a, uint8_t b, martech_facts_t *facts,
    martech_limits_t *limits)
{
    static const martech_str_t  source = martech_string("web");
    static const martech_str_t  dialect = martech_string("segment");
    static const martech_str_t  id = martech_string("0123456789abcdef");
    static const martech_str_t  ip = martech_string("2001:db8::1");
    static const martech_str_t  trace = martech_string(
                   "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");

    memset(facts, 0, sizeof(martech_facts_t));

    facts->now_ms = (a & 0x08) ? 1795203360123ULL : (uint64_t) b;
    facts->random[0] = b * 0x9e3779b97f4a7c15ULL;
    facts->random[1] = ~facts->random[0];
    facts->source = source;
    facts->request_id = id;
    facts->dialect = dialect;

    if (a & 0x10) {
        facts->ip = ip;
        facts->traceparent = trace;
        facts->user_agent.data = (const unsigned char *) fuzz_agent;
        facts->user_agent.len = b % sizeof(fuzz_agent);
    }

    martech_limits_default(limits);

    if (a & 0x20) {
        limits->event_size_max = 16 * (size_t) b;
        limits->batch_count_max = 1 + b % 8;
        limits->message_id_max = b;
        limits->depth_max = 1 + b % 16;
    }

    if (a & 0x40) {
        limits->message_id_max = UINT32_MAX;
        limits->key_size_max = UINT16_MAX;
        limits->string_size_max = UINT32_MAX;
    }
}


/* What a sender must not be able to choose, in an event read back. */
static void
fuzz_canonical(const martech_json_tape_t *tape, const martech_facts_t *facts)
{
    uint32_t        node, i, n;
    unsigned char   now[MARTECH_TIME_LEN];

    fuzz_assert(tape->nodes[0].kind == MARTECH_JSON_OBJECT);

    martech_time_format(now, (int64_t) facts->now_ms);

    node = martech_json_pointer(tape, 0, "/receivedAt");
    fuzz_assert(martech_json_equals(tape, node, (char *) now, sizeof(now)));

    node = martech_json_pointer(tape, 0, "/context/martech/source");
    fuzz_assert(martech_json_equals(tape, node, "web", 3));

    fuzz_assert(martech_json_member(tape, 0, "writeKey", 8)
                == MARTECH_JSON_NONE);

    /* not even as a second member, which other readers would prefer */

    node = martech_json_member(tape, 0, "context", 7);
    n = 0;

    for (i = node + 1; i != tape->nodes[node].next; i = tape->nodes[i].next) {
        martech_str_t   key;
        unsigned char   name[64];
        long            len;

        key.data = tape->text + tape->nodes[i].key;
        key.len = tape->nodes[i].key_len;

        len = martech_json_unescape(key, name, sizeof(name));

        if (len == 7 && memcmp(name, "martech", 7) == 0) {
            n++;
        }
    }

    fuzz_assert(n == 1);

    n = 0;

    for (i = 1; i != tape->nodes[0].next; i = tape->nodes[i].next) {
        if (tape->nodes[i].key_len == 7
            && memcmp(tape->text + tape->nodes[i].key, "context", 7) == 0)
        {
            n++;
        }
    }

    fuzz_assert(n == 1);
}


static void
fuzz_accepted(const martech_event_t *ev, const unsigned char *out,
    size_t bound, const martech_facts_t *facts)
{
    size_t               i, chars;
    martech_limits_t     limits;
    martech_json_tape_t  tape;

    fuzz_assert(ev->len <= bound);
    fuzz_assert(ev->type >= MARTECH_EVENT_TRACK
                && ev->type <= MARTECH_EVENT_ALIAS);

    fuzz_assert(ev->message_id.len >= 1
                && ev->message_id.len <= MARTECH_ID_SIZE_MAX);

    chars = 0;

    for (i = 0; i < ev->message_id.len; i++) {
        fuzz_assert(ev->message_id.data[i] >= 0x20
                    && ev->message_id.data[i] != 0x7f);
        chars += (ev->message_id.data[i] & 0xc0) != 0x80;
    }

    fuzz_assert(chars >= 1);

    fuzz_assert(ev->identity.len >= 1
                && ev->identity.len <= MARTECH_ID_SIZE_MAX);
    fuzz_assert(martech_shard(ev->identity, 16) < 16);

    fuzz_assert(memchr(out, '\n', ev->len) == NULL);
    fuzz_assert(memchr(out, '\r', ev->len) == NULL);

    /* one container more than was sent: our own context */

    martech_limits_default(&limits);
    limits.depth_max = 40;
    limits.key_size_max = UINT16_MAX;
    limits.string_size_max = UINT32_MAX;

    tape.nodes_max = (uint32_t) ev->len;
    tape.nodes = fuzz_alloc(ev->len * sizeof(martech_json_node_t));

    fuzz_assert(martech_json_scan(&tape, out, ev->len, &limits)
                == MARTECH_OK);
    fuzz_canonical(&tape, facts);

    free(tape.nodes);
}


/*
 * One change of a node: its member is taken away, its value replaced, or of a
 * string some bytes that are no part of an escape.
 */
static void
fuzz_edit(const martech_event_t *ev, martech_edits_t *edits, uint32_t node,
    uint64_t choice)
{
    uint32_t                    start, end;
    martech_str_t               text, with;
    const martech_json_node_t  *n;

    static const martech_str_t  none = martech_string("");
    static const martech_str_t  null = martech_string("null");
    static const martech_str_t  stars = martech_string("\"***\"");
    static const martech_str_t  hash =
                        martech_string("\"0123456789abcdef0123456789abcdef\"");
    static const martech_str_t  inner = martech_string("**\\u0000,*");

    n = &ev->batch->tape->nodes[node];
    text = martech_json_text(ev->batch->tape, node);

    start = (uint32_t) (text.data - ev->batch->tape->text);
    end = start + (uint32_t) text.len;
    with = (choice & 4) ? stars : (choice & 8) ? hash : null;

    if ((choice & 3) == 0 && n->key > 0) {
        start = n->key - 1;
        with = none;

    } else if ((choice & 3) == 1 && n->kind == MARTECH_JSON_STRING
               && !(n->flags & MARTECH_JSON_VALUE_ESCAPED) && n->len > 0)
    {
        start = n->value + (uint32_t) (choice >> 8) % n->len;
        end = start + 1 + (uint32_t) (choice >> 24)
                          % (n->value + n->len - start);

        /* whole characters */

        while ((ev->batch->tape->text[start] & 0xc0) == 0x80) {
            start--;
        }

        while ((ev->batch->tape->text[end] & 0xc0) == 0x80) {
            end++;
        }

        with = (choice & 4) ? inner : none;
    }

    martech_edit_add(edits, start, end, with);
}


static void
fuzz_change(martech_event_t *ev, martech_edits_t *edits, martech_edit_t *list,
    uint64_t seed)
{
    uint32_t  node, first, last;
    unsigned  i, n;
    uint64_t  x, fresh[2];

    static const martech_str_t  extra = martech_string(
                                              "\"consent\":{\"granted\":[]}");

    x = seed | 1;
    n = (unsigned) (x >> 40) % (FUZZ_EDITS_MAX + 4);

    memset(edits, 0, sizeof(martech_edits_t));

    edits->list = list;
    edits->max = FUZZ_EDITS_MAX;

    first = ev->node + 1;
    last = ev->batch->tape->nodes[ev->node].next;

    for (i = 0; i < n; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;

        if ((x >> 60) == 0 && ev->batch->context != MARTECH_JSON_NONE) {
            node = ev->batch->context
                   + (uint32_t) (x >> 8)
                     % (ev->batch->tape->nodes[ev->batch->context].next
                        - ev->batch->context);

        } else if (last > first) {
            node = first + (uint32_t) (x >> 8) % (last - first);

        } else {
            continue;
        }

        fuzz_edit(ev, edits, node, x >> 16);
    }

    martech_edit_sort(edits);

    for (i = 1; i < edits->count; i++) {
        fuzz_assert(edits->list[i].start >= edits->list[i - 1].end);
    }

    fresh[0] = x;
    fresh[1] = ~x;

    if (seed & 0x100) {
        martech_event_anonymize(ev, fresh);
    }

    if (n > 0) {
        ev->edits = edits;
        martech_event_edited(ev, fresh);
    }

    if (seed & 0x200) {
        ev->extra = extra;
    }
}


static void
fuzz_event(const martech_batch_t *batch, uint32_t node,
    const martech_facts_t *facts, const martech_limits_t *limits)
{
    size_t            bound;
    martech_rc_t      rc;
    martech_event_t   ev;
    unsigned char    *out;
    martech_edit_t    list[FUZZ_EDITS_MAX];
    martech_edits_t   edits;

    memset(&ev, 0x5a, sizeof(martech_event_t));

    rc = martech_event_check(&ev, batch, node, facts, limits);

    if (rc == MARTECH_OK) {
        fuzz_change(&ev, &edits, list, facts->random[0]);

        bound = martech_event_bound(&ev);
        out = fuzz_alloc(bound);

        (void) martech_event_write(&ev, out);
        fuzz_accepted(&ev, out, bound, facts);

        free(out);

    } else {
        fuzz_assert(rc > MARTECH_OK && rc < MARTECH_RC_COUNT);
        fuzz_assert(ev.field != NULL);
        fuzz_assert(ev.field[0] == '\0' || ev.field[0] == '/');
        fuzz_assert(ev.message_id.len <= MARTECH_ID_SIZE_MAX);
    }
}


static void
fuzz_batch(const martech_json_tape_t *tape, martech_event_type_t type,
    const martech_facts_t *facts, const martech_limits_t *limits)
{
    uint32_t          i, node;
    const char       *field;
    martech_rc_t      rc;
    martech_str_t     key;
    unsigned char     key_buf[64];
    martech_batch_t   batch;

    field = NULL;
    rc = martech_batch_open(&batch, tape, type, limits, &field);

    fuzz_assert(field != NULL);

    if (rc != MARTECH_OK) {
        fuzz_assert(field[0] == '\0' || field[0] == '/');
        return;
    }

    fuzz_assert(batch.count >= 1);
    fuzz_assert(batch.count <= limits->batch_count_max || batch.single);

    key = martech_batch_write_key(&batch, key_buf, sizeof(key_buf));
    fuzz_assert(key.len <= tape->len);

    node = batch.first;

    for (i = 0; i < batch.count && i < FUZZ_EVENTS_MAX; i++) {
        fuzz_event(&batch, node, facts, limits);
        node = tape->nodes[node].next;
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    martech_rc_t          rc;
    martech_facts_t       facts;
    martech_limits_t      limits;
    martech_json_tape_t   tape;
    martech_event_type_t  type;

    if (size < 2) {
        return 0;
    }

    fuzz_settings(data[0], data[1], &facts, &limits);
    type = (martech_event_type_t) ((data[0] & 0x07)
                                   % (MARTECH_EVENT_ALIAS + 1));

    data += 2;
    size -= 2;

    tape.nodes_max = (uint32_t) size + 1;
    tape.nodes = fuzz_alloc(tape.nodes_max * sizeof(martech_json_node_t));

    rc = martech_json_scan(&tape, data, size, &limits);

    if (rc == MARTECH_OK) {
        fuzz_batch(&tape, type, &facts, &limits);
    }

    free(tape.nodes);

    return 0;
}
