
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * One event of a Snowplow tracker: the JSON in its fields is scanned, then
 * the event is written.  Each field that has a place of its own is taken out
 * as it is written; what is left goes into context.snowplow under its name.
 */


#include <string.h>

#include "martech_base64.h"
#include "martech_dialect_map.h"
#include "martech_dialect_snowplow.h"
#include "martech_form.h"


/* Levels that an event's data and entities are nested deeper in a batch. */
#define MARTECH_SP_DATA_DEPTH    2
#define MARTECH_SP_ENTITY_DEPTH  3


/* A field that becomes a property. */
typedef struct {
    unsigned     field;
    const char  *name;
    unsigned     number:1;
} martech_snowplow_property_t;


/* What "e" may be. */
typedef struct {
    martech_str_t                       e;
    const char                         *type;
    const char                         *event;
    const martech_snowplow_property_t  *properties;   /* field COUNT ends */
} martech_snowplow_kind_t;


static const martech_snowplow_kind_t *martech_snowplow_kind(martech_str_t e);
static martech_snowplow_rc_t martech_snowplow_scan(martech_translation_t *t,
    martech_snowplow_t *sp, martech_json_tape_t *tape, martech_str_t text,
    unsigned depth);
static martech_str_t martech_snowplow_json(martech_translation_t *t,
    martech_snowplow_t *sp, unsigned plain, unsigned encoded);
static martech_snowplow_rc_t martech_snowplow_read_event(
    martech_translation_t *t, martech_snowplow_t *sp);
static martech_snowplow_rc_t martech_snowplow_read_entities(
    martech_translation_t *t, martech_snowplow_t *sp);
static int martech_snowplow_is_screen(const martech_snowplow_t *sp);
static void martech_snowplow_name(martech_translation_t *t,
    martech_snowplow_t *sp, const martech_snowplow_kind_t *kind);
static void martech_snowplow_times(martech_translation_t *t,
    martech_flat_t *flat);
static void martech_snowplow_properties(martech_translation_t *t,
    martech_snowplow_t *sp, const martech_snowplow_kind_t *kind);
static void martech_snowplow_context(martech_translation_t *t,
    martech_snowplow_t *sp, const martech_snowplow_user_t *user,
    martech_str_t nuid);
static void martech_snowplow_library(martech_translation_t *t,
    martech_str_t tv);
static void martech_snowplow_session(martech_translation_t *t,
    martech_flat_t *flat);
static void martech_snowplow_entities(martech_translation_t *t,
    const martech_snowplow_t *sp);


/* The id of who asks for anonymity, as the vendor's collector has it. */

static const martech_str_t  martech_snowplow_nobody =
                       martech_string("00000000-0000-0000-0000-000000000000");


