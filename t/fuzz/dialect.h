
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Any bytes as a request of a dialect: path, query, content type, cookies and
 * other headers, body, each ended by a zero byte, the body by the end.  What
 * the dialect takes becomes a batch that the event model reads, or is refused
 * with a field; every verdict has an answer that fits.
 */


#ifndef _DIALECT_H_INCLUDED_
#define _DIALECT_H_INCLUDED_


#include "fuzz.h"

/* martech */
#include "martech_dialect.h"


#define FUZZ_NODES  4096


typedef struct {
    martech_str_t  content_type;
    martech_str_t  cookie;               /* the value of each cookie */
    martech_str_t  header;               /* of each other header */
} fuzz_headers_t;


static inline martech_str_t
fuzz_header(const martech_request_t *request, const char *name, size_t len)
{
    const fuzz_headers_t  *headers;

    headers = request->data;

    return (len == 12 && memcmp(name, "content-type", 12) == 0)
           ? headers->content_type : headers->header;
}


static inline martech_str_t
fuzz_cookie(const martech_request_t *request, const char *name, size_t len)
{
    (void) name;
    (void) len;

    return ((fuzz_headers_t *) request->data)->cookie;
}


/* Three headers: the type, one of a known beginning, and any other. */
static inline int
fuzz_each(const martech_request_t *request, unsigned i, martech_str_t *name,
    martech_str_t *value)
{
    const fuzz_headers_t  *headers;

    static const martech_str_t  names[] = {
        martech_string("Content-Type"), martech_string("ce-type"),
        martech_string("CE-x1"),
    };

    headers = request->data;

    if (i >= 3) {
        return 0;
    }

    *name = names[i];
    *value = (i == 0) ? headers->content_type : headers->header;

    return 1;
}


/* What stands in front of the next zero byte, in a block of its size. */
static inline martech_str_t
fuzz_part(const uint8_t **data, size_t *size, int last)
{
    size_t         len;
    const void    *end;
    martech_str_t  part;

    end = last ? NULL : memchr(*data, '\0', *size);
    len = end ? (size_t) ((const uint8_t *) end - *data) : *size;

    part.data = fuzz_copy(*data, len);
    part.len = len;

    *data += end ? len + 1 : len;
    *size -= end ? len + 1 : len;

    return part;
}


static inline void
fuzz_reply(const martech_endpoint_t *endpoint,
    const martech_request_t *request, unsigned status, uint32_t events,
    uint32_t accepted)
{
    unsigned           i;
    martech_reply_t    reply;
    martech_verdict_t  verdict = { status, events, accepted };

    if (endpoint->reply == NULL
        || (status != 0 && !endpoint->image && !endpoint->always))
    {
        return;
    }

    memset(&reply, 0, sizeof(reply));

    reply.size = MARTECH_REPLY_SIZE;
    reply.buf = fuzz_alloc(reply.size);

    endpoint->reply(request, &verdict, &reply);

    fuzz_assert(reply.status == 0
                || (reply.status >= 200 && reply.status < 600));
    fuzz_assert(reply.nheaders <= MARTECH_REPLY_HEADERS);

    /* nothing of a sender may begin a header of its own */

    for (i = 0; i < reply.nheaders; i++) {
        size_t  n;

        for (n = 0; n < reply.headers[i].value.len; n++) {
            fuzz_assert(reply.headers[i].value.data[n] >= 0x20);
        }
    }

    free(reply.buf);
}


/* The batch is JSON with an array, whatever its events are. */
static inline uint32_t
fuzz_batch(const martech_translation_t *t, const martech_limits_t *limits)
{
    uint32_t              count;
    const char           *field;
    martech_rc_t          rc;
    martech_batch_t       batch;
    martech_limits_t      wide;
    martech_json_tape_t   tape;

    wide = *limits;
    wide.depth_max = 64;
    wide.string_size_max = UINT32_MAX;
    wide.key_size_max = UINT16_MAX;

    tape.nodes_max = 65536;
    tape.nodes = fuzz_alloc(tape.nodes_max * sizeof(martech_json_node_t));

    rc = martech_json_scan(&tape, t->out.start,
                           (size_t) (t->out.pos - t->out.start), &wide);

    fuzz_assert(rc == MARTECH_OK || rc == MARTECH_JSON_TOKENS
                || rc == MARTECH_JSON_KEY_SIZE || rc == MARTECH_JSON_INVALID
                || rc == MARTECH_JSON_UTF8);

    /* a NUL in a name is the one thing that a sender may bring in */

    if (rc != MARTECH_OK) {
        fuzz_assert(rc != MARTECH_JSON_INVALID
                    || memmem(t->out.start,
                              (size_t) (t->out.pos - t->out.start),
                              "\\u0000", 6)
                       != NULL);
        free(tape.nodes);
        return 0;
    }

    rc = martech_batch_open(&batch, &tape, MARTECH_EVENT_UNKNOWN, limits,
                            &field);
    count = (rc == MARTECH_OK) ? batch.count : 0;

    fuzz_assert(rc != MARTECH_BATCH_NOT_ARRAY);
    fuzz_assert(rc != MARTECH_BATCH_COUNT);

    free(tape.nodes);

    return count;
}


