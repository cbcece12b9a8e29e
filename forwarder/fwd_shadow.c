
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Destinations that do not send: for a dry run, and to see how a new map
 * differs from the one of another destination.
 *
 * Both maps run over an event at one time of the clock, so a difference is
 * one of the maps.  Only the places of differences are told, never a value.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jv.h>

#include "fwd_dest.h"
#include "fwd_identity.h"
#include "fwd_shard.h"
#include "fwd_watch.h"


#define FWD_SHADOW_LOG_MS     1000
#define FWD_SHADOW_PATHS      20         /* in one line of the log */
#define FWD_SHADOW_PATH_MAX   128        /* bytes of a path */
#define FWD_SHADOW_TEXT_MAX   (64 * 1024 * 1024)


struct fwd_shadow_s {
    const fwd_dest_conf_t  *other;
    fwd_map_t            *map;           /* of the other; NULL: none */
    fwd_buf_t             texts[2];      /* arrays of records, JSON */
    fwd_log_limit_t       limit;
};


/* Where two values differ. */
typedef struct {
    uint32_t              count;
    size_t                len;           /* of the path being followed */
    char                  path[FWD_SHADOW_PATH_MAX];
    char                  texts[FWD_SHADOW_PATHS][FWD_SHADOW_PATH_MAX];
} fwd_shadow_diff_t;


static void fwd_shadow_log(const fwd_dest_t *dest, const fwd_batch_t *batch,
    size_t bytes);
static void fwd_shadow_compare(fwd_dest_t *dest, const fwd_item_t *item);
static fwd_rc_t fwd_shadow_map(fwd_map_t *map, const fwd_event_t *ev,
    uint64_t now_ms, fwd_buf_t *text);
static fwd_rc_t fwd_shadow_record(void *data, const fwd_record_t *record);
static void fwd_shadow_differ(fwd_dest_t *dest, const fwd_item_t *item);
static void fwd_shadow_value(fwd_shadow_diff_t *diff, jv a, jv b);
static void fwd_shadow_array(fwd_shadow_diff_t *diff, jv a, jv b);
static void fwd_shadow_object(fwd_shadow_diff_t *diff, jv a, jv b);
static size_t fwd_shadow_push(fwd_shadow_diff_t *diff, const char *name);
static void fwd_shadow_pop(fwd_shadow_diff_t *diff, size_t len);
static void fwd_shadow_found(fwd_shadow_diff_t *diff);


fwd_rc_t
fwd_shadow_create(fwd_dest_t *dest, fwd_error_t *err)
{
    size_t               i;
    const char          *name;
    fwd_report_t         report;
    fwd_shadow_t        *shadow;
    const fwd_config_t  *conf;

    if (dest->conf->policy.mode != FWD_MODE_SHADOW) {
        return FWD_OK;
    }

    conf = dest->engine->conf;
    name = dest->conf->policy.shadow_of;

    shadow = calloc(1, sizeof(fwd_shadow_t));
    if (shadow == NULL) {
        return fwd_error(err, "out of memory");
    }

    dest->shadow = shadow;

    for (i = 0; i < 2; i++) {
        fwd_buf_init(&shadow->texts[i], FWD_SHADOW_TEXT_MAX);
    }

    for (i = 0; name != NULL && i < conf->dests_count; i++) {

        if (strcmp(conf->dests[i].name, name) == 0
            && &conf->dests[i] != dest->conf)
        {
            shadow->other = &conf->dests[i];
        }
    }

    if (shadow->other == NULL) {
        return fwd_error(err, "destination \"%s\" is the shadow of \"%s\", "
                         "which is no other destination", dest->conf->name,
                         name ? name : "");
    }

    if (shadow->other->desc->map == NULL) {
        return FWD_OK;
    }

    memset(&report, 0, sizeof(fwd_report_t));
    report.pool = (fwd_pool_t *) &conf->pool;

    if (fwd_map_create(&shadow->map, shadow->other, &report) != FWD_OK) {
        return fwd_error(err, "%s", report.texts[0]);
    }

    return FWD_OK;
}


void
fwd_shadow_destroy(fwd_dest_t *dest)
{
    if (dest->shadow == NULL) {
        return;
    }

    fwd_map_destroy(dest->shadow->map);
    fwd_buf_free(&dest->shadow->texts[0]);
    fwd_buf_free(&dest->shadow->texts[1]);
    free(dest->shadow);
    dest->shadow = NULL;
}


