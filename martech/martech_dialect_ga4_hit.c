
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Hits of gtag.  A hit is a query string; several are a query with what they
 * have in common and a body with a line for each.  Parameters with a dot are
 * of the event ("ep.", "epn.") or of the user ("up.", "upn."), others of the
 * protocol.
 */


#include <string.h>

#include "martech_dialect_ga4.h"
#include "martech_dialect_map.h"
#include "martech_form.h"


/* Of the protocol, by length; MARTECH_GA4_n is the first of n characters. */

enum {
    MARTECH_GA4_1 = 0,
    MARTECH_GA4_V = MARTECH_GA4_1,

    MARTECH_GA4_2,
    MARTECH_GA4_EN = MARTECH_GA4_2,
    MARTECH_GA4_DL,
    MARTECH_GA4_DR,
    MARTECH_GA4_DT,
    MARTECH_GA4_UL,
    MARTECH_GA4_SR,
    MARTECH_GA4_CU,
    MARTECH_GA4_P,
    MARTECH_GA4_S,
    MARTECH_GA4_Z,

    MARTECH_GA4_3,
    MARTECH_GA4_TID = MARTECH_GA4_3,
    MARTECH_GA4_CID,
    MARTECH_GA4_UID,
    MARTECH_GA4_SID,
    MARTECH_GA4_SCT,
    MARTECH_GA4_SEG,
    MARTECH_GA4_ET,
    MARTECH_GA4_GTM,
    MARTECH_GA4_TFD,
    MARTECH_GA4_FRM,
    MARTECH_GA4_ARE,
    MARTECH_GA4_UAA,
    MARTECH_GA4_UAB,
    MARTECH_GA4_UAM,
    MARTECH_GA4_UAP,
    MARTECH_GA4_UAW,

    MARTECH_GA4_4,
    MARTECH_GA4_UAMB = MARTECH_GA4_4,
    MARTECH_GA4_UAPV,

    MARTECH_GA4_5,
    MARTECH_GA4_UAFVL = MARTECH_GA4_5,
    MARTECH_GA4_PSCDL,

    MARTECH_GA4_6,
    MARTECH_GA4_7 = MARTECH_GA4_6,
    MARTECH_GA4_TAG_EXP = MARTECH_GA4_7,

    MARTECH_GA4_8,
    MARTECH_GA4_WRITE_KEY = MARTECH_GA4_8,

    MARTECH_GA4_COUNT
};


/* Where one of the other parameters belongs. */
typedef enum {
    MARTECH_GA4_OTHER = 0,
    MARTECH_GA4_EP,
    MARTECH_GA4_EPN,
    MARTECH_GA4_UP,
    MARTECH_GA4_UPN,
    MARTECH_GA4_PRODUCT
} martech_ga4_kind_t;


/* What a translation needs, apart from the stack of a hit. */
typedef struct {
    martech_flat_t   base;               /* of the query */
    martech_flat_t   line;               /* of the body, and the query */
    martech_flat_t  *hit;                /* being written: one of them */
    martech_names_t  written;            /* in the object being written */
} martech_ga4_work_t;


static martech_rc_t martech_ga4_lines(martech_translation_t *t,
    martech_ga4_work_t *work);
static int martech_ga4_line(martech_str_t *rest, martech_str_t *line);
static void martech_ga4_hit(martech_translation_t *t,
    martech_ga4_work_t *work);
static martech_str_t martech_ga4_screen(const martech_flat_t *hit);
static martech_ga4_kind_t martech_ga4_kind(martech_str_t *name);
static int martech_ga4_has(const martech_flat_t *flat,
    martech_ga4_kind_t kind);
static void martech_ga4_properties(martech_translation_t *t,
    martech_ga4_work_t *work, int kind);
static void martech_ga4_named(martech_translation_t *t,
    martech_ga4_work_t *work, martech_ga4_kind_t text,
    martech_ga4_kind_t number);
static void martech_ga4_reserve(martech_names_t *set, const char *name,
    int used);
static void martech_ga4_context(martech_translation_t *t,
    martech_ga4_work_t *work);
static void martech_ga4_agent(martech_translation_t *t,
    martech_flat_t *flat);
static void martech_ga4_agent_flag(martech_translation_t *t, const char *name,
    martech_str_t value);
static void martech_ga4_agent_versions(martech_translation_t *t,
    martech_str_t list);
static void martech_ga4_session(martech_translation_t *t,
    martech_flat_t *flat);
static void martech_ga4_rest(martech_translation_t *t, martech_flat_t *flat);


