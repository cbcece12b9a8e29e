
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the client is told.
 *
 * Refusals are problem details (RFC 9457) that name the event and the member;
 * "code" and "message" stand there for the libraries that read them.  Where
 * the location has an error_page for the status, NGINX answers instead.
 */


#include "ngx_http_martech.h"


#define NGX_HTTP_MARTECH_PROBLEM_SIZE  1024
#define NGX_HTTP_MARTECH_ENTRY_SIZE    400      /* of a refusal, without id
                                                   and pointer */

/* "/batch/", a number, a pointer in the event */
#define NGX_HTTP_MARTECH_ANSWER_POINTER  (64 + NGX_HTTP_MARTECH_POINTER_MAX)


typedef struct {
    ngx_uint_t   status;
    const char  *name;
    const char  *text;
} ngx_http_martech_refusal_text_t;


static ngx_int_t ngx_http_martech_answer_problem(ngx_http_request_t *r,
    ngx_uint_t reason, const char *field, off_t offset);
static ngx_int_t ngx_http_martech_answer_partial(ngx_http_request_t *r);
static void ngx_http_martech_answer_refusals(ngx_http_request_t *r,
    martech_json_writer_t *w, const char *name);
static size_t ngx_http_martech_answer_size(ngx_http_martech_ctx_t *ctx);
static ngx_int_t ngx_http_martech_answer_header(ngx_http_request_t *r,
    const char *name, const char *value, size_t len);
static ngx_int_t ngx_http_martech_answer_headers(ngx_http_request_t *r,
    ngx_uint_t status, ngx_uint_t reason);
static ngx_uint_t ngx_http_martech_answer_status(ngx_uint_t reason);
static const char *ngx_http_martech_answer_title(ngx_uint_t status);
static ngx_uint_t ngx_http_martech_answer_has_page(ngx_http_request_t *r,
    ngx_uint_t status);
static ngx_int_t ngx_http_martech_answer_allow(ngx_http_request_t *r);


static ngx_http_martech_refusal_text_t  ngx_http_martech_reasons[] = {
    { 404, "path",
      "the path is none of the dialects that are spoken here, such as "
      "v1/track or v1/batch" },
    { 405, "method", "the path has other methods, see Allow" },
    { 415, "media_type",
      "the content type must be application/json, text/plain or another one "
      "that carries JSON" },
    { 415, "content_encoding",
      "the body may be encoded once, with gzip or deflate" },
    { 413, "body_size", "the body is too large" },
    { 400, "content_corrupt",
      "the body is not, or not all of, what its encoding says" },
    { 413, "content_ratio", "the body is compressed too much" },
    { 401, "key_missing",
      "a write key is needed: as user of Basic authentication, as "
      "\"writeKey\" of the body or of the query" },
    { 401, "key_unknown", "the write key is unknown" },
    { 403, "origin", "pages of this origin are not allowed to send events" },
    { 503, "unavailable", "events cannot be stored now, send them again" },
    { 400, "outside", "refused before it was read" },
    { 401, "signature_missing", "a signature is needed" },
    { 401, "signature_malformed",
      "the signature, or something that is signed, cannot be read" },
    { 401, "signature_bad", "the signature is wrong" },
    { 401, "signature_no_time", "the signature has no time" },
    { 401, "signature_old", "the signature is too old" },
    { 401, "signature_new", "the signature is of a time to come" }
};


static u_char  ngx_http_martech_success[] = "{\"success\":true}";


const char *
ngx_http_martech_reason_name(ngx_uint_t reason)
{
    if (reason >= MARTECH_RC_COUNT && reason < NGX_HTTP_MARTECH_REASONS) {
        return ngx_http_martech_reasons[reason - MARTECH_RC_COUNT].name;
    }

    return martech_rc_name((martech_rc_t) reason);
}


static const char *
ngx_http_martech_answer_text(ngx_uint_t reason)
{
    if (reason >= MARTECH_RC_COUNT && reason < NGX_HTTP_MARTECH_REASONS) {
        return ngx_http_martech_reasons[reason - MARTECH_RC_COUNT].text;
    }

    return martech_rc_text((martech_rc_t) reason);
}