static const martech_str_t  martech_snowplow_names[MARTECH_SP_COUNT] = {
    [MARTECH_SP_E] = martech_string("e"),
    [MARTECH_SP_P] = martech_string("p"),
    [MARTECH_SP_U] = martech_string("u"),

    [MARTECH_SP_CO] = martech_string("co"),
    [MARTECH_SP_CX] = martech_string("cx"),
    [MARTECH_SP_TV] = martech_string("tv"),
    [MARTECH_SP_TZ] = martech_string("tz"),
    [MARTECH_SP_UA] = martech_string("ua"),
    [MARTECH_SP_IP] = martech_string("ip"),

    [MARTECH_SP_AID] = martech_string("aid"),
    [MARTECH_SP_DTM] = martech_string("dtm"),
    [MARTECH_SP_EID] = martech_string("eid"),
    [MARTECH_SP_RES] = martech_string("res"),
    [MARTECH_SP_SID] = martech_string("sid"),
    [MARTECH_SP_SIG] = martech_string("sig"),
    [MARTECH_SP_STM] = martech_string("stm"),
    [MARTECH_SP_TTM] = martech_string("ttm"),
    [MARTECH_SP_UID] = martech_string("uid"),
    [MARTECH_SP_URL] = martech_string("url"),
    [MARTECH_SP_VID] = martech_string("vid"),

    [MARTECH_SP_DUID] = martech_string("duid"),
    [MARTECH_SP_LANG] = martech_string("lang"),
    [MARTECH_SP_NUID] = martech_string("nuid"),
    [MARTECH_SP_PAGE] = martech_string("page"),
    [MARTECH_SP_REFR] = martech_string("refr"),
    [MARTECH_SP_N3PC] = martech_string("n3pc"),

    [MARTECH_SP_SE_CA] = martech_string("se_ca"),
    [MARTECH_SP_SE_AC] = martech_string("se_ac"),
    [MARTECH_SP_SE_LA] = martech_string("se_la"),
    [MARTECH_SP_SE_PR] = martech_string("se_pr"),
    [MARTECH_SP_SE_VA] = martech_string("se_va"),
    [MARTECH_SP_TI_ID] = martech_string("ti_id"),
    [MARTECH_SP_TI_SK] = martech_string("ti_sk"),
    [MARTECH_SP_TI_NM] = martech_string("ti_nm"),
    [MARTECH_SP_TI_CA] = martech_string("ti_ca"),
    [MARTECH_SP_TI_PR] = martech_string("ti_pr"),
    [MARTECH_SP_TI_QU] = martech_string("ti_qu"),
    [MARTECH_SP_TI_CU] = martech_string("ti_cu"),
    [MARTECH_SP_TNUID] = martech_string("tnuid"),
    [MARTECH_SP_TR_ID] = martech_string("tr_id"),
    [MARTECH_SP_TR_AF] = martech_string("tr_af"),
    [MARTECH_SP_TR_TT] = martech_string("tr_tt"),
    [MARTECH_SP_TR_TX] = martech_string("tr_tx"),
    [MARTECH_SP_TR_SH] = martech_string("tr_sh"),
    [MARTECH_SP_TR_CI] = martech_string("tr_ci"),
    [MARTECH_SP_TR_ST] = martech_string("tr_st"),
    [MARTECH_SP_TR_CO] = martech_string("tr_co"),
    [MARTECH_SP_TR_CU] = martech_string("tr_cu"),
    [MARTECH_SP_UE_PR] = martech_string("ue_pr"),
    [MARTECH_SP_UE_PX] = martech_string("ue_px"),

    [MARTECH_SP_PP_MIX] = martech_string("pp_mix"),
    [MARTECH_SP_PP_MAX] = martech_string("pp_max"),
    [MARTECH_SP_PP_MIY] = martech_string("pp_miy"),
    [MARTECH_SP_PP_MAY] = martech_string("pp_may"),

    [MARTECH_SP_WRITE_KEY] = martech_string("writeKey"),
};


static const uint8_t  martech_snowplow_from[] = {
    MARTECH_SP_1, MARTECH_SP_1, MARTECH_SP_2, MARTECH_SP_3, MARTECH_SP_4,
    MARTECH_SP_5, MARTECH_SP_6, MARTECH_SP_7, MARTECH_SP_8, MARTECH_SP_COUNT
};


const martech_flat_table_t  martech_snowplow_table = {
    martech_snowplow_names, MARTECH_SP_COUNT, martech_snowplow_from, 8
};


static const martech_snowplow_property_t  martech_snowplow_none[] = {
    { MARTECH_SP_COUNT, NULL, 0 }
};

static const martech_snowplow_property_t  martech_snowplow_ping[] = {
    { MARTECH_SP_PP_MIX, "pp_mix", 1 },
    { MARTECH_SP_PP_MAX, "pp_max", 1 },
    { MARTECH_SP_PP_MIY, "pp_miy", 1 },
    { MARTECH_SP_PP_MAY, "pp_may", 1 },
    { MARTECH_SP_COUNT, NULL, 0 }
};

static const martech_snowplow_property_t  martech_snowplow_struct[] = {
    { MARTECH_SP_SE_CA, "category", 0 },
    { MARTECH_SP_SE_AC, "action", 0 },
    { MARTECH_SP_SE_LA, "label", 0 },
    { MARTECH_SP_SE_PR, "property", 0 },
    { MARTECH_SP_SE_VA, "value", 1 },
    { MARTECH_SP_COUNT, NULL, 0 }
};