static const martech_str_t  martech_ga4_names[MARTECH_GA4_COUNT] = {
    [MARTECH_GA4_V] = martech_string("v"),

    [MARTECH_GA4_EN] = martech_string("en"),
    [MARTECH_GA4_DL] = martech_string("dl"),
    [MARTECH_GA4_DR] = martech_string("dr"),
    [MARTECH_GA4_DT] = martech_string("dt"),
    [MARTECH_GA4_UL] = martech_string("ul"),
    [MARTECH_GA4_SR] = martech_string("sr"),
    [MARTECH_GA4_CU] = martech_string("cu"),
    [MARTECH_GA4_P] = martech_string("_p"),
    [MARTECH_GA4_S] = martech_string("_s"),
    [MARTECH_GA4_Z] = martech_string("_z"),

    [MARTECH_GA4_TID] = martech_string("tid"),
    [MARTECH_GA4_CID] = martech_string("cid"),
    [MARTECH_GA4_UID] = martech_string("uid"),
    [MARTECH_GA4_SID] = martech_string("sid"),
    [MARTECH_GA4_SCT] = martech_string("sct"),
    [MARTECH_GA4_SEG] = martech_string("seg"),
    [MARTECH_GA4_ET] = martech_string("_et"),
    [MARTECH_GA4_GTM] = martech_string("gtm"),
    [MARTECH_GA4_TFD] = martech_string("tfd"),
    [MARTECH_GA4_FRM] = martech_string("frm"),
    [MARTECH_GA4_ARE] = martech_string("are"),
    [MARTECH_GA4_UAA] = martech_string("uaa"),
    [MARTECH_GA4_UAB] = martech_string("uab"),
    [MARTECH_GA4_UAM] = martech_string("uam"),
    [MARTECH_GA4_UAP] = martech_string("uap"),
    [MARTECH_GA4_UAW] = martech_string("uaw"),

    [MARTECH_GA4_UAMB] = martech_string("uamb"),
    [MARTECH_GA4_UAPV] = martech_string("uapv"),

    [MARTECH_GA4_UAFVL] = martech_string("uafvl"),
    [MARTECH_GA4_PSCDL] = martech_string("pscdl"),

    [MARTECH_GA4_TAG_EXP] = martech_string("tag_exp"),

    [MARTECH_GA4_WRITE_KEY] = martech_string("writeKey"),
};

static const uint8_t  martech_ga4_from[] = {
    MARTECH_GA4_1, MARTECH_GA4_1, MARTECH_GA4_2, MARTECH_GA4_3, MARTECH_GA4_4,
    MARTECH_GA4_5, MARTECH_GA4_6, MARTECH_GA4_7, MARTECH_GA4_8,
    MARTECH_GA4_COUNT
};

static const martech_flat_table_t  martech_ga4_table = {
    martech_ga4_names, MARTECH_GA4_COUNT, martech_ga4_from, 8
};


/* Say nothing of the event: versions, counters, experiments of the tag. */

static const uint8_t  martech_ga4_plumbing[] = {
    MARTECH_GA4_V, MARTECH_GA4_P, MARTECH_GA4_S, MARTECH_GA4_Z,
    MARTECH_GA4_TID, MARTECH_GA4_GTM, MARTECH_GA4_TFD, MARTECH_GA4_FRM,
    MARTECH_GA4_ARE, MARTECH_GA4_PSCDL, MARTECH_GA4_TAG_EXP,
    MARTECH_GA4_WRITE_KEY
};


martech_rc_t
martech_ga4_collect(martech_translation_t *t)
{
    int                 good;
    martech_rc_t        rc;
    martech_ga4_work_t  work;

    work.written.count = MARTECH_NAMES_MAX;
    martech_names_clear(&work.written);

    martech_flat_init(&work.base, &martech_ga4_table);

    good = martech_flat_form(t, &work.base, t->request->args);

    martech_dialect_begin(t, work.base.known[MARTECH_GA4_TID], -1);

    rc = MARTECH_OK;

    if (good) {
        rc = martech_ga4_lines(t, &work);

    } else {
        martech_json_raw(&t->out, "null", 4);
    }

    martech_dialect_end(t);

    return rc;
}


static martech_rc_t
martech_ga4_lines(martech_translation_t *t, martech_ga4_work_t *work)
{
    size_t         mark;
    uint32_t       count;
    martech_str_t  rest, line;

    count = 0;
    mark = t->scratch_used;
    rest = t->request->body;

    if (rest.len > 0) {
        martech_flat_init(&work->line, &martech_ga4_table);
    }

    work->hit = &work->line;

    while (martech_ga4_line(&rest, &line) && !t->out.overflow) {

        if (++count > t->limits->batch_count_max) {
            t->field = "";
            return MARTECH_BATCH_COUNT;
        }

        t->scratch_used = mark;
        martech_flat_clear(&work->line);

        if (martech_flat_form(t, &work->line, line)
            && martech_flat_merge(&work->line, &work->base))
        {
            martech_ga4_hit(t, work);

        } else {
            martech_json_raw(&t->out, "null", 4);
        }
    }

    if (count == 0) {
        work->hit = &work->base;
        martech_ga4_hit(t, work);
    }

    return MARTECH_OK;
}


