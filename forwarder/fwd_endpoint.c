
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Endpoints: from the description and the settings to what calls are made of.
 */


#include <string.h>

#include "fwd_endpoint.h"
#include "fwd_outbound.h"


typedef struct {
    fwd_yaml_t           *y;
    fwd_dest_conf_t      *dest;
    const fwd_desc_http_t  *from;
} fwd_endpoint_build_t;


static void fwd_endpoint_one(fwd_endpoint_build_t *b, fwd_endpoint_t *to);
static void fwd_endpoint_hosts(fwd_yaml_t *y, fwd_dest_conf_t *dest);
static void fwd_endpoint_validate(fwd_endpoint_build_t *b,
    fwd_endpoint_t *to);
static void fwd_endpoint_framing(fwd_endpoint_build_t *b,
    fwd_endpoint_t *to);
static fwd_body_t *fwd_endpoint_body(fwd_endpoint_build_t *b,
    const char *json, int form);
static void fwd_endpoint_key(fwd_endpoint_build_t *b, fwd_endpoint_t *to);
static void fwd_endpoint_limits(fwd_endpoint_build_t *b, fwd_endpoint_t *to);
static fwd_endpoint_pair_t *fwd_endpoint_pairs(fwd_endpoint_build_t *b,
    const fwd_pair_t *pairs, size_t count, fwd_template_place_t place,
    size_t *out);
static void fwd_endpoint_say(fwd_endpoint_build_t *b, const char *what,
    const char *why);


int
fwd_endpoint_needed(const fwd_desc_t *desc)
{
    return desc->kind == FWD_KIND_HTTP
           && (desc->calls || desc->limits.record_bytes != 0
               || desc->limits.in_body_bytes != 0);
}


const fwd_endpoint_t *
fwd_endpoint_find(const fwd_dest_conf_t *dest, const char *name, size_t len)
{
    size_t                 i;
    const fwd_endpoint_t  *endpoint;

    for (i = 0; i < dest->http.endpoints_count; i++) {
        endpoint = &dest->http.endpoints[i];

        if (strlen(endpoint->name) == len
            && memcmp(endpoint->name, name, len) == 0)
        {
            return endpoint;
        }
    }

    return NULL;
}


void
fwd_endpoint_build(fwd_yaml_t *y, fwd_dest_conf_t *dest)
{
    if (fwd_endpoint_needed(dest->desc)) {
        fwd_endpoint_force(y, dest);
    }
}


void
fwd_endpoint_force(fwd_yaml_t *y, fwd_dest_conf_t *dest)
{
    size_t                 i;
    uint64_t               count, bytes;
    fwd_endpoint_t        *list;
    fwd_endpoint_build_t   b;

    b.y = y;
    b.dest = dest;
    list = fwd_pool_alloc(y->pool, dest->desc->endpoints_count
                                   * sizeof(fwd_endpoint_t));
    count = 1;
    bytes = 1024;

    for (i = 0; i < dest->desc->endpoints_count; i++) {
        b.from = &dest->desc->endpoints[i];
        list[i].index = (uint32_t) i;

        fwd_endpoint_one(&b, &list[i]);
        fwd_endpoint_validate(&b, &list[i]);

        count = list[i].count_max > count ? list[i].count_max : count;
        bytes = list[i].bytes_max > bytes ? list[i].bytes_max : bytes;
    }

    dest->http.endpoints = list;
    dest->http.endpoints_count = dest->desc->endpoints_count;

    /* a batch is as large as the largest call */

    dest->limits.batch_count = count;
    dest->limits.batch_bytes = bytes;

    if (list[0].linger_ms != UINT64_MAX) {
        dest->limits.linger_ms = list[0].linger_ms;
    }

    /* a trial goes nowhere */

    if (!dest->plain_secrets) {
        fwd_endpoint_hosts(y, dest);
    }
}


/* Of URLs that a call only knows, the hosts are looked at with each. */