void
fwd_shadow_end(fwd_dest_t *dest, fwd_batch_t *batch)
{
    size_t       bytes;
    uint32_t     i;
    fwd_item_t  *item;

    bytes = batch->bytes;

    /* separators: brackets and commas, or line ends */

    if (dest->conf->http.framing == FWD_FRAMING_ARRAY) {
        bytes += batch->records_count + 1;

    } else if (dest->conf->http.framing == FWD_FRAMING_NDJSON) {
        bytes += batch->records_count;
    }

    for (i = 0; i < batch->items_count; i++) {
        item = batch->items[i];

        if (dest->shadow != NULL) {
            fwd_shadow_compare(dest, item);
        }

        item->end = FWD_END_DRY;
        fwd_queue_finish(item, FWD_FINISH_DONE);
    }

    fwd_shadow_log(dest, batch, bytes);
    fwd_batch_free(batch);
}


static void
fwd_shadow_log(const fwd_dest_t *dest, const fwd_batch_t *batch, size_t bytes)
{
    fwd_log_t  *log;

    log = batch->core->log;

    if (dest->shadow == NULL) {
        fwd_log(log, FWD_LOG_INFO, "not sent",
                fwd_kv_text("destination", dest->conf->name),
                fwd_kv_text("mode", "dry_run"),
                fwd_kv_int("count", batch->items_count),
                fwd_kv_int("records", batch->records_count),
                fwd_kv_int("bytes", bytes));
        return;
    }

    fwd_log(log, FWD_LOG_INFO, "not sent",
            fwd_kv_text("destination", dest->conf->name),
            fwd_kv_text("mode", "shadow"),
            fwd_kv_int("count", batch->items_count),
            fwd_kv_int("records", batch->records_count),
            fwd_kv_int("bytes", bytes),
            fwd_kv_int("equal", dest->stats->shadow_equal),
            fwd_kv_int("different", dest->stats->shadow_different));
}


void
fwd_shadow_dropped(fwd_dest_t *dest, const fwd_item_t *item)
{
    if (dest->shadow != NULL) {
        fwd_shadow_compare(dest, item);
    }
}


static void
fwd_shadow_compare(fwd_dest_t *dest, const fwd_item_t *item)
{
    uint64_t       now;
    fwd_rc_t       rc[2];
    fwd_buf_t     *texts;
    fwd_shadow_t  *shadow;

    shadow = dest->shadow;
    texts = shadow->texts;
    now = fwd_wall_ms();

    fwd_watch_enter(dest->engine->stats, FWD_PROGRAM_MAP, dest->index,
                    item->queue ? item->queue->shard->index : 0,
                    item->event->id, item->event->message_id);

    rc[0] = fwd_shadow_map(dest->map, item->event, now, &texts[0]);
    rc[1] = fwd_shadow_map(shadow->map, item->event, now, &texts[1]);

    fwd_watch_leave(dest->engine->stats);

    if (rc[0] == rc[1] && texts[0].len == texts[1].len
        && memcmp(texts[0].data, texts[1].data, texts[0].len) == 0)
    {
        dest->stats->shadow_equal++;
        return;
    }

    fwd_shadow_differ(dest, item);
}


/* An array of all records; of a map that failed an empty text. */

static fwd_rc_t
fwd_shadow_map(fwd_map_t *map, const fwd_event_t *ev, uint64_t now_ms,
    fwd_buf_t *text)
{
    char         person[FWD_PERSON_TEXT];
    fwd_rc_t     rc;
    fwd_error_t  err;

    fwd_buf_reset(text);
    fwd_buf_add(text, "[", 1);

    if (map == NULL) {
        fwd_buf_add(text, ev->text.data, ev->text.len);
        rc = FWD_OK;

    } else {
        rc = fwd_map_run(map, ev->text, fwd_identity_text(person, ev), now_ms,
                         fwd_shadow_record, text, &err);
    }

    fwd_buf_add(text, "]", 1);

    if (rc != FWD_OK || text->failed) {
        fwd_buf_reset(text);
        return FWD_ERROR;
    }

    return FWD_OK;
}


static fwd_rc_t
fwd_shadow_record(void *data, const fwd_record_t *record)
{
    fwd_buf_t  *to = data;

    if (to->len > 1) {
        fwd_buf_add(to, ",", 1);
    }

    fwd_buf_add(to, record->text.data, record->text.len);

    return to->failed ? FWD_ERROR : FWD_OK;
}


/* Texts that differ may still be equal values. */