/* The next line that is not empty. */

static int
martech_ga4_line(martech_str_t *rest, martech_str_t *line)
{
    const unsigned char  *p;

    while (rest->len > 0) {
        p = memchr(rest->data, '\n', rest->len);

        line->data = rest->data;
        line->len = p ? (size_t) (p - rest->data) : rest->len;

        rest->data += p ? line->len + 1 : line->len;
        rest->len -= p ? line->len + 1 : line->len;

        if (line->len > 0 && line->data[line->len - 1] == '\r') {
            line->len--;
        }

        if (line->len > 0) {
            return 1;
        }
    }

    return 0;
}


static void
martech_ga4_hit(martech_translation_t *t, martech_ga4_work_t *work)
{
    int              kind;
    unsigned         i;
    martech_str_t    name;
    martech_flat_t  *hit;

    hit = work->hit;
    name = martech_flat_take(hit, MARTECH_GA4_EN);

    if (name.data == NULL || hit->known[MARTECH_GA4_V].len != 1
        || hit->known[MARTECH_GA4_V].data[0] != '2')
    {
        martech_json_raw(&t->out, "null", 4);
        return;
    }

    for (i = 0; i < sizeof(martech_ga4_plumbing); i++) {
        (void) martech_flat_take(hit, martech_ga4_plumbing[i]);
    }

    martech_json_begin(&t->out, '{');

    kind = martech_ga4_name(t, name);

    if (kind == MARTECH_GA4_SCREEN) {
        martech_dialect_text(t, "name", martech_ga4_screen(hit));
    }

    martech_dialect_text(t, "anonymousId", martech_flat_take(hit,
                                                         MARTECH_GA4_CID));
    martech_dialect_text(t, "userId", martech_flat_take(hit,
                                                        MARTECH_GA4_UID));

    martech_ga4_properties(t, work, kind);
    martech_ga4_context(t, work);

    martech_json_end(&t->out, '}');
}


/* The name of a screen, which stays a property, too. */

static martech_str_t
martech_ga4_screen(const martech_flat_t *hit)
{
    unsigned       i;
    martech_str_t  none = { 0, NULL };

    static const martech_str_t  name = martech_string("ep.screen_name");

    for (i = 0; i < hit->names.count; i++) {

        if (hit->names.names[i].len == name.len
            && memcmp(hit->names.names[i].data, name.data, name.len) == 0)
        {
            return hit->values[i];
        }
    }

    return none;
}


/* The kind of a name; what is in front of the event's own is cut off. */

static martech_ga4_kind_t
martech_ga4_kind(martech_str_t *name)
{
    size_t              len;
    martech_ga4_kind_t  kind;

    if (martech_ga4_is_product(*name)) {
        return MARTECH_GA4_PRODUCT;
    }

    if (name->len < 4 || name->data[1] != 'p'
        || (name->data[0] != 'e' && name->data[0] != 'u'))
    {
        return MARTECH_GA4_OTHER;
    }

    kind = (name->data[0] == 'e') ? MARTECH_GA4_EP : MARTECH_GA4_UP;
    len = 2;

    if (name->data[2] == 'n') {
        kind++;
        len = 3;
    }

    if (name->data[len] != '.' || name->len == len + 1) {
        return MARTECH_GA4_OTHER;
    }

    name->data += len + 1;
    name->len -= len + 1;

    return kind;
}


/* 1 if there is a parameter of a kind. */

static int
martech_ga4_has(const martech_flat_t *flat, martech_ga4_kind_t kind)
{
    unsigned       i;
    martech_str_t  name;

    for (i = 0; i < flat->names.count; i++) {
        name = flat->names.names[i];

        if (martech_ga4_kind(&name) == kind) {
            return 1;
        }
    }

    return 0;
}


/* Adds a name that is written by us, if it is used. */

static void
martech_ga4_reserve(martech_names_t *set, const char *name, int used)
{
    martech_str_t  text;

    if (used) {
        text.data = (const unsigned char *) name;
        text.len = strlen(name);

        (void) martech_names_add(set, text);
    }
}