static void
fwd_endpoint_hosts(fwd_yaml_t *y, fwd_dest_conf_t *dest)
{
    size_t                 i, count;
    const char           **urls;
    const fwd_endpoint_t  *endpoint;

    urls = fwd_pool_alloc(y->pool, 2 * dest->http.endpoints_count
                                   * sizeof(char *));
    count = 0;

    for (i = 0; i < dest->http.endpoints_count; i++) {
        endpoint = &dest->http.endpoints[i];

        if (endpoint->url == NULL) {
            return;                      /* that has been reported */
        }

        urls[count++] = fwd_template_constant(endpoint->url);

        if (endpoint->validate != NULL && endpoint->validate->url != NULL) {
            urls[count++] = fwd_template_constant(endpoint->validate->url);
        }
    }

    fwd_outbound_build(y, dest, urls, count);
}


static void
fwd_endpoint_one(fwd_endpoint_build_t *b, fwd_endpoint_t *to)
{
    const fwd_desc_http_t  *from;

    from = b->from;
    to->name = from->name;
    to->method = from->method;
    to->content_type = from->content_type;
    to->idempotency_header = from->idempotency_header;
    to->answer_key = from->answer_key;
    to->gzip = (from->gzip == FWD_COMPRESS_GZIP);

    to->url = fwd_template_compile(b->dest, from->url, FWD_TEMPLATE_URL,
                                   b->y->pool);

    if (to->url == NULL) {
        fwd_endpoint_say(b, "url", "has a setting without a value");
    }

    to->query = fwd_endpoint_pairs(b, from->query, from->query_count,
                                   FWD_TEMPLATE_QUERY, &to->query_count);
    to->headers = fwd_endpoint_pairs(b, from->headers, from->headers_count,
                                     FWD_TEMPLATE_PLAIN, &to->headers_count);

    fwd_endpoint_framing(b, to);
    fwd_endpoint_key(b, to);
    fwd_endpoint_limits(b, to);
}


/* The same but for what "validate" has of its own. */

static void
fwd_endpoint_validate(fwd_endpoint_build_t *b, fwd_endpoint_t *to)
{
    fwd_endpoint_t             *copy;
    const fwd_desc_validate_t  *own;

    own = b->from->validate;

    if (own == NULL) {
        return;
    }

    copy = fwd_pool_alloc(b->y->pool, sizeof(fwd_endpoint_t));
    *copy = *to;

    if (own->url != NULL) {
        copy->url = fwd_template_compile(b->dest, own->url, FWD_TEMPLATE_URL,
                                         b->y->pool);

        if (copy->url == NULL) {
            fwd_endpoint_say(b, "validate.url",
                             "has a setting without a value");
        }
    }

    if (own->query_count != 0) {
        copy->query = fwd_endpoint_pairs(b, own->query, own->query_count,
                                         FWD_TEMPLATE_QUERY,
                                         &copy->query_count);
    }

    if (own->body != NULL) {
        copy->body = fwd_endpoint_body(b, own->body,
                                       to->framing == FWD_FRAMING_FORM);
    }

    to->validate = copy;
}


static void
fwd_endpoint_framing(fwd_endpoint_build_t *b, fwd_endpoint_t *to)
{
    fwd_template_t  *word;
    const char      *text;

    word = fwd_template_compile(b->dest, b->from->framing,
                                FWD_TEMPLATE_PLAIN, b->y->pool);
    text = (word != NULL) ? fwd_template_constant(word) : NULL;
    to->framing = 0;

    while (text != NULL && fwd_desc_framings[to->framing] != NULL
           && strcmp(fwd_desc_framings[to->framing], text) != 0)
    {
        to->framing++;
    }

    if (text == NULL || fwd_desc_framings[to->framing] == NULL) {
        to->framing = FWD_FRAMING_OBJECT;
        fwd_endpoint_say(b, "framing", "is none that is known");
    }

    if (b->from->body != NULL) {
        to->body = fwd_endpoint_body(b, b->from->body,
                                     to->framing == FWD_FRAMING_FORM);
    }

    to->single = (to->framing == FWD_FRAMING_OBJECT)
                 || (to->body != NULL && fwd_body_is_single(to->body))
                 || (to->url != NULL && fwd_template_needs_record(to->url));
}


static fwd_body_t *
fwd_endpoint_body(fwd_endpoint_build_t *b, const char *json, int form)
{
    fwd_body_t   *body;
    fwd_error_t   err;

    body = fwd_body_compile(b->dest, json, form, b->y->pool, &err);

    if (body == NULL) {
        fwd_endpoint_say(b, "body", err.text);
    }

    return body;
}