static const martech_snowplow_property_t  martech_snowplow_order[] = {
    { MARTECH_SP_TR_ID, "order_id", 0 },
    { MARTECH_SP_TR_AF, "affiliation", 0 },
    { MARTECH_SP_TR_TT, "total", 1 },
    { MARTECH_SP_TR_TX, "tax", 1 },
    { MARTECH_SP_TR_SH, "shipping", 1 },
    { MARTECH_SP_TR_CI, "city", 0 },
    { MARTECH_SP_TR_ST, "state", 0 },
    { MARTECH_SP_TR_CO, "country", 0 },
    { MARTECH_SP_TR_CU, "currency", 0 },
    { MARTECH_SP_COUNT, NULL, 0 }
};

static const martech_snowplow_property_t  martech_snowplow_item[] = {
    { MARTECH_SP_TI_ID, "order_id", 0 },
    { MARTECH_SP_TI_SK, "sku", 0 },
    { MARTECH_SP_TI_NM, "name", 0 },
    { MARTECH_SP_TI_CA, "category", 0 },
    { MARTECH_SP_TI_PR, "price", 1 },
    { MARTECH_SP_TI_QU, "quantity", 1 },
    { MARTECH_SP_TI_CU, "currency", 0 },
    { MARTECH_SP_COUNT, NULL, 0 }
};


/* Names of events without one of their own are those of the vendor's tables. */

static const martech_snowplow_kind_t  martech_snowplow_kinds[] = {
    { martech_string("pv"), "page", NULL, martech_snowplow_none },
    { martech_string("pp"), "track", "page_ping", martech_snowplow_ping },
    { martech_string("ue"), "track", NULL, martech_snowplow_none },
    { martech_string("se"), "track", NULL, martech_snowplow_struct },
    { martech_string("tr"), "track", "transaction", martech_snowplow_order },
    { martech_string("ti"), "track", "transaction_item",
      martech_snowplow_item },
};


static const martech_snowplow_kind_t *
martech_snowplow_kind(martech_str_t e)
{
    unsigned  i;

    for (i = 0; i < sizeof(martech_snowplow_kinds)
                    / sizeof(martech_snowplow_kinds[0]); i++)
    {
        if (e.len == 2
            && memcmp(e.data, martech_snowplow_kinds[i].e.data, 2) == 0)
        {
            return &martech_snowplow_kinds[i];
        }
    }

    return NULL;
}


martech_snowplow_rc_t
martech_snowplow_read(martech_translation_t *t, martech_snowplow_t *sp)
{
    martech_snowplow_rc_t           rc;
    const martech_snowplow_kind_t  *kind;

    sp->self = 0;
    sp->data = MARTECH_JSON_NONE;
    sp->list = MARTECH_JSON_NONE;

    /* a redirect may be all that there is */

    kind = martech_snowplow_kind(sp->flat.known[MARTECH_SP_E]);

    if (kind == NULL
        && (sp->target.len == 0 || sp->flat.known[MARTECH_SP_E].data))
    {
        return MARTECH_SP_BAD;
    }

    rc = MARTECH_SP_GOOD;

    if (kind && kind->properties == martech_snowplow_struct
        && sp->flat.known[MARTECH_SP_SE_AC].data == NULL)
    {
        return MARTECH_SP_BAD;
    }

    if (kind && kind->e.data[0] == 'u') {
        rc = martech_snowplow_read_event(t, sp);
    }

    if (rc == MARTECH_SP_GOOD) {
        rc = martech_snowplow_read_entities(t, sp);
    }

    return rc;
}


static martech_snowplow_rc_t
martech_snowplow_read_event(martech_translation_t *t, martech_snowplow_t *sp)
{
    uint32_t               inner, schema;
    martech_str_t          text;
    martech_json_tape_t   *tape;
    martech_snowplow_rc_t  rc;

    text = martech_snowplow_json(t, sp, MARTECH_SP_UE_PR, MARTECH_SP_UE_PX);
    tape = &sp->event;

    rc = martech_snowplow_scan(t, sp, tape, text, MARTECH_SP_DATA_DEPTH);

    if (rc != MARTECH_SP_GOOD) {
        return rc;
    }

    inner = martech_json_member(tape, 0, "data", 4);

    if (inner == MARTECH_JSON_NONE) {
        return MARTECH_SP_BAD;
    }

    schema = martech_json_member(tape, inner, "schema", 6);

    if (tape->nodes[schema].kind != MARTECH_JSON_STRING
        || !martech_iglu_parse(martech_flat_value(t, tape, schema),
                               &sp->schema))
    {
        return MARTECH_SP_BAD;
    }

    sp->self = 1;
    sp->data = martech_json_member(tape, inner, "data", 4);

    return MARTECH_SP_GOOD;
}


