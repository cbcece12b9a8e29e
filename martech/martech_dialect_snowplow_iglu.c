
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The webhook of the Snowplow dialect: any system's events, described by an
 * Iglu schema.  By GET the schema is a parameter and the others are the data;
 * by POST the body is the data, or holds schema and data itself, alone or in
 * an array.
 */


#include <string.h>

#include "martech_dialect_snowplow.h"
#include "martech_form.h"


/* Parameters beside the data. */
enum {
    MARTECH_IGLU_P = 0,
    MARTECH_IGLU_AID,
    MARTECH_IGLU_NUID,
    MARTECH_IGLU_SCHEMA,
    MARTECH_IGLU_WRITE_KEY,
    MARTECH_IGLU_COUNT
};


static martech_rc_t martech_iglu_body(martech_translation_t *t,
    martech_str_t schema, const martech_flat_t *flat,
    const martech_snowplow_user_t *user);
static int martech_iglu_item(martech_translation_t *t, uint32_t item,
    martech_str_t uri, martech_iglu_t *iglu, uint32_t *data);
static void martech_iglu_event(martech_translation_t *t,
    const martech_iglu_t *iglu, uint32_t data, martech_flat_t *params,
    const martech_flat_t *flat, const martech_snowplow_user_t *user);


static const martech_str_t  martech_iglu_names[MARTECH_IGLU_COUNT] = {
    [MARTECH_IGLU_P] = martech_string("p"),
    [MARTECH_IGLU_AID] = martech_string("aid"),
    [MARTECH_IGLU_NUID] = martech_string("nuid"),
    [MARTECH_IGLU_SCHEMA] = martech_string("schema"),
    [MARTECH_IGLU_WRITE_KEY] = martech_string("writeKey"),
};

static const uint8_t  martech_iglu_from[] = {
    MARTECH_IGLU_P, MARTECH_IGLU_P, MARTECH_IGLU_AID, MARTECH_IGLU_AID,
    MARTECH_IGLU_NUID, MARTECH_IGLU_SCHEMA, MARTECH_IGLU_SCHEMA,
    MARTECH_IGLU_WRITE_KEY, MARTECH_IGLU_WRITE_KEY, MARTECH_IGLU_COUNT
};

static const martech_flat_table_t  martech_iglu_table = {
    martech_iglu_names, MARTECH_IGLU_COUNT, martech_iglu_from, 8
};


martech_rc_t
martech_snowplow_iglu(martech_translation_t *t)
{
    int                       good;
    martech_rc_t              rc;
    martech_str_t             schema, app;
    martech_flat_t            flat;
    martech_iglu_t            iglu;
    unsigned char             nuid[MARTECH_ID_SIZE_MAX];
    martech_snowplow_user_t   user;

    martech_snowplow_user(t->request, nuid, &user);

    martech_flat_init(&flat, &martech_iglu_table);
    good = martech_flat_form(t, &flat, t->request->args);

    app = flat.known[MARTECH_IGLU_AID];
    schema = flat.known[MARTECH_IGLU_SCHEMA];

    if (t->request->method == MARTECH_POST) {
        rc = martech_dialect_scan(t, t->request->body);

        if (rc != MARTECH_OK) {
            return rc;
        }

        martech_dialect_begin(t, app, -1);
        rc = martech_iglu_body(t, schema, &flat, &user);

    } else {
        martech_dialect_begin(t, app, -1);
        rc = MARTECH_OK;

        if (good && martech_iglu_parse(schema, &iglu)) {
            martech_iglu_event(t, &iglu, MARTECH_JSON_NONE, &flat, &flat,
                               &user);

        } else {
            martech_json_raw(&t->out, "null", 4);
        }
    }

    martech_dialect_end(t);

    return rc;
}


