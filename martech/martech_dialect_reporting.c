
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What browsers report themselves: Reporting API and Network Error Logging
 * (an array of reports), and the older "report-uri" of a Content Security
 * Policy (one object).  Each report is a track event.
 */


#include <string.h>

#include "martech_dialect_list.h"
#include "martech_dialect_map.h"
#include "martech_uuid.h"


enum {
    MARTECH_REPORT_NONE = 0,
    MARTECH_REPORT_AGE,
    MARTECH_REPORT_BODY,
    MARTECH_REPORT_TYPE,
    MARTECH_REPORT_URL
};


static const martech_endpoint_t *martech_reporting_match(
    const martech_request_t *request);
static martech_rc_t martech_reporting_translate(martech_translation_t *t);
static martech_rc_t martech_reporting_policy(martech_translation_t *t,
    uint32_t report);
static void martech_reporting_event(martech_translation_t *t, uint32_t node);
static void martech_reporting_name(martech_translation_t *t, uint32_t type);
static void martech_reporting_identity(martech_translation_t *t,
    martech_str_t url);
static void martech_reporting_reply(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply);


/* W3C Reporting API, section 2.2. */

static const martech_known_t  martech_reporting_known[] = {
    { .name = martech_string("age"), .role = MARTECH_REPORT_AGE },
    { .name = martech_string("url"), .role = MARTECH_REPORT_URL },
    { .name = martech_string("body"), .role = MARTECH_REPORT_BODY },
    { martech_string("type"), MARTECH_PLACE_OWN, "type", 0,
      MARTECH_REPORT_TYPE },
    { martech_string("user_agent"), MARTECH_PLACE_CONTEXT, "userAgent", 0, 0 },
};


static const martech_endpoint_t  martech_reporting_reports = {
    .name = "reports",
    .methods = MARTECH_POST,
    .translate = martech_reporting_translate,
    .reply = martech_reporting_reply,
};

const martech_dialect_t  martech_dialect_reporting = {
    .name = martech_string("reporting"),
    .match = martech_reporting_match,
};


static const martech_endpoint_t *
martech_reporting_match(const martech_request_t *request)
{
    return martech_dialect_path_is(request->path, "/reports", 8)
           ? &martech_reporting_reports : NULL;
}


static martech_rc_t
martech_reporting_translate(martech_translation_t *t)
{
    uint32_t                    i;
    martech_rc_t                rc;
    martech_str_t               none = { 0, NULL };
    const martech_json_node_t  *nodes;

    rc = martech_dialect_scan(t, t->request->body);

    if (rc != MARTECH_OK) {
        return rc;
    }

    nodes = t->tape->nodes;

    if (nodes[0].kind == MARTECH_JSON_OBJECT) {
        return martech_reporting_policy(t, martech_json_member(t->tape, 0,
                                                          "csp-report", 10));
    }

    if (nodes[0].kind != MARTECH_JSON_ARRAY) {
        return MARTECH_BATCH_NOT_ARRAY;
    }

    if (nodes[0].count == 0) {
        return MARTECH_BATCH_EMPTY;
    }

    if (nodes[0].count > t->limits->batch_count_max) {
        return MARTECH_BATCH_COUNT;
    }

    martech_dialect_begin(t, none, -1);

    for (i = 1; i < nodes[0].next; i = nodes[i].next) {
        martech_reporting_event(t, i);
    }

    martech_dialect_end(t);

    return MARTECH_OK;
}


/* The older form of one type of report (CSP Level 2, section 4.4). */

static martech_rc_t
martech_reporting_policy(martech_translation_t *t, uint32_t report)
{
    martech_str_t  url, none = { 0, NULL };

    if (report == MARTECH_JSON_NONE
        || t->tape->nodes[report].kind != MARTECH_JSON_OBJECT)
    {
        t->field = "/csp-report";
        return MARTECH_REQUEST_FIELD;
    }

    url = martech_dialect_string(t, martech_json_member(t->tape, report,
                                                      "document-uri", 12));

    martech_dialect_begin(t, none, -1);
    martech_json_begin(&t->out, '{');

    martech_json_name(&t->out, "type");
    martech_json_cstring(&t->out, "track");
    martech_json_name(&t->out, "event");
    martech_json_cstring(&t->out, "CSP Violation");

    martech_reporting_identity(t, url);
    martech_dialect_node(t, "properties", report);

    martech_json_name(&t->out, "context");
    martech_json_begin(&t->out, '{');

    if (url.data) {
        martech_json_name(&t->out, "page");
        martech_json_begin(&t->out, '{');
        martech_dialect_page(t, url);
        martech_dialect_node(t, "referrer",
                             martech_json_member(t->tape, report, "referrer",
                                                 8));
        martech_json_end(&t->out, '}');
    }

    martech_json_end(&t->out, '}');

    martech_json_end(&t->out, '}');
    martech_dialect_end(t);

    return MARTECH_OK;
}


