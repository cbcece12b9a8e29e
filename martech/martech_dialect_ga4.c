
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * GA4: hits of gtag (not documented by the vendor, read as its own server
 * containers read them), and the Measurement Protocol.
 */


#include <string.h>

#include "martech_dialect_ga4.h"
#include "martech_dialect_list.h"
#include "martech_form.h"


static const martech_endpoint_t *martech_ga4_match(
    const martech_request_t *request);
static void martech_ga4_reply(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply);
static void martech_ga4_reply_debug(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply);


static const martech_endpoint_t  martech_ga4_page = {
    .name = "g/collect",
    .methods = MARTECH_GET|MARTECH_POST,
    .translate = martech_ga4_collect,
    .reply = martech_ga4_reply
};

static const martech_endpoint_t  martech_ga4_protocol = {
    .name = "mp/collect",
    .methods = MARTECH_POST,
    .translate = martech_ga4_server,
    .reply = martech_ga4_reply
};

static const martech_endpoint_t  martech_ga4_debug = {
    .name = "debug/mp/collect",
    .methods = MARTECH_POST,
    .silent = 1,
    .reply = martech_ga4_reply_debug
};


const martech_dialect_t  martech_dialect_ga4 = {
    martech_string("ga4"), 0, martech_ga4_match
};


static const martech_endpoint_t *
martech_ga4_match(const martech_request_t *request)
{
    unsigned  i;

    static const struct {
        martech_str_t              path;
        const martech_endpoint_t  *endpoint;
    } paths[] = {
        { martech_string("/g/collect"), &martech_ga4_page },
        { martech_string("/mp/collect"), &martech_ga4_protocol },
        { martech_string("/debug/mp/collect"), &martech_ga4_debug },
    };

    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {

        if (martech_dialect_path_is(request->path,
                                    (const char *) paths[i].path.data,
                                    paths[i].path.len))
        {
            return paths[i].endpoint;
        }
    }

    return NULL;
}


int
martech_ga4_name(martech_translation_t *t, martech_str_t name)
{
    martech_json_name(&t->out, "type");

    if (name.len == 9 && memcmp(name.data, "page_view", 9) == 0) {
        martech_json_cstring(&t->out, "page");
        return MARTECH_GA4_PAGE;
    }

    if (name.len == 11 && memcmp(name.data, "screen_view", 11) == 0) {
        martech_json_cstring(&t->out, "screen");
        return MARTECH_GA4_SCREEN;
    }

    martech_json_cstring(&t->out, "track");
    martech_dialect_text(t, "event", name);

    return MARTECH_GA4_TRACK;
}


static void
martech_ga4_reply(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply)
{
    (void) request;
    (void) verdict;

    martech_reply_set(reply, 204, NULL, "", 0);
}


/* The vendor's own words on an event are none of ours. */

static void
martech_ga4_reply_debug(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply)
{
    static const char  nothing[] = "{\"validationMessages\":[]}";

    (void) request;
    (void) verdict;

    martech_reply_set(reply, 200, "application/json", nothing,
                      sizeof(nothing) - 1);
}