static void
fwd_endpoint_key(fwd_endpoint_build_t *b, fwd_endpoint_t *to)
{
    const char      *secret;
    fwd_buf_t        text;
    fwd_error_t      err;
    fwd_scope_t      scope;
    fwd_template_t  *t;

    if (b->from->signature_secret == NULL) {
        return;
    }

    t = fwd_template_compile(b->dest, b->from->signature_secret,
                             FWD_TEMPLATE_PLAIN, b->y->pool);

    if (t == NULL) {
        return;
    }

    memset(&scope, 0, sizeof(scope));
    scope.conf = b->dest;
    scope.group = jv_invalid();
    scope.path = jv_invalid();
    fwd_buf_init(&text, 4096);

    if (fwd_template_expand(t, &scope, &text, NULL) == FWD_OK) {
        secret = fwd_buf_string(&text);

        if (secret != NULL && fwd_sign_key(&to->key, secret, &err) != FWD_OK)
        {
            fwd_endpoint_say(b, "signature.secret", err.text);
        }
    }

    if (text.data != NULL) {
        explicit_bzero(text.data, text.size);
    }

    fwd_buf_free(&text);
    jv_free(scope.group);
    jv_free(scope.path);
}


/* The endpoint's own, else those of the destination; a configuration may
   only lower them. */

static void
fwd_endpoint_limits(fwd_endpoint_build_t *b, fwd_endpoint_t *to)
{
    const char              *path;
    const fwd_limits_t      *l;
    const fwd_desc_batch_t  *own;

    l = &b->dest->limits;
    own = &b->from->batch;
    path = fwd_pool_printf(b->y->pool, "destinations.%s.batch",
                           b->dest->name ? b->dest->name : "");

    to->count_max = own->count ? own->count : l->batch_count;
    to->bytes_max = own->bytes ? own->bytes : l->batch_bytes;
    to->record_max = own->record ? own->record : l->record_bytes;
    to->in_body_max = own->in_body ? own->in_body : l->in_body_bytes;
    to->linger_ms = own->linger_ms != UINT64_MAX ? own->linger_ms
                                                 : l->linger_ms;
    to->timeout_ms = b->from->timeout_ms ? b->from->timeout_ms
                                         : l->timeout_ms;
    to->ambiguous = b->from->ambiguous != FWD_AMBIGUOUS_NOT_SAID
                    ? b->from->ambiguous : b->dest->policy.ambiguous;

    if (fwd_yaml_has(b->y, fwd_pool_printf(b->y->pool, "%s.count", path))
        && l->batch_count < to->count_max)
    {
        to->count_max = l->batch_count;
    }

    if (fwd_yaml_has(b->y, fwd_pool_printf(b->y->pool, "%s.bytes", path))
        && l->batch_bytes < to->bytes_max)
    {
        to->bytes_max = l->batch_bytes;
    }

    if (fwd_yaml_has(b->y, fwd_pool_printf(b->y->pool, "%s.linger", path))) {
        to->linger_ms = l->linger_ms;
    }

    if (to->single) {
        to->count_max = 1;
    }
}


static fwd_endpoint_pair_t *
fwd_endpoint_pairs(fwd_endpoint_build_t *b, const fwd_pair_t *pairs,
    size_t count, fwd_template_place_t place, size_t *out)
{
    size_t                i;
    fwd_template_t       *value;
    fwd_endpoint_pair_t  *list;

    *out = 0;
    list = fwd_pool_alloc(b->y->pool, (count + 1)
                                      * sizeof(fwd_endpoint_pair_t));

    for (i = 0; i < count; i++) {
        value = fwd_template_compile(b->dest, pairs[i].value, place,
                                     b->y->pool);

        if (value != NULL) {
            list[*out].name = pairs[i].name;
            list[*out].value = value;
            (*out)++;
        }
    }

    return list;
}


static void
fwd_endpoint_say(fwd_endpoint_build_t *b, const char *what, const char *why)
{
    fwd_report(b->y->report, fwd_pool_printf(b->y->pool,
                                             "%s/destination.yaml",
                                             b->dest->desc->folder),
               b->from->url_line, "%s of endpoint \"%s\" %s (with the "
               "settings of destination \"%s\")", what, b->from->name, why,
               b->dest->name ? b->dest->name : "");
}
