
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Snowplow trackers: events by POST (a self-describing list of flat objects),
 * by GET (a query), through a redirect, and of webhooks.
 */


#include <string.h>

#include "martech_dialect_list.h"
#include "martech_dialect_snowplow.h"
#include "martech_form.h"


static const martech_endpoint_t *martech_snowplow_match(
    const martech_request_t *request);
static int martech_snowplow_is_tracker(const martech_request_t *request);
static int martech_snowplow_is_vendor(martech_str_t path);
static martech_rc_t martech_snowplow_get(martech_translation_t *t);
static martech_rc_t martech_snowplow_post(martech_translation_t *t);
static martech_rc_t martech_snowplow_redirect(martech_translation_t *t);
static martech_rc_t martech_snowplow_event(martech_translation_t *t,
    martech_snowplow_t *sp, const martech_snowplow_user_t *user);
static void martech_snowplow_reply_ok(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply);
static void martech_snowplow_reply_image(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply);
static void martech_snowplow_reply_redirect(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply);


#define MARTECH_SP_GET   (MARTECH_GET|MARTECH_HEAD)
#define MARTECH_SP_BOTH  (MARTECH_GET|MARTECH_HEAD|MARTECH_POST)


static const martech_endpoint_t  martech_snowplow_pixel = {
    .name = "i",
    .methods = MARTECH_SP_GET,
    .image = 1,
    .translate = martech_snowplow_get,
    .reply = martech_snowplow_reply_image
};

/* The path of a tracker, by method: both name all that it takes. */

static const martech_endpoint_t  martech_snowplow_tp2_get = {
    .name = "tp2",
    .methods = MARTECH_SP_BOTH,
    .image = 1,
    .translate = martech_snowplow_get,
    .reply = martech_snowplow_reply_image
};

static const martech_endpoint_t  martech_snowplow_tp2_post = {
    .name = "tp2",
    .methods = MARTECH_SP_BOTH,
    .always = 1,
    .translate = martech_snowplow_post,
    .reply = martech_snowplow_reply_ok
};

static const martech_endpoint_t  martech_snowplow_webhook_get = {
    .name = "iglu",
    .methods = MARTECH_SP_BOTH,
    .image = 1,
    .translate = martech_snowplow_iglu,
    .reply = martech_snowplow_reply_image
};

static const martech_endpoint_t  martech_snowplow_webhook_post = {
    .name = "iglu",
    .methods = MARTECH_SP_BOTH,
    .translate = martech_snowplow_iglu,
    .reply = martech_snowplow_reply_ok
};

static const martech_endpoint_t  martech_snowplow_link = {
    .name = "redirect",
    .methods = MARTECH_SP_GET,
    .always = 1,
    .translate = martech_snowplow_redirect,
    .reply = martech_snowplow_reply_redirect
};

static const martech_endpoint_t  martech_snowplow_health = {
    .name = "health",
    .methods = MARTECH_SP_GET,
    .silent = 1,
    .reply = martech_snowplow_reply_ok
};


const martech_dialect_t  martech_dialect_snowplow = {
    martech_string("snowplow"),
    MARTECH_DIALECT_POST_PATH|MARTECH_DIALECT_REDIRECT,
    martech_snowplow_match
};


#define martech_snowplow_path(request, word)                                  \
    martech_dialect_path_is((request)->path, word, sizeof(word) - 1)


static const martech_endpoint_t *
martech_snowplow_match(const martech_request_t *request)
{
    if (martech_snowplow_is_tracker(request)) {
        return (request->method == MARTECH_POST) ? &martech_snowplow_tp2_post
                                                 : &martech_snowplow_tp2_get;
    }

    if (martech_snowplow_path(request, "/i")
        || martech_snowplow_path(request, "/ice.png"))
    {
        return &martech_snowplow_pixel;
    }

    if (martech_snowplow_path(request, "/com.snowplowanalytics.iglu/v1")) {
        return (request->method == MARTECH_POST)
               ? &martech_snowplow_webhook_post
               : &martech_snowplow_webhook_get;
    }

    if (martech_snowplow_path(request, "/r/tp2")) {

        /* without a target that is allowed there are no redirects */

        return (request->conf->ntargets || request->conf->key.len)
               ? &martech_snowplow_link : NULL;
    }

    if (martech_snowplow_path(request, "/health")) {
        return &martech_snowplow_health;
    }

    if ((request->method & MARTECH_SP_GET)
        && martech_snowplow_is_vendor(request->path))
    {
        return &martech_snowplow_pixel;
    }

    return NULL;
}