static ngx_uint_t
ngx_http_martech_answer_status(ngx_uint_t reason)
{
    if (reason >= MARTECH_RC_COUNT && reason < NGX_HTTP_MARTECH_REASONS) {
        return ngx_http_martech_reasons[reason - MARTECH_RC_COUNT].status;
    }

    return (reason == MARTECH_BATCH_SIZE) ? NGX_HTTP_REQUEST_ENTITY_TOO_LARGE
                                          : NGX_HTTP_BAD_REQUEST;
}


ngx_int_t
ngx_http_martech_answer_refused(ngx_http_request_t *r, ngx_uint_t reason,
    const char *field, off_t offset)
{
    ngx_int_t                      rc;
    ngx_uint_t                     status;
    ngx_http_martech_ctx_t        *ctx;
    ngx_http_martech_worker_t     *worker;
    ngx_http_martech_main_conf_t  *mmcf;

    mmcf = ngx_http_get_module_main_conf(r, ngx_http_martech_module);
    worker = ngx_http_martech_worker(mmcf);

    if (worker) {
        worker->stats->refused[reason]++;
    }

    ctx = ngx_http_martech_ctx(r);

    ctx->verdict = (reason == NGX_HTTP_MARTECH_REFUSED_UNAVAILABLE)
                   ? NGX_HTTP_MARTECH_VERDICT_UNAVAILABLE
                   : NGX_HTTP_MARTECH_VERDICT_REFUSED;

    status = ngx_http_martech_answer_status(reason);

    if (ngx_http_martech_answer_headers(r, status, reason) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_martech_answer_reply(r, ctx, status);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    if (ngx_http_martech_answer_has_page(r, status)) {
        ctx->status = status;
        return status;
    }

    return ngx_http_martech_answer_problem(r, reason, field, offset);
}


ngx_int_t
ngx_http_martech_answer_events(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_http_martech_ctx_t       *ctx;
    ngx_http_martech_loc_conf_t  *mlcf;

    ctx = ngx_http_martech_ctx(r);

    if (ctx->verdict == NGX_HTTP_MARTECH_VERDICT_UNAVAILABLE) {
        return ngx_http_martech_answer_refused(r,
                                 NGX_HTTP_MARTECH_REFUSED_UNAVAILABLE, "", -1);
    }

    if (ctx->verdict == NGX_HTTP_MARTECH_VERDICT_REJECTED) {
        rc = ngx_http_martech_answer_reply(r, ctx, NGX_HTTP_BAD_REQUEST);

        if (rc != NGX_DECLINED) {
            return rc;
        }

        if (ngx_http_martech_answer_has_page(r, NGX_HTTP_BAD_REQUEST)) {
            ctx->status = NGX_HTTP_BAD_REQUEST;
            return NGX_HTTP_BAD_REQUEST;
        }

        return ngx_http_martech_answer_problem(r, MARTECH_OK, "", -1);
    }

    mlcf = ngx_http_get_module_loc_conf(r, ngx_http_martech_module);

    if (ctx->verdict == NGX_HTTP_MARTECH_VERDICT_DROPPED) {

        /* there is no event that anybody could have */

        rc = NGX_OK;

    } else if (mlcf->ack == NGX_HTTP_MARTECH_ACK_MEMORY) {
        rc = ngx_http_martech_answer_header(r, "X-Martech-Ack", "memory", 6);

    } else if (ctx->spooled) {
        rc = ngx_http_martech_answer_header(r, "X-Martech-Ack", "spool", 5);

    } else {
        rc = ngx_http_martech_answer_header(r, "X-Martech-Ack", "redis", 5);
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_martech_answer_reply(r, ctx, 0);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    if (ctx->verdict == NGX_HTTP_MARTECH_VERDICT_PARTIAL) {
        return ngx_http_martech_answer_partial(r);
    }

    return ngx_http_martech_answer_send(r, NGX_HTTP_OK, "application/json",
                                        ngx_http_martech_success,
                                        sizeof(ngx_http_martech_success) - 1);
}


ngx_int_t
ngx_http_martech_answer_plain(ngx_http_request_t *r, const char *type,
    u_char *body, size_t len)
{
    return ngx_http_martech_answer_send(r, NGX_HTTP_OK, type, body, len);
}


ngx_int_t
ngx_http_martech_answer_silent(ngx_http_request_t *r)
{
    ngx_int_t                      rc;
    ngx_http_martech_ctx_t        *ctx;
    ngx_http_martech_worker_t     *worker;
    ngx_http_martech_main_conf_t  *mmcf;

    mmcf = ngx_http_get_module_main_conf(r, ngx_http_martech_module);
    worker = ngx_http_martech_worker(mmcf);
    ctx = ngx_http_martech_ctx(r);

    worker->stats->dialects[ctx->dialect_number].silent++;
    ctx->verdict = NGX_HTTP_MARTECH_VERDICT_ANSWERED;

    rc = ngx_http_martech_answer_reply(r, ctx, 0);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    return ngx_http_martech_answer_send(r, NGX_HTTP_OK, "application/json",
                                        ngx_http_martech_success,
                                        sizeof(ngx_http_martech_success) - 1);
}


/*
 * Reason MARTECH_OK: all events were rejected, each for its own reason; the
 * first of them gives the code.
 */

static ngx_int_t
ngx_http_martech_answer_problem(ngx_http_request_t *r, ngx_uint_t reason,
    const char *field, off_t offset)
{
    size_t                       size;
    u_char                      *buf;
    ngx_uint_t                   status, listed;
    martech_json_writer_t        w;
    ngx_http_martech_ctx_t      *ctx;
    ngx_http_martech_refusal_t  *refusal;

    ctx = ngx_http_martech_ctx(r);

    status = ngx_http_martech_answer_status(reason);
    size = NGX_HTTP_MARTECH_PROBLEM_SIZE;
    listed = (reason == MARTECH_OK);

    if (listed) {
        size += ngx_http_martech_answer_size(ctx);
        refusal = ctx->refusals->elts;
        reason = refusal[0].rc;
    }

    buf = ngx_pnalloc(r->pool, size);

    if (buf == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    martech_json_writer_init(&w, buf, size);

    martech_json_begin(&w, '{');
    martech_json_name(&w, "type");
    martech_json_cstring(&w, "about:blank");
    martech_json_name(&w, "title");
    martech_json_cstring(&w, ngx_http_martech_answer_title(status));
    martech_json_name(&w, "status");
    martech_json_int(&w, status);
    martech_json_name(&w, "code");
    martech_json_cstring(&w, ngx_http_martech_reason_name(reason));
    martech_json_name(&w, "message");
    martech_json_cstring(&w, ngx_http_martech_answer_text(reason));
    martech_json_name(&w, "detail");
    martech_json_cstring(&w, ngx_http_martech_answer_text(reason));

    if (field[0] != '\0') {
        martech_json_name(&w, "pointer");
        martech_json_cstring(&w, field);
    }

    if (offset >= 0) {
        martech_json_name(&w, "offset");
        martech_json_int(&w, offset);
    }

    if (listed) {
        ngx_http_martech_answer_refusals(r, &w, "errors");
    }

    martech_json_end(&w, '}');

    if (w.overflow) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_martech_answer_send(r, status, "application/problem+json",
                                        buf, w.pos - buf);
}


static ngx_int_t
ngx_http_martech_answer_partial(ngx_http_request_t *r)
{
    size_t                   size;
    u_char                  *buf;
    martech_json_writer_t    w;
    ngx_http_martech_ctx_t  *ctx;

    ctx = ngx_http_martech_ctx(r);

    size = NGX_HTTP_MARTECH_PROBLEM_SIZE + ngx_http_martech_answer_size(ctx);
    buf = ngx_pnalloc(r->pool, size);

    if (buf == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    martech_json_writer_init(&w, buf, size);

    martech_json_begin(&w, '{');
    martech_json_name(&w, "success");
    martech_json_bool(&w, 1);
    martech_json_name(&w, "accepted");
    martech_json_int(&w, ctx->accepted);
    ngx_http_martech_answer_refusals(r, &w, "rejected");
    martech_json_end(&w, '}');

    if (w.overflow) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_martech_answer_send(r, NGX_HTTP_OK, "application/json",
                                        buf, w.pos - buf);
}


/* A list of all that a large batch may have would be far larger than the
   batch; of the others only their number is told. */

static void
ngx_http_martech_answer_refusals(ngx_http_request_t *r,
    martech_json_writer_t *w, const char *name)
{
    u_char                       pointer[NGX_HTTP_MARTECH_ANSWER_POINTER], *p,
                                *last;
    ngx_uint_t                   i, n;
    ngx_http_martech_ctx_t      *ctx;
    ngx_http_martech_refusal_t  *refusal;

    ctx = ngx_http_martech_ctx(r);
    refusal = ctx->refusals->elts;

    n = 0;

    for (i = 0; i < MARTECH_RC_COUNT; i++) {
        n += ctx->rejected[i];
    }

    if (n > ctx->refusals->nelts) {
        martech_json_name(w, "unlisted");
        martech_json_int(w, n - ctx->refusals->nelts);
    }

    martech_json_name(w, name);
    martech_json_begin(w, '[');

    for (i = 0; i < ctx->refusals->nelts; i++) {
        martech_json_begin(w, '{');

        martech_json_name(w, "index");
        martech_json_int(w, refusal[i].index);

        if (refusal[i].message_id.len > 0) {
            martech_json_name(w, "messageId");
            martech_json_string(w, refusal[i].message_id.data,
                                refusal[i].message_id.len);
        }

        martech_json_name(w, "code");
        martech_json_cstring(w, martech_rc_name(refusal[i].rc));

        p = pointer;

        if (ctx->type == MARTECH_EVENT_UNKNOWN) {
            p = ngx_sprintf(p, "/batch/%uD", refusal[i].index);
        }

        last = pointer + sizeof(pointer);
        p = ngx_slprintf(p, last, "%s", refusal[i].field);

        martech_json_name(w, "pointer");
        martech_json_string(w, pointer, p - pointer);

        if (refusal[i].rule) {
            martech_json_name(w, "rule");
            martech_json_cstring(w, refusal[i].rule);
        }

        martech_json_name(w, "detail");
        martech_json_cstring(w, martech_rc_text(refusal[i].rc));

        martech_json_end(w, '}');
    }

    martech_json_end(w, ']');
}


static size_t
ngx_http_martech_answer_size(ngx_http_martech_ctx_t *ctx)
{
    size_t                       size;
    ngx_uint_t                   i;
    ngx_http_martech_refusal_t  *refusal;

    size = 0;
    refusal = ctx->refusals->elts;

    for (i = 0; i < ctx->refusals->nelts; i++) {

        /* a byte becomes six in an escape */

        size += NGX_HTTP_MARTECH_ENTRY_SIZE + 6 * refusal[i].message_id.len
                + 6 * ngx_strlen(refusal[i].field);
    }

    return size;
}


static ngx_int_t
ngx_http_martech_answer_header(ngx_http_request_t *r, const char *name,
    const char *value, size_t len)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);

    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.data = (u_char *) value;
    h->value.len = len;

    return NGX_OK;
}


ngx_int_t
ngx_http_martech_answer_field(ngx_http_request_t *r, const char *name,
    martech_str_t value)
{
    return ngx_http_martech_answer_header(r, name, (char *) value.data,
                                          value.len);
}


/* What a status needs besides a body. */

static ngx_int_t
ngx_http_martech_answer_headers(ngx_http_request_t *r, ngx_uint_t status,
    ngx_uint_t reason)
{
    u_char                       *p;
    static char                   realm[] = "Basic realm=\"events\"";
    ngx_http_martech_ctx_t       *ctx;
    ngx_http_martech_loc_conf_t  *mlcf;

    switch (status) {

    case NGX_HTTP_NOT_ALLOWED:
        return ngx_http_martech_answer_allow(r);

    case NGX_HTTP_UNAUTHORIZED:

        /*
         * What a page loads must not make its browser ask for a password; the
         * answer of a dialect says what its senders need to know.
         */

        ctx = ngx_http_martech_ctx(r);

        if (ctx->endpoint
            && (ctx->endpoint->image || ctx->endpoint->always))
        {
            return NGX_OK;
        }

        if (reason > NGX_HTTP_MARTECH_REFUSED_OUTSIDE) {
            return ngx_http_martech_answer_header(r, "WWW-Authenticate",
                                                  "Signature", 9);
        }

        return ngx_http_martech_answer_header(r, "WWW-Authenticate", realm,
                                              sizeof(realm) - 1);

    case NGX_HTTP_UNSUPPORTED_MEDIA_TYPE:

        ctx = ngx_http_martech_ctx(r);

        if (reason != NGX_HTTP_MARTECH_REFUSED_ENCODING
            || ctx->dialect_number == NGX_HTTP_MARTECH_DIALECT_HOOK)
        {
            return NGX_OK;
        }

        return ngx_http_martech_answer_header(r, "Accept-Encoding",
                                              "gzip, deflate", 13);

    case NGX_HTTP_SERVICE_UNAVAILABLE:
        mlcf = ngx_http_get_module_loc_conf(r, ngx_http_martech_module);

        p = ngx_pnalloc(r->pool, NGX_INT_T_LEN);

        if (p == NULL) {
            return NGX_ERROR;
        }

        return ngx_http_martech_answer_header(r, "Retry-After", (char *) p,
                             ngx_sprintf(p, "%i", mlcf->retry_after) - p);

    default:
        return NGX_OK;
    }
}


static ngx_int_t
ngx_http_martech_answer_allow(ngx_http_request_t *r)
{
    u_char                  *p, *last;
    ngx_http_martech_ctx_t  *ctx;

    ctx = ngx_http_martech_ctx(r);

    p = ngx_pnalloc(r->pool, NGX_HTTP_MARTECH_ALLOW);

    if (p == NULL) {
        return NGX_ERROR;
    }

    last = ngx_http_martech_dialect_allow(p, ctx->methods);

    return ngx_http_martech_answer_header(r, "Allow", (char *) p, last - p);
}


ngx_int_t
ngx_http_martech_answer_send(ngx_http_request_t *r, ngx_uint_t status,
    const char *type, u_char *body, size_t len)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    if (r->request_body == NULL && r->headers_in.expect) {

        /* no "100 Continue" for a body that nobody wants */

        r->expect_tested = 1;
        r->keepalive = 0;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    r->headers_out.status = status;
    r->headers_out.content_length_n = len;

    if (type) {
        r->headers_out.content_type.data = (u_char *) type;
        r->headers_out.content_type.len = ngx_strlen(type);
        r->headers_out.content_type_len = r->headers_out.content_type.len;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);

    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = body;
    b->last = body + len;
    b->memory = (len > 0);
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static const char *
ngx_http_martech_answer_title(ngx_uint_t status)
{
    switch (status) {

    case NGX_HTTP_UNAUTHORIZED:
        return "Unauthorized";

    case NGX_HTTP_FORBIDDEN:
        return "Forbidden";

    case NGX_HTTP_NOT_FOUND:
        return "Not Found";

    case NGX_HTTP_NOT_ALLOWED:
        return "Method Not Allowed";

    case NGX_HTTP_REQUEST_ENTITY_TOO_LARGE:
        return "Content Too Large";

    case NGX_HTTP_UNSUPPORTED_MEDIA_TYPE:
        return "Unsupported Media Type";

    case NGX_HTTP_SERVICE_UNAVAILABLE:
        return "Service Unavailable";

    default:
        return "Bad Request";
    }
}


static ngx_uint_t
ngx_http_martech_answer_has_page(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_uint_t                 i;
    ngx_http_err_page_t       *page;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->error_pages == NULL) {
        return 0;
    }

    page = clcf->error_pages->elts;

    for (i = 0; i < clcf->error_pages->nelts; i++) {

        if (page[i].status == (ngx_int_t) status) {
            return 1;
        }
    }

    return 0;
}