static martech_rc_t
martech_iglu_body(martech_translation_t *t, martech_str_t schema,
    const martech_flat_t *flat, const martech_snowplow_user_t *user)
{
    uint32_t                    i, last, data;
    martech_iglu_t              iglu;
    const martech_json_node_t  *nodes;

    nodes = t->tape->nodes;
    t->field = "";

    if (nodes[0].kind < MARTECH_JSON_ARRAY) {
        return MARTECH_BODY_NOT_OBJECT;
    }

    i = 0;
    last = nodes[0].next;

    if (nodes[0].kind == MARTECH_JSON_ARRAY) {

        if (nodes[0].count == 0) {
            return MARTECH_BATCH_EMPTY;
        }

        if (nodes[0].count > t->limits->batch_count_max) {
            return MARTECH_BATCH_COUNT;
        }

        i = 1;
    }

    for ( /* void */ ; i < last && !t->out.overflow; i = nodes[i].next) {

        if (martech_iglu_item(t, i, schema, &iglu, &data)) {
            martech_iglu_event(t, &iglu, data, NULL, flat, user);

        } else {
            martech_json_raw(&t->out, "null", 4);
        }
    }

    return MARTECH_OK;
}


/* The schema and the data of an item; its root is the node 0, which data can
   be, too. */

static int
martech_iglu_item(martech_translation_t *t, uint32_t item, martech_str_t uri,
    martech_iglu_t *iglu, uint32_t *data)
{
    uint32_t                    node;
    const martech_json_node_t  *nodes;

    nodes = t->tape->nodes;

    if (nodes[item].kind != MARTECH_JSON_OBJECT) {
        return 0;
    }

    *data = item;

    if (uri.data == NULL) {
        node = martech_json_member(t->tape, item, "schema", 6);
        *data = martech_json_member(t->tape, item, "data", 4);

        if (nodes[node].kind != MARTECH_JSON_STRING
            || *data == MARTECH_JSON_NONE
            || nodes[*data].kind != MARTECH_JSON_OBJECT)
        {
            return 0;
        }

        uri = martech_flat_value(t, t->tape, node);
    }

    return martech_iglu_parse(uri, iglu);
}


/* The data is an object of the tape, or what is left of the parameters. */

static void
martech_iglu_event(martech_translation_t *t, const martech_iglu_t *iglu,
    uint32_t data, martech_flat_t *params, const martech_flat_t *flat,
    const martech_snowplow_user_t *user)
{
    martech_str_t  text, app, none = { 0, NULL }, platform;

    app = flat->known[MARTECH_IGLU_AID];
    platform = flat->known[MARTECH_IGLU_P];

    martech_json_begin(&t->out, '{');
    martech_json_name(&t->out, "type");
    martech_json_cstring(&t->out, "track");
    martech_dialect_text(t, "event", iglu->name);

    martech_snowplow_ids(t, none, none, user->nuid, user);

    martech_json_name(&t->out, "properties");

    if (params) {
        martech_json_begin(&t->out, '{');
        memset(params->known, 0, sizeof(martech_str_t) * MARTECH_IGLU_COUNT);
        martech_flat_rest(t, params);
        martech_json_end(&t->out, '}');

    } else {
        text = martech_json_text(t->tape, data);
        martech_json_raw(&t->out, text.data, text.len);
    }

    martech_json_name(&t->out, "context");
    martech_json_begin(&t->out, '{');

    if (app.data) {
        martech_json_name(&t->out, "app");
        martech_json_begin(&t->out, '{');
        martech_dialect_text(t, "id", app);
        martech_json_end(&t->out, '}');
    }

    if (user->anonymous) {
        martech_json_name(&t->out, "ip");
        martech_json_raw(&t->out, "null", 4);
    }

    martech_json_name(&t->out, "snowplow");
    martech_json_begin(&t->out, '{');
    martech_dialect_text(t, "schema", iglu->uri);

    if (user->nuid.len > 0) {
        martech_dialect_text(t, "nuid", user->nuid);
    }

    martech_dialect_text(t, "p", platform);
    martech_json_end(&t->out, '}');

    martech_json_end(&t->out, '}');
    martech_json_end(&t->out, '}');
}