static int
martech_snowplow_is_tracker(const martech_request_t *request)
{
    const martech_str_t  *path;

    path = &request->conf->path;

    if (path->len > 0
        && martech_dialect_path_is(request->path, (const char *) path->data,
                                   path->len))
    {
        return 1;
    }

    return martech_snowplow_path(request,
                                 "/com.snowplowanalytics.snowplow/tp2");
}


/* "/VENDOR/VERSION"; a vendor is a domain backwards, so that it has a dot, and
   paths of other dialects have none. */

static int
martech_snowplow_is_vendor(martech_str_t path)
{
    const unsigned char  *slash, *end;

    if (path.len < 2) {
        return 0;
    }

    path.data++;
    path.len--;

    end = path.data + path.len;
    slash = memchr(path.data, '/', path.len);

    return slash != NULL && slash + 1 < end
           && memchr(path.data, '.', (size_t) (slash - path.data)) != NULL
           && memchr(slash + 1, '/', (size_t) (end - slash - 1)) == NULL;
}


static martech_rc_t
martech_snowplow_get(martech_translation_t *t)
{
    int                       good;
    martech_rc_t              rc;
    unsigned char             nuid[MARTECH_ID_SIZE_MAX];
    martech_snowplow_t        sp;
    martech_snowplow_user_t   user;

    martech_snowplow_user(t->request, nuid, &user);

    sp.used = 0;
    sp.target.data = NULL;
    sp.target.len = 0;

    martech_flat_init(&sp.flat, &martech_snowplow_table);
    good = martech_flat_form(t, &sp.flat, t->request->args);

    martech_dialect_begin(t, sp.flat.known[MARTECH_SP_AID], -1);

    if (!good) {
        martech_json_raw(&t->out, "null", 4);
        rc = MARTECH_OK;

    } else {
        rc = martech_snowplow_event(t, &sp, &user);
    }

    martech_dialect_end(t);

    return rc;
}


/*
 * {"schema": "iglu:.../payload_data/...", "data": [{...}, ...]}: all versions
 * are the same, so the schema is not looked at.  A string may hold JSON whose
 * own strings are held to the limit, and the event to its own.
 */

static martech_rc_t
martech_snowplow_post(martech_translation_t *t)
{
    size_t                      mark;
    uint32_t                    i, data;
    martech_rc_t                rc;
    unsigned char               nuid[MARTECH_ID_SIZE_MAX];
    martech_limits_t            limits;
    martech_snowplow_t          sp;
    martech_snowplow_user_t     user;
    const martech_limits_t     *narrow;
    const martech_json_node_t  *nodes;

    narrow = t->limits;
    limits = *narrow;
    limits.string_size_max = SIZE_MAX;

    t->limits = &limits;
    rc = martech_dialect_scan(t, t->request->body);
    t->limits = narrow;

    if (rc != MARTECH_OK) {
        return rc;
    }

    nodes = t->tape->nodes;

    if (nodes[0].kind != MARTECH_JSON_OBJECT) {
        t->field = "";
        return MARTECH_BODY_NOT_OBJECT;
    }

    t->field = "/data";
    data = martech_json_member(t->tape, 0, "data", 4);

    if (data == MARTECH_JSON_NONE || nodes[data].kind != MARTECH_JSON_ARRAY) {
        return MARTECH_BATCH_NOT_ARRAY;
    }

    if (nodes[data].count == 0) {
        return MARTECH_BATCH_EMPTY;
    }

    if (nodes[data].count > t->limits->batch_count_max) {
        return MARTECH_BATCH_COUNT;
    }

    martech_snowplow_user(t->request, nuid, &user);

    martech_dialect_begin(t,
                          martech_flat_value(t, t->tape,
                                        martech_json_member(t->tape, data + 1,
                                                            "aid", 3)),
                          -1);

    sp.target.data = NULL;
    sp.target.len = 0;
    martech_flat_init(&sp.flat, &martech_snowplow_table);
    mark = t->scratch_used;

    for (i = data + 1; i < nodes[data].next && !t->out.overflow;
         i = nodes[i].next)
    {
        t->scratch_used = mark;
        martech_flat_clear(&sp.flat);

        if (nodes[i].kind != MARTECH_JSON_OBJECT
            || !martech_flat_object(t, &sp.flat, i))
        {
            martech_json_raw(&t->out, "null", 4);
            continue;
        }

        sp.used = t->tape->nodes_count;
        rc = martech_snowplow_event(t, &sp, &user);

        if (rc != MARTECH_OK) {
            return rc;
        }
    }

    martech_dialect_end(t);

    return MARTECH_OK;
}