static void
martech_reporting_event(martech_translation_t *t, uint32_t node)
{
    int64_t                age;
    uint32_t               type, body;
    martech_map_t          map;
    martech_str_t          url;
    martech_json_writer_t  begun;

    begun = t->out;

    martech_map_init(&map, martech_reporting_known,
                     sizeof(martech_reporting_known)
                     / sizeof(martech_known_t));

    if (t->tape->nodes[node].kind == MARTECH_JSON_OBJECT) {
        (void) martech_map_members(&map, t->tape, node);
    }

    type = martech_map_node(&map, MARTECH_REPORT_TYPE);
    body = martech_map_node(&map, MARTECH_REPORT_BODY);

    if (type == MARTECH_JSON_NONE
        || t->tape->nodes[type].kind != MARTECH_JSON_STRING)
    {
        martech_dialect_refuse(t, &begun);
        return;
    }

    url = martech_map_text(t, &map, MARTECH_REPORT_URL);
    age = martech_dialect_integer(martech_map_text(t, &map,
                                                   MARTECH_REPORT_AGE));

    martech_json_begin(&t->out, '{');

    martech_json_name(&t->out, "type");
    martech_json_cstring(&t->out, "track");
    martech_reporting_name(t, type);
    martech_reporting_identity(t, url);

    if (age >= 0 && age <= (int64_t) t->request->now_ms) {
        martech_dialect_time(t, "timestamp",
                             (int64_t) t->request->now_ms - age);
    }

    if (t->tape->nodes[body].kind == MARTECH_JSON_OBJECT
        && body != MARTECH_JSON_NONE)
    {
        martech_dialect_node(t, "properties", body);

    } else {
        martech_json_name(&t->out, "properties");
        martech_json_begin(&t->out, '{');
        martech_dialect_node(t, "body", body);
        martech_json_end(&t->out, '}');
    }

    martech_json_name(&t->out, "context");
    martech_json_begin(&t->out, '{');
    martech_map_context(t, &map, url, NULL);

    martech_json_name(&t->out, "report");
    martech_json_begin(&t->out, '{');
    martech_map_write(t, &map, MARTECH_PLACE_OWN);
    martech_map_others(t, &map, node);
    martech_json_end(&t->out, '}');

    martech_json_end(&t->out, '}');

    martech_json_end(&t->out, '}');
}


/* A type that is not known is its own name. */

static void
martech_reporting_name(martech_translation_t *t, uint32_t type)
{
    unsigned  i;

    static const struct {
        martech_str_t  type;
        const char    *event;
    } names[] = {
        { martech_string("csp-violation"), "CSP Violation" },
        { martech_string("csp-hash"), "CSP Hash" },
        { martech_string("deprecation"), "Deprecation" },
        { martech_string("intervention"), "Intervention" },
        { martech_string("crash"), "Crash" },
        { martech_string("coep"), "COEP Violation" },
        { martech_string("coop"), "COOP Violation" },
        { martech_string("permissions-policy-violation"),
          "Permissions Policy Violation" },
        { martech_string("potential-permissions-policy-violation"),
          "Potential Permissions Policy Violation" },
        { martech_string("document-policy-violation"),
          "Document Policy Violation" },
        { martech_string("integrity-violation"), "Integrity Violation" },
        { martech_string("network-error"), "Network Error" },
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (martech_json_equals(t->tape, type,
                                (const char *) names[i].type.data,
                                names[i].type.len))
        {
            martech_json_name(&t->out, "event");
            martech_json_cstring(&t->out, names[i].event);
            return;
        }
    }

    martech_dialect_node(t, "event", type);
}


/*
 * A report names no one.  Without an identity cookie all those of a site are
 * of one id, which is made from its origin.
 */

static void
martech_reporting_identity(martech_translation_t *t, martech_str_t url)
{
    size_t         i, slashes;
    unsigned char  id[MARTECH_UUID_LEN];

    /* "browser report" in 16 bytes */

    static const unsigned char  space[16] = "browser report ";

    if (t->request->visitor.len > 0) {
        martech_dialect_text(t, "anonymousId", t->request->visitor);
        return;
    }

    if (url.len == 0) {
        return;
    }

    slashes = 0;

    for (i = 0; i < url.len; i++) {

        if (url.data[i] == '/') {
            slashes++;
        }

        if (slashes == 3 || url.data[i] == '?' || url.data[i] == '#') {
            break;
        }
    }

    martech_uuid5(id, space, url.data, i);

    martech_json_name(&t->out, "anonymousId");
    martech_json_string(&t->out, id, sizeof(id));
}


/* Browsers read the status only, and 410 as an order to stop. */

static void
martech_reporting_reply(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply)
{
    (void) request;
    (void) verdict;

    martech_reply_set(reply, 204, NULL, NULL, 0);
}