static martech_snowplow_rc_t
martech_snowplow_read_entities(martech_translation_t *t,
    martech_snowplow_t *sp)
{
    martech_str_t          text;
    martech_snowplow_rc_t  rc;

    text = martech_snowplow_json(t, sp, MARTECH_SP_CO, MARTECH_SP_CX);

    if (text.data == NULL) {
        return MARTECH_SP_GOOD;
    }

    rc = martech_snowplow_scan(t, sp, &sp->entities, text,
                               MARTECH_SP_ENTITY_DEPTH);

    if (rc != MARTECH_SP_GOOD) {
        return rc;
    }

    sp->list = martech_json_member(&sp->entities, 0, "data", 4);

    return (sp->list != MARTECH_JSON_NONE
            && sp->entities.nodes[sp->list].kind == MARTECH_JSON_ARRAY)
           ? MARTECH_SP_GOOD : MARTECH_SP_BAD;
}


/*
 * The text of one of two fields, the other one base64.  There "+" may have
 * become a blank, where a query has it as it stands.
 */

static martech_str_t
martech_snowplow_json(martech_translation_t *t, martech_snowplow_t *sp,
    unsigned plain, unsigned encoded)
{
    long            n;
    size_t          i;
    martech_str_t   text;
    unsigned char  *room;

    text = martech_flat_take(&sp->flat, plain);

    if (text.data) {
        return text;
    }

    text = martech_flat_take(&sp->flat, encoded);

    if (text.data == NULL) {
        return text;
    }

    room = martech_dialect_room(t, martech_base64_decoded(text.len));

    if (room == NULL) {
        t->out.overflow = 1;
        text.data = (const unsigned char *) "";
        text.len = 0;
        return text;
    }

    for (i = 0; i < text.len; i++) {
        room[i] = (text.data[i] == ' ') ? '+' : text.data[i];
    }

    /* what comes out is never ahead of what goes in */

    text.data = room;
    n = martech_base64_decode(text, room);
    text.len = (n < 0) ? 0 : (size_t) n;

    return text;
}


/* With the nodes that are left of the tape: what is on it is still read. */

static martech_snowplow_rc_t
martech_snowplow_scan(martech_translation_t *t, martech_snowplow_t *sp,
    martech_json_tape_t *tape, martech_str_t text, unsigned depth)
{
    martech_rc_t      rc;
    martech_limits_t  limits;

    if (text.len == 0) {
        return MARTECH_SP_BAD;
    }

    limits = *t->limits;
    limits.depth_max -= (limits.depth_max > depth) ? depth : 0;

    tape->nodes = t->tape->nodes + sp->used;
    tape->nodes_max = t->tape->nodes_max - sp->used;

    rc = martech_json_scan(tape, text.data, text.len, &limits);

    if (rc == MARTECH_JSON_TOKENS) {
        t->tokens = 1;
        t->offset = -1;
        return MARTECH_SP_TOKENS;
    }

    if (rc != MARTECH_OK) {
        return MARTECH_SP_BAD;
    }

    sp->used += tape->nodes_count;

    return MARTECH_SP_GOOD;
}


int
martech_iglu_parse(martech_str_t text, martech_iglu_t *iglu)
{
    int                   i;
    martech_str_t         parts[4];
    const unsigned char  *p, *end, *slash;

    static const martech_str_t  scheme = martech_string("iglu:");

    if (text.len <= scheme.len
        || memcmp(text.data, scheme.data, scheme.len) != 0)
    {
        return 0;
    }

    p = text.data + scheme.len;
    end = text.data + text.len;

    for (i = 0; i < 4; i++) {
        slash = memchr(p, '/', (size_t) (end - p));

        if ((slash == NULL) != (i == 3)) {
            return 0;
        }

        parts[i].data = p;
        parts[i].len = (size_t) ((slash ? slash : end) - p);

        if (parts[i].len == 0) {
            return 0;
        }

        p = slash ? slash + 1 : end;
    }

    iglu->uri = text;
    iglu->vendor = parts[0];
    iglu->name = parts[1];

    return 1;
}