static martech_rc_t
martech_snowplow_event(martech_translation_t *t, martech_snowplow_t *sp,
    const martech_snowplow_user_t *user)
{
    switch (martech_snowplow_read(t, sp)) {

    case MARTECH_SP_GOOD:
        martech_snowplow_write(t, sp, user);
        break;

    case MARTECH_SP_BAD:
        martech_json_raw(&t->out, "null", 4);
        break;

    case MARTECH_SP_TOKENS:
        return MARTECH_JSON_TOKENS;
    }

    return MARTECH_OK;
}


/* A target that is not followed is no event, either. */

static martech_rc_t
martech_snowplow_redirect(martech_translation_t *t)
{
    int                       good;
    martech_rc_t              rc;
    unsigned char             nuid[MARTECH_ID_SIZE_MAX];
    unsigned char             target[MARTECH_REPLY_SIZE];
    martech_snowplow_t        sp;
    martech_snowplow_user_t   user;

    martech_snowplow_user(t->request, nuid, &user);

    sp.used = 0;
    martech_flat_init(&sp.flat, &martech_snowplow_table);
    good = martech_flat_form(t, &sp.flat, t->request->args);

    martech_dialect_begin(t, sp.flat.known[MARTECH_SP_AID], -1);

    if (!good || martech_snowplow_target(t->request, target, sizeof(target))
                 < 0)
    {
        martech_json_raw(&t->out, "null", 4);
        rc = MARTECH_OK;

    } else {

        /* as the link has it, without the id that it may bring along */

        sp.target = martech_flat_take(&sp.flat, MARTECH_SP_U);
        (void) martech_flat_take(&sp.flat, MARTECH_SP_SIG);

        rc = martech_snowplow_event(t, &sp, &user);
    }

    martech_dialect_end(t);

    return rc;
}


/*
 * Trackers send again on all but 400, 401, 403, 410 and 422, so that another
 * status for what will never be taken brings it again and again.
 */

static unsigned
martech_snowplow_status(unsigned status)
{
    return (status == 413 || status == 415) ? 400 : status;
}


static void
martech_snowplow_reply_ok(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply)
{
    static const char  refused[] = "the request is refused";

    (void) request;

    if (verdict->status == 0) {

        /* not empty: browsers log an error for that */

        martech_reply_set(reply, 200, "text/plain", "ok", 2);

    } else if (martech_snowplow_status(verdict->status) != verdict->status) {
        martech_reply_set(reply, 400, "text/plain", refused,
                          sizeof(refused) - 1);
    }
}


static void
martech_snowplow_reply_image(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply)
{
    (void) request;

    martech_reply_image(reply, verdict->status
                               ? martech_snowplow_status(verdict->status)
                               : 200);
}


/* A link leads on, also if its event could not be stored. */

static void
martech_snowplow_reply_redirect(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply)
{
    long                        n;
    martech_str_t               target;

    static const char           denied[] = "the target is not allowed";
    static const martech_str_t  never =
                       martech_string("no-cache, no-store, must-revalidate");

    if (verdict->status == 405) {
        return;
    }

    n = martech_snowplow_target(request, reply->buf, reply->size);

    if (n < 0) {
        martech_reply_set(reply, 400, "text/plain", denied,
                          sizeof(denied) - 1);
        return;
    }

    target.data = reply->buf;
    target.len = (size_t) n;

    reply->status = 302;
    martech_reply_header(reply, "Location", target);
    martech_reply_header(reply, "Cache-Control", never);
}