static void
martech_ga4_properties(martech_translation_t *t, martech_ga4_work_t *work,
    int kind)
{
    martech_str_t     dl, dr, dt, cu, et;
    martech_flat_t   *hit;
    martech_names_t  *set;

    hit = work->hit;
    set = &work->written;

    cu = martech_flat_take(hit, MARTECH_GA4_CU);
    et = martech_flat_take(hit, MARTECH_GA4_ET);

    martech_names_clear(set);
    martech_ga4_reserve(set, "currency", cu.data != NULL);
    martech_ga4_reserve(set, "engagement_time_msec", et.data != NULL);
    martech_ga4_reserve(set, "products",
                        martech_ga4_has(hit, MARTECH_GA4_PRODUCT));

    martech_json_name(&t->out, "properties");
    martech_json_begin(&t->out, '{');

    if (kind == MARTECH_GA4_PAGE) {
        dl = hit->known[MARTECH_GA4_DL];
        dr = hit->known[MARTECH_GA4_DR];
        dt = hit->known[MARTECH_GA4_DT];

        martech_ga4_reserve(set, "url", dl.data != NULL);
        martech_ga4_reserve(set, "path", dl.data != NULL);
        martech_ga4_reserve(set, "search", dl.data != NULL);
        martech_ga4_reserve(set, "referrer", dr.data != NULL);
        martech_ga4_reserve(set, "title", dt.data != NULL);

        martech_flat_page(t, dl, dr, dt);
    }

    martech_dialect_text(t, "currency", cu);
    martech_dialect_number(t, "engagement_time_msec", et);

    martech_ga4_named(t, work, MARTECH_GA4_EP, MARTECH_GA4_EPN);

    if (martech_ga4_has(hit, MARTECH_GA4_PRODUCT)) {
        martech_ga4_products(t, hit);
    }

    martech_json_end(&t->out, '}');
}


/* Parameters of two kinds in one object; of one name the first is written. */

static void
martech_ga4_named(martech_translation_t *t, martech_ga4_work_t *work,
    martech_ga4_kind_t text, martech_ga4_kind_t number)
{
    unsigned             i;
    martech_str_t        name, value;
    martech_ga4_kind_t   kind;

    for (i = 0; i < work->hit->names.count; i++) {
        name = work->hit->names.names[i];
        value = work->hit->values[i];
        kind = martech_ga4_kind(&name);

        if ((kind != text && kind != number)
            || !martech_names_add(&work->written, name))
        {
            continue;
        }

        martech_dialect_name(t, name);

        if (kind == number && martech_dialect_is_number(value)) {
            martech_json_raw(&t->out, value.data, value.len);

        } else {
            martech_json_string(&t->out, value.data, value.len);
        }
    }
}


static void
martech_ga4_context(martech_translation_t *t, martech_ga4_work_t *work)
{
    martech_str_t    dl, dr, dt;
    martech_flat_t  *hit;

    hit = work->hit;

    dl = martech_flat_take(hit, MARTECH_GA4_DL);
    dr = martech_flat_take(hit, MARTECH_GA4_DR);
    dt = martech_flat_take(hit, MARTECH_GA4_DT);

    martech_json_name(&t->out, "context");
    martech_json_begin(&t->out, '{');

    if (dl.data || dr.data || dt.data) {
        martech_json_name(&t->out, "page");
        martech_json_begin(&t->out, '{');
        martech_flat_page(t, dl, dr, dt);
        martech_json_end(&t->out, '}');
    }

    if (martech_dialect_screen(t, hit->known[MARTECH_GA4_SR])) {
        (void) martech_flat_take(hit, MARTECH_GA4_SR);
    }

    martech_dialect_text(t, "locale", martech_flat_take(hit, MARTECH_GA4_UL));
    martech_ga4_agent(t, hit);
    martech_ga4_session(t, hit);

    if (martech_ga4_has(hit, MARTECH_GA4_UP)
        || martech_ga4_has(hit, MARTECH_GA4_UPN))
    {
        martech_names_clear(&work->written);
        martech_json_name(&t->out, "traits");
        martech_json_begin(&t->out, '{');
        martech_ga4_named(t, work, MARTECH_GA4_UP, MARTECH_GA4_UPN);
        martech_json_end(&t->out, '}');
    }

    martech_ga4_rest(t, hit);

    martech_json_end(&t->out, '}');
}


/* Client hints, under the names that Segment has for them. */

