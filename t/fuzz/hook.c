
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Webhooks: nothing that comes verifies without the secret, what the reader of
 * a payload makes of it is a batch, and neither reads beyond what it was given.
 *
 * Input: a byte that chooses the scheme, one for the form of the request, then
 * lines: query, content type, signature, time, another header; the rest is the
 * body.
 */


#include "fuzz.h"

/* martech */
#include "martech_event.h"
#include "martech_hook.h"


#define FUZZ_NODES  4096
#define FUZZ_LINES  5


static martech_str_t
fuzz_str(const char *text)
{
    martech_str_t  s;

    s.data = (const unsigned char *) text;
    s.len = strlen(text);

    return s;
}


/* A line in a block of its own; the last is all that is left. */
static martech_str_t
fuzz_line(const uint8_t **data, size_t *size, int last)
{
    size_t          n;
    const uint8_t  *end;
    martech_str_t   line;

    end = (last || *size == 0) ? NULL : memchr(*data, '\n', *size);
    n = end ? (size_t) (end - *data) : *size;

    line.data = fuzz_copy(*data, n);
    line.len = n;

    *data += n + (end != NULL);
    *size -= n + (end != NULL);

    return line;
}


/* Line 2 is every signature, 3 every time, 4 all other headers. */
static int
fuzz_header(const martech_hook_request_t *request, martech_str_t name,
    martech_str_t *value)
{
    martech_str_t                *lines;
    const martech_hook_scheme_t  *scheme;

    lines = request->data;
    scheme = *(const martech_hook_scheme_t **) (lines + FUZZ_LINES);

    if (name.len == scheme->header.len
        && memcmp(name.data, scheme->header.data, name.len) == 0)
    {
        *value = lines[2];

    } else if (name.len == scheme->time_header.len
               && memcmp(name.data, scheme->time_header.data, name.len) == 0)
    {
        *value = lines[3];

    } else {
        *value = lines[4];
    }

    return value->len ? 1 : 0;
}


static void
fuzz_map(const martech_hook_t *hook, const martech_hook_request_t *request)
{
    size_t                size;
    const char           *field;
    martech_rc_t          rc;
    martech_batch_t       batch;
    martech_limits_t      limits;
    martech_hook_map_t    map;
    martech_json_tape_t   tape;

    martech_limits_default(&limits);

    memset(&map, 0, sizeof(map));
    map.hook = hook;
    map.request = request;
    map.limits = &limits;
    map.tape = &tape;

    tape.nodes = fuzz_alloc(FUZZ_NODES * sizeof(martech_json_node_t));
    tape.nodes_max = FUZZ_NODES;

    size = 16 * (request->body.len + request->args.len) + 65536;

    if (martech_hook_payload(&map) == MARTECH_OK
        && martech_json_scan(&tape, map.payload.data, map.payload.len,
                             &limits)
           == MARTECH_OK)
    {
        martech_json_writer_init(&map.out, fuzz_alloc(size), size);

        rc = martech_hook_map(&map);

        fuzz_assert(rc == MARTECH_OK || rc == MARTECH_BODY_NOT_OBJECT
                    || rc == MARTECH_BATCH_COUNT);
        fuzz_assert(map.reply_len <= sizeof(map.reply));

        if (rc == MARTECH_OK && !map.silent && !map.out.overflow) {
            limits.depth_max += 4;

            rc = martech_json_scan(&tape, map.out.start,
                                   (size_t) (map.out.pos - map.out.start),
                                   &limits);

            fuzz_assert(rc == MARTECH_OK || rc == MARTECH_JSON_TOKENS);

            if (rc == MARTECH_OK) {
                rc = martech_batch_open(&batch, &tape, MARTECH_EVENT_UNKNOWN,
                                        &limits, &field);
                fuzz_assert(rc == MARTECH_OK && batch.count == map.count);
            }
        }

        free(map.out.start);
    }

    free(tape.nodes);
}


static void
fuzz_configure(martech_hook_t *hook)
{
    hook->event = fuzz_str("Seen {/type|header:x-a} of {topic}");
    hook->user = fuzz_str("/a/b|/u|header:x-u");
    hook->anonymous = fuzz_str("/d");
    hook->each = fuzz_str("/list");
    hook->time = fuzz_str("/t");
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned                 i, n;
    uint8_t                  choice, form;
    const char              *error, *secret;
    martech_hook_t           hook;
    martech_hook_rc_t        rc;
    martech_hook_scheme_t    scheme;
    martech_hook_request_t   request;

    struct {
        martech_str_t                 lines[FUZZ_LINES];
        const martech_hook_scheme_t  *scheme;
    } given;

    if (size < 2) {
        return 0;
    }

    choice = data[0];
    form = data[1];
    data += 2;
    size -= 2;

    for (n = 0; martech_hook_scheme(n); n++) {
        /* void */
    }

    memset(&hook, 0, sizeof(hook));
    memset(&request, 0, sizeof(request));

    scheme = *martech_hook_scheme(choice % n);

    if (scheme.header.len == 0) {
        scheme.header = fuzz_str("x-sign");
    }

    given.scheme = &scheme;
    hook.scheme = &scheme;
    hook.tolerance_ms = scheme.tolerance_ms;
    hook.source = fuzz_str("source");

    secret = (scheme.signers[0].key == MARTECH_HOOK_KEY_SPKI)
             ? "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEDr2LjtURuePQzplybdC+u4Cwr"
               "qDqBaWjcMMsTbhdbcwHBcepxo7yAQGhHPTnlvFYPAZFceEu/1FwCM/QmGUhA=="
             : (form & 0x01)
               ? "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
               : "whsec_T2sgLSBub2JvZHkga25vd3MgdGhpcyBvbmU=";

    error = martech_hook_secret(&hook, fuzz_str(secret));
    fuzz_assert(error == NULL);

    for (i = 0; i < FUZZ_LINES; i++) {
        given.lines[i] = fuzz_line(&data, &size, 0);
    }

    if (form & 0x02) {
        fuzz_configure(&hook);
    }

    request.method = fuzz_str("POST");
    request.url = (form & 0x04) ? given.lines[0]
                                : fuzz_str("https://a.example/%2Fb?c=%3Ad");
    request.args = given.lines[0];
    request.content_type = given.lines[1];
    request.body = fuzz_line(&data, &size, 1);
    request.now_ms = 1750000000000LL;
    request.header = fuzz_header;
    request.data = &given;
    request.scratch_size = martech_hook_scratch(&request);
    request.scratch = fuzz_alloc(request.scratch_size);

    rc = martech_hook_verify(&hook, &request);

    /* the secret of one scheme is what a sender shows */

    fuzz_assert(rc != MARTECH_HOOK_OK || scheme.arg.len > 0
                || scheme.signers[0].mac == MARTECH_HOOK_ECDSA
                || (form & 0x01));

    (void) martech_hook_is_hello(&hook, &request);

    fuzz_map(&hook, &request);

    /* what an operator may write is read as carefully */

    memset(scheme.parts, 0, sizeof(scheme.parts));
    error = martech_hook_template(&scheme, request.body);
    error = martech_hook_names(request.body);
    (void) martech_hook_is_expression(request.body);

    free(request.scratch);
    free((void *) request.body.data);

    for (i = 0; i < FUZZ_LINES; i++) {
        free((void *) given.lines[i].data);
    }

    martech_hook_clear(&hook);

    return 0;
}