void
martech_snowplow_user(const martech_request_t *request, unsigned char *out,
    martech_snowplow_user_t *user)
{
    martech_str_t  nuid;

    user->anonymous = request->header(request, "sp-anonymous", 12).data != NULL;
    user->nuid = request->visitor;

    nuid = martech_form_value(request->args, "nuid", 4);

    if (nuid.len > 0 && nuid.len <= MARTECH_ID_SIZE_MAX) {
        user->nuid = martech_form_decode(nuid, out);
    }

    if (user->anonymous) {
        user->nuid = martech_snowplow_nobody;
    }
}


void
martech_snowplow_write(martech_translation_t *t, martech_snowplow_t *sp,
    const martech_snowplow_user_t *user)
{
    martech_str_t                   nuid;
    const martech_snowplow_kind_t  *kind;

    kind = martech_snowplow_kind(martech_flat_take(&sp->flat, MARTECH_SP_E));

    martech_json_begin(&t->out, '{');

    martech_snowplow_name(t, sp, kind);
    martech_dialect_text(t, "messageId",
                         martech_flat_take(&sp->flat, MARTECH_SP_EID));

    nuid = martech_flat_take(&sp->flat, MARTECH_SP_NUID);

    if (sp->flat.known[MARTECH_SP_TNUID].data) {
        nuid = martech_flat_take(&sp->flat, MARTECH_SP_TNUID);
    }

    if (nuid.data == NULL || user->anonymous) {
        nuid = user->nuid;
    }

    martech_snowplow_ids(t, martech_flat_take(&sp->flat, MARTECH_SP_UID),
                         martech_flat_take(&sp->flat, MARTECH_SP_DUID), nuid,
                         user);

    martech_snowplow_times(t, &sp->flat);
    martech_snowplow_properties(t, sp, kind);
    martech_snowplow_context(t, sp, user, nuid);

    martech_json_end(&t->out, '}');
}


/* A screen of an app: both spellings of its schema. */

static int
martech_snowplow_is_screen(const martech_snowplow_t *sp)
{
    const martech_iglu_t  *iglu;

    static const martech_str_t  mobile =
                             martech_string("com.snowplowanalytics.mobile");
    static const martech_str_t  core =
                             martech_string("com.snowplowanalytics.snowplow");

    iglu = &sp->schema;

    return iglu->name.len == 11
           && memcmp(iglu->name.data, "screen_view", 11) == 0
           && ((iglu->vendor.len == mobile.len
                && memcmp(iglu->vendor.data, mobile.data, mobile.len) == 0)
               || (iglu->vendor.len == core.len
                   && memcmp(iglu->vendor.data, core.data, core.len) == 0));
}


static void
martech_snowplow_name(martech_translation_t *t, martech_snowplow_t *sp,
    const martech_snowplow_kind_t *kind)
{
    uint32_t       node;
    martech_str_t  text;

    martech_json_name(&t->out, "type");

    if (kind == NULL) {
        martech_json_cstring(&t->out, "track");
        martech_json_name(&t->out, "event");
        martech_json_cstring(&t->out, "uri_redirect");
        return;
    }

    if (sp->self && martech_snowplow_is_screen(sp)) {
        martech_json_cstring(&t->out, "screen");

        node = martech_json_member(&sp->event, sp->data, "name", 4);

        if (sp->data != MARTECH_JSON_NONE
            && sp->event.nodes[node].kind == MARTECH_JSON_STRING)
        {
            text = martech_json_text(&sp->event, node);
            martech_json_name(&t->out, "name");
            martech_json_raw(&t->out, text.data, text.len);
        }

        return;
    }

    martech_json_cstring(&t->out, kind->type);

    if (sp->self) {
        martech_dialect_text(t, "event", sp->schema.name);

    } else if (kind->event) {
        martech_json_name(&t->out, "event");
        martech_json_cstring(&t->out, kind->event);

    } else if (kind->properties == martech_snowplow_struct) {
        martech_dialect_text(t, "event", sp->flat.known[MARTECH_SP_SE_AC]);
    }
}