static void
fwd_shadow_differ(fwd_dest_t *dest, const fwd_item_t *item)
{
    jv                  values[2];
    uint32_t            i, suppressed;
    fwd_shadow_t       *shadow;
    martech_str_t       paths[FWD_SHADOW_PATHS];
    fwd_shadow_diff_t   diff;

    shadow = dest->shadow;

    for (i = 0; i < 2; i++) {
        values[i] = shadow->texts[i].len
                    ? jv_parse_sized((const char *) shadow->texts[i].data,
                                     (int) shadow->texts[i].len)
                    : jv_null();
    }

    diff.count = 0;
    diff.len = 0;
    fwd_shadow_value(&diff, values[0], values[1]);

    if (diff.count == 0) {
        dest->stats->shadow_equal++;
        return;
    }

    dest->stats->shadow_different++;

    if (!fwd_log_pass(&shadow->limit, fwd_core_now_ms(dest->engine->core),
                      FWD_SHADOW_LOG_MS, &suppressed))
    {
        return;
    }

    for (i = 0; i < diff.count; i++) {
        paths[i].data = (const unsigned char *) diff.texts[i];
        paths[i].len = strlen(diff.texts[i]);
    }

    fwd_log(dest->engine->core->log, FWD_LOG_INFO, "shadow differs",
            fwd_kv_text("destination", dest->conf->name),
            fwd_kv_text("of", shadow->other->name),
            fwd_kv_str("event", item->event->message_id),
            fwd_kv_strs("paths", paths, diff.count),
            fwd_kv_int("equal", dest->stats->shadow_equal),
            fwd_kv_int("different", dest->stats->shadow_different),
            fwd_kv_int("suppressed", suppressed));
}


/* Takes both values.  The texts were nested no deeper than jq allows. */

static void
fwd_shadow_value(fwd_shadow_diff_t *diff, jv a, jv b)
{
    if (diff->count == FWD_SHADOW_PATHS) {
        jv_free(a);
        jv_free(b);
        return;
    }

    if (jv_get_kind(a) == JV_KIND_OBJECT && jv_get_kind(b) == JV_KIND_OBJECT)
    {
        fwd_shadow_object(diff, a, b);
        return;
    }

    if (jv_get_kind(a) == JV_KIND_ARRAY && jv_get_kind(b) == JV_KIND_ARRAY) {
        fwd_shadow_array(diff, a, b);
        return;
    }

    if (!jv_equal(a, b)) {
        fwd_shadow_found(diff);
    }
}


static void
fwd_shadow_array(fwd_shadow_diff_t *diff, jv a, jv b)
{
    int     i, count, other;
    char    name[16];
    size_t  len;

    count = jv_array_length(jv_copy(a));
    other = jv_array_length(jv_copy(b));

    for (i = 0; i < count || i < other; i++) {
        (void) snprintf(name, sizeof(name), "%d", i);
        len = fwd_shadow_push(diff, name);

        if (i < count && i < other) {
            fwd_shadow_value(diff, jv_array_get(jv_copy(a), i),
                             jv_array_get(jv_copy(b), i));

        } else {
            fwd_shadow_found(diff);
        }

        fwd_shadow_pop(diff, len);
    }

    jv_free(a);
    jv_free(b);
}


static void
fwd_shadow_object(fwd_shadow_diff_t *diff, jv a, jv b)
{
    jv      keys, key, value;
    int     i, count;
    size_t  len;

    /* the names of both: those of one alone are differences */

    keys = jv_keys(jv_object_merge(jv_copy(a), jv_copy(b)));
    count = jv_array_length(jv_copy(keys));

    for (i = 0; i < count; i++) {
        key = jv_array_get(jv_copy(keys), i);
        len = fwd_shadow_push(diff, jv_string_value(key));

        if (jv_object_has(jv_copy(a), jv_copy(key))
            && jv_object_has(jv_copy(b), jv_copy(key)))
        {
            value = jv_object_get(jv_copy(b), jv_copy(key));
            fwd_shadow_value(diff, jv_object_get(jv_copy(a), key), value);

        } else {
            fwd_shadow_found(diff);
            jv_free(key);
        }

        fwd_shadow_pop(diff, len);
    }

    jv_free(keys);
    jv_free(a);
    jv_free(b);
}


/* Appends "/name", cut off at the end of the room. */

static size_t
fwd_shadow_push(fwd_shadow_diff_t *diff, const char *name)
{
    int     n;
    size_t  len, room;

    len = diff->len;
    room = sizeof(diff->path) - len;

    n = snprintf(diff->path + len, room, "/%s", name);
    diff->len = (n < 0) ? len : len + ((size_t) n < room ? (size_t) n
                                                         : room - 1);

    return len;
}


static void
fwd_shadow_pop(fwd_shadow_diff_t *diff, size_t len)
{
    diff->len = len;
}


static void
fwd_shadow_found(fwd_shadow_diff_t *diff)
{
    char  *text;

    if (diff->count == FWD_SHADOW_PATHS) {
        return;
    }

    text = diff->texts[diff->count++];

    memcpy(text, diff->path, diff->len);
    text[diff->len] = '\0';
}