static inline void
fuzz_translate(const martech_endpoint_t *endpoint,
    const martech_request_t *request, const martech_limits_t *limits)
{
    size_t                 size;
    uint32_t               count;
    martech_rc_t           rc;
    unsigned char         *out;
    martech_request_t      after;
    martech_json_tape_t    tape;
    martech_translation_t  t;

    memset(&t, 0, sizeof(t));

    size = 16 * (request->body.len + request->args.len) + 65536;
    out = fuzz_alloc(size);

    tape.nodes_max = FUZZ_NODES;
    tape.nodes = fuzz_alloc(FUZZ_NODES * sizeof(martech_json_node_t));

    t.request = request;
    t.limits = limits;
    t.tape = &tape;
    t.scratch_size = 4 * (request->body.len + request->args.len) + 4096;
    t.scratch = fuzz_alloc(t.scratch_size);
    t.field = "";
    t.offset = -1;

    martech_json_writer_init(&t.out, out, size);

    rc = endpoint->translate(&t);

    fuzz_assert(rc >= MARTECH_OK && rc < MARTECH_RC_COUNT);
    fuzz_assert(t.field != NULL);

    /* the body is gone when a request is answered */

    after = *request;
    after.body.data = NULL;
    after.body.len = 0;
    after.note = t.note;

    if (rc != MARTECH_OK) {
        fuzz_reply(endpoint, &after, 400, 0, 0);

    } else if (!t.out.overflow) {
        count = fuzz_batch(&t, limits);
        fuzz_reply(endpoint, &after, 0, count, count);
        fuzz_reply(endpoint, &after, 400, count, 0);
    }

    fuzz_reply(endpoint, &after, 503, 0, 0);

    free(t.scratch);
    free(tape.nodes);
    free(out);
}


/* The first byte chooses the method and what the location says. */
static inline int
fuzz_dialect(const char *name, const uint8_t *data, size_t size)
{
    int                        n;
    uint8_t                    choice;
    martech_str_t              word;
    fuzz_headers_t             headers;
    martech_limits_t           limits;
    martech_request_t          r;
    martech_dialect_conf_t     conf;
    const martech_endpoint_t  *endpoint;

    static const martech_str_t  target = martech_string("*.example.com");
    static const martech_str_t  path = martech_string("/com.acme/track");
    static const martech_str_t  key = martech_string("signing-key");
    static const martech_str_t  visitor =
                       martech_string("018f3c1a-7c1e-7000-8000-000000000001");

    if (size < 1) {
        return 0;
    }

    choice = *data++;
    size--;

    memset(&r, 0, sizeof(r));
    memset(&conf, 0, sizeof(conf));
    martech_limits_default(&limits);

    conf.enabled = 1;

    if (choice & 0x08) {
        conf.targets[conf.ntargets++] = target;
        conf.path = path;
        r.visitor = visitor;
    }

    if (choice & 0x10) {
        conf.key = key;
        limits.batch_count_max = 3;
    }

    r.method = 1u << (choice & 0x03);
    r.now_ms = 1795203360123ULL;
    r.path = fuzz_part(&data, &size, 0);
    r.args = fuzz_part(&data, &size, 0);
    headers.content_type = fuzz_part(&data, &size, 0);
    headers.cookie = fuzz_part(&data, &size, 0);
    headers.header = fuzz_part(&data, &size, 0);
    r.body = fuzz_part(&data, &size, 1);
    r.content_type = headers.content_type;
    r.host = target;
    r.scheme = target;
    r.conf = &conf;
    r.header = fuzz_header;
    r.cookie = fuzz_cookie;
    r.each = fuzz_each;
    r.data = &headers;

    word.data = (const unsigned char *) name;
    word.len = strlen(name);

    n = martech_dialect_find(word);
    fuzz_assert(n >= 0);

    endpoint = martech_dialects[n]->match(&r);

    if (endpoint && (endpoint->methods & r.method)) {

        if (endpoint->visitor) {
            unsigned char  id[MARTECH_ID_SIZE_MAX];

            fuzz_assert(endpoint->visitor(&r, id).len <= sizeof(id));
        }

        if (endpoint->silent) {
            fuzz_reply(endpoint, &r, 0, 0, 0);

        } else if (!endpoint->native) {
            fuzz_translate(endpoint, &r, &limits);
        }
    }

    free((void *) r.path.data);
    free((void *) r.args.data);
    free((void *) headers.content_type.data);
    free((void *) headers.cookie.data);
    free((void *) headers.header.data);
    free((void *) r.body.data);

    return 0;
}


/* A target is one line. */
#define FUZZ_DIALECT(name)                                                    \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)              \
    {                                                                         \
        return fuzz_dialect(name, data, size);                                \
    }


#endif /* _DIALECT_H_INCLUDED_ */