void
martech_snowplow_ids(martech_translation_t *t, martech_str_t uid,
    martech_str_t duid, martech_str_t nuid,
    const martech_snowplow_user_t *user)
{
    if (user->anonymous) {
        martech_dialect_text(t, "anonymousId", user->nuid);
        return;
    }

    if (duid.data) {
        martech_dialect_text(t, "anonymousId", duid);

    } else if (nuid.len > 0) {
        martech_dialect_text(t, "anonymousId", nuid);
    }

    martech_dialect_text(t, "userId", uid);
}


/* The true time is of a clock that needs no correction. */

static void
martech_snowplow_times(martech_translation_t *t, martech_flat_t *flat)
{
    int64_t  ms;

    ms = martech_dialect_integer(flat->known[MARTECH_SP_TTM]);

    if (ms >= 0) {
        martech_dialect_time(t, "timestamp", ms);
        (void) martech_flat_take(flat, MARTECH_SP_TTM);
        return;
    }

    ms = martech_dialect_integer(flat->known[MARTECH_SP_DTM]);

    if (ms >= 0) {
        martech_dialect_time(t, "timestamp", ms);
        (void) martech_flat_take(flat, MARTECH_SP_DTM);
    }

    ms = martech_dialect_integer(flat->known[MARTECH_SP_STM]);

    if (ms >= 0) {
        martech_dialect_time(t, "sentAt", ms);
        (void) martech_flat_take(flat, MARTECH_SP_STM);
    }
}


static void
martech_snowplow_properties(martech_translation_t *t, martech_snowplow_t *sp,
    const martech_snowplow_kind_t *kind)
{
    martech_str_t                       text;
    const martech_snowplow_property_t  *property;

    martech_json_name(&t->out, "properties");

    if (sp->self && sp->data != MARTECH_JSON_NONE
        && sp->event.nodes[sp->data].kind == MARTECH_JSON_OBJECT)
    {
        text = martech_json_text(&sp->event, sp->data);
        martech_json_raw(&t->out, text.data, text.len);
        return;
    }

    martech_json_begin(&t->out, '{');

    if (sp->self && sp->data != MARTECH_JSON_NONE) {
        text = martech_json_text(&sp->event, sp->data);
        martech_json_name(&t->out, "data");
        martech_json_raw(&t->out, text.data, text.len);
    }

    if (kind == NULL) {

        /* the redirect is the event, and need not be its entity, too */

        martech_dialect_text(t, "uri", sp->target);
        sp->target.len = 0;

    } else if (kind->e.data[0] == 'p' && kind->e.data[1] == 'v') {
        martech_flat_page(t, sp->flat.known[MARTECH_SP_URL],
                          sp->flat.known[MARTECH_SP_REFR],
                          sp->flat.known[MARTECH_SP_PAGE]);
    }

    property = kind ? kind->properties : martech_snowplow_none;

    for ( /* void */ ; property->name; property++) {
        text = martech_flat_take(&sp->flat, property->field);

        if (property->number) {
            martech_dialect_number(t, property->name, text);

        } else {
            martech_dialect_text(t, property->name, text);
        }
    }

    martech_json_end(&t->out, '}');
}


