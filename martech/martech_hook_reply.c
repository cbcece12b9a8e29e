
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What a vendor is told once its events are safe: some show or run whatever
 * they are answered.
 */


#include <string.h>

#include "martech_hook_private.h"


static void martech_hook_reply_empty(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply);
static void martech_hook_reply_xml(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply);


static const martech_endpoint_t  martech_hook_endpoint_usual = {
    .name = "webhook",
    .methods = MARTECH_POST,
};

static const martech_endpoint_t  martech_hook_endpoint_empty = {
    .name = "webhook",
    .methods = MARTECH_POST,
    .reply = martech_hook_reply_empty,
};

static const martech_endpoint_t  martech_hook_endpoint_xml = {
    .name = "webhook",
    .methods = MARTECH_POST|MARTECH_GET,
    .reply = martech_hook_reply_xml,
};


const martech_endpoint_t *
martech_hook_endpoint(const martech_hook_scheme_t *scheme)
{
    if (scheme->reply_type == NULL) {
        return &martech_hook_endpoint_usual;
    }

    return scheme->reply[0] ? &martech_hook_endpoint_xml
                            : &martech_hook_endpoint_empty;
}


static void
martech_hook_reply_empty(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply)
{
    (void) request;

    if (verdict->status == 0) {
        martech_reply_set(reply, 200, "text/plain", "", 0);
    }
}


/* A document of instructions without any. */

static void
martech_hook_reply_xml(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply)
{
    static const char  nothing[] = "<Response></Response>";

    (void) request;

    if (verdict->status == 0) {
        martech_reply_set(reply, 200, "text/xml", nothing,
                          sizeof(nothing) - 1);
    }
}