static void
martech_ga4_agent(martech_translation_t *t, martech_flat_t *flat)
{
    unsigned  i, any;

    static const struct {
        unsigned     field;
        const char  *name;
    } hints[] = {
        { MARTECH_GA4_UAA, "architecture" },
        { MARTECH_GA4_UAB, "bitness" },
        { MARTECH_GA4_UAM, "model" },
        { MARTECH_GA4_UAP, "platform" },
        { MARTECH_GA4_UAPV, "platformVersion" },
    };

    any = flat->known[MARTECH_GA4_UAMB].data
          || flat->known[MARTECH_GA4_UAW].data
          || flat->known[MARTECH_GA4_UAFVL].data;

    for (i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
        any |= flat->known[hints[i].field].data != NULL;
    }

    if (!any) {
        return;
    }

    martech_json_name(&t->out, "userAgentData");
    martech_json_begin(&t->out, '{');

    for (i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
        martech_dialect_text(t, hints[i].name,
                             martech_flat_take(flat, hints[i].field));
    }

    martech_ga4_agent_flag(t, "mobile", martech_flat_take(flat,
                                                          MARTECH_GA4_UAMB));
    martech_ga4_agent_flag(t, "wow64", martech_flat_take(flat,
                                                         MARTECH_GA4_UAW));
    martech_ga4_agent_versions(t, martech_flat_take(flat,
                                                    MARTECH_GA4_UAFVL));

    martech_json_end(&t->out, '}');
}


static void
martech_ga4_agent_flag(martech_translation_t *t, const char *name,
    martech_str_t value)
{
    if (value.len == 1 && (value.data[0] == '0' || value.data[0] == '1')) {
        martech_json_name(&t->out, name);
        martech_json_bool(&t->out, value.data[0] == '1');

    } else {
        martech_dialect_text(t, name, value);
    }
}


/* "Brand;version|Brand;version", each part encoded once more. */

static void
martech_ga4_agent_versions(martech_translation_t *t, martech_str_t list)
{
    martech_str_t         brand, version;
    const unsigned char  *p, *end, *bar, *semicolon;

    if (list.data == NULL) {
        return;
    }

    martech_json_name(&t->out, "fullVersionList");
    martech_json_begin(&t->out, '[');

    end = list.data + list.len;

    for (p = list.data; p < end; p = bar + 1) {
        bar = memchr(p, '|', (size_t) (end - p));
        bar = bar ? bar : end;
        semicolon = memchr(p, ';', (size_t) (bar - p));

        if (bar == p) {
            continue;
        }

        brand.data = p;
        brand.len = (size_t) ((semicolon ? semicolon : bar) - p);
        version.data = semicolon ? semicolon + 1 : NULL;
        version.len = semicolon ? (size_t) (bar - semicolon - 1) : 0;

        martech_json_begin(&t->out, '{');
        martech_dialect_form(t, "brand", brand);
        martech_dialect_form(t, "version", version);
        martech_json_end(&t->out, '}');
    }

    martech_json_end(&t->out, ']');
}


static void
martech_ga4_session(martech_translation_t *t, martech_flat_t *flat)
{
    if (flat->known[MARTECH_GA4_SID].data == NULL
        && flat->known[MARTECH_GA4_SCT].data == NULL
        && flat->known[MARTECH_GA4_SEG].data == NULL)
    {
        return;
    }

    martech_json_name(&t->out, "session");
    martech_json_begin(&t->out, '{');
    martech_dialect_text(t, "id", martech_flat_take(flat, MARTECH_GA4_SID));
    martech_dialect_number(t, "number", martech_flat_take(flat,
                                                          MARTECH_GA4_SCT));
    martech_ga4_agent_flag(t, "engaged", martech_flat_take(flat,
                                                           MARTECH_GA4_SEG));
    martech_json_end(&t->out, '}');
}


/* What has no other place, under the names of the wire. */

static void
martech_ga4_rest(martech_translation_t *t, martech_flat_t *flat)
{
    unsigned       i, any;
    martech_str_t  name;

    any = martech_ga4_has(flat, MARTECH_GA4_OTHER);

    for (i = 0; i < MARTECH_GA4_COUNT; i++) {
        any |= flat->known[i].data != NULL;
    }

    if (!any) {
        return;
    }

    martech_json_name(&t->out, "ga4");
    martech_json_begin(&t->out, '{');

    for (i = 0; i < MARTECH_GA4_COUNT; i++) {
        martech_dialect_text(t, (const char *) martech_ga4_names[i].data,
                             flat->known[i]);
    }

    for (i = 0; i < flat->names.count; i++) {
        name = flat->names.names[i];

        if (martech_ga4_kind(&name) == MARTECH_GA4_OTHER) {
            martech_dialect_name(t, name);
            martech_json_string(&t->out, flat->values[i].data,
                                flat->values[i].len);
        }
    }

    martech_json_end(&t->out, '}');
}