static void
martech_snowplow_context(martech_translation_t *t, martech_snowplow_t *sp,
    const martech_snowplow_user_t *user, martech_str_t nuid)
{
    martech_str_t    url, refr, page, ip;
    martech_flat_t  *flat;

    flat = &sp->flat;

    martech_json_name(&t->out, "context");
    martech_json_begin(&t->out, '{');

    if (flat->known[MARTECH_SP_AID].data) {
        martech_json_name(&t->out, "app");
        martech_json_begin(&t->out, '{');
        martech_dialect_text(t, "id", martech_flat_take(flat,
                                                        MARTECH_SP_AID));
        martech_json_end(&t->out, '}');
    }

    url = martech_flat_take(flat, MARTECH_SP_URL);
    refr = martech_flat_take(flat, MARTECH_SP_REFR);
    page = martech_flat_take(flat, MARTECH_SP_PAGE);

    if (url.data || refr.data || page.data) {
        martech_json_name(&t->out, "page");
        martech_json_begin(&t->out, '{');
        martech_flat_page(t, url, refr, page);
        martech_json_end(&t->out, '}');
    }

    if (martech_dialect_screen(t, flat->known[MARTECH_SP_RES])) {
        (void) martech_flat_take(flat, MARTECH_SP_RES);
    }

    martech_dialect_text(t, "locale", martech_flat_take(flat,
                                                        MARTECH_SP_LANG));
    martech_dialect_text(t, "timezone", martech_flat_take(flat,
                                                          MARTECH_SP_TZ));
    martech_dialect_text(t, "userAgent", martech_flat_take(flat,
                                                           MARTECH_SP_UA));

    ip = martech_flat_take(flat, MARTECH_SP_IP);

    if (user->anonymous) {

        /* keeps the address of the request away, too */

        martech_json_name(&t->out, "ip");
        martech_json_raw(&t->out, "null", 4);

    } else {
        martech_dialect_text(t, "ip", ip);
    }

    martech_snowplow_library(t, martech_flat_take(flat, MARTECH_SP_TV));
    martech_snowplow_session(t, flat);
    martech_snowplow_entities(t, sp);

    /* not of the event */

    (void) martech_flat_take(flat, MARTECH_SP_N3PC);
    (void) martech_flat_take(flat, MARTECH_SP_WRITE_KEY);

    if (sp->self || nuid.len > 0 || martech_flat_any(flat)) {
        martech_json_name(&t->out, "snowplow");
        martech_json_begin(&t->out, '{');

        if (sp->self) {
            martech_dialect_text(t, "schema", sp->schema.uri);
        }

        if (nuid.len > 0) {
            martech_dialect_text(t, "nuid", nuid);
        }

        martech_flat_rest(t, flat);
        martech_json_end(&t->out, '}');
    }

    martech_json_end(&t->out, '}');
}


/* "js-4.10.1": the version begins with the first digit behind a "-". */

static void
martech_snowplow_library(martech_translation_t *t, martech_str_t tv)
{
    size_t         i;
    martech_str_t  version = { 0, NULL };

    if (tv.data == NULL) {
        return;
    }

    for (i = 1; i + 1 < tv.len; i++) {

        if (tv.data[i] == '-' && tv.data[i + 1] >= '0'
            && tv.data[i + 1] <= '9')
        {
            version.data = tv.data + i + 1;
            version.len = tv.len - i - 1;
            tv.len = i;
        }
    }

    martech_json_name(&t->out, "library");
    martech_json_begin(&t->out, '{');
    martech_dialect_text(t, "name", tv);
    martech_dialect_text(t, "version", version);
    martech_json_end(&t->out, '}');
}


static void
martech_snowplow_session(martech_translation_t *t, martech_flat_t *flat)
{
    if (flat->known[MARTECH_SP_SID].data == NULL
        && flat->known[MARTECH_SP_VID].data == NULL)
    {
        return;
    }

    martech_json_name(&t->out, "session");
    martech_json_begin(&t->out, '{');
    martech_dialect_text(t, "id", martech_flat_take(flat, MARTECH_SP_SID));
    martech_dialect_number(t, "number", martech_flat_take(flat,
                                                          MARTECH_SP_VID));
    martech_json_end(&t->out, '}');
}


/* Those of the event, and the redirect it came with. */

static void
martech_snowplow_entities(martech_translation_t *t,
    const martech_snowplow_t *sp)
{
    uint32_t                    i;
    martech_str_t               text;
    const martech_json_node_t  *nodes;

    if (sp->list == MARTECH_JSON_NONE && sp->target.len == 0) {
        return;
    }

    martech_json_name(&t->out, "entities");
    martech_json_begin(&t->out, '[');

    if (sp->list != MARTECH_JSON_NONE) {
        nodes = sp->entities.nodes;

        for (i = sp->list + 1; i < nodes[sp->list].next; i = nodes[i].next) {
            text = martech_json_text(&sp->entities, i);
            martech_json_raw(&t->out, text.data, text.len);
        }
    }

    if (sp->target.len > 0) {
        martech_json_begin(&t->out, '{');
        martech_json_name(&t->out, "schema");
        martech_json_cstring(&t->out,
                             "iglu:com.snowplowanalytics.snowplow/"
                             "uri_redirect/jsonschema/1-0-0");
        martech_json_name(&t->out, "data");
        martech_json_begin(&t->out, '{');
        martech_dialect_text(t, "uri", sp->target);
        martech_json_end(&t->out, '}');
        martech_json_end(&t->out, '}');
    }

    martech_json_end(&t->out, ']');
}
