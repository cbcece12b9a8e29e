
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The section "sequence" of a description.  Programs are texts here; they are
 * compiled with the settings (fwd_sequence.c).
 */


#include <string.h>

#include "fwd_desc.h"
#include "fwd_yaml_json.h"


typedef struct {
    fwd_yaml_t           *y;
    fwd_desc_t           *desc;
    fwd_desc_step_t      *step;
    const char           *path;          /* "sequence[1]" */
} fwd_desc_seq_t;


static void fwd_desc_seq_step(fwd_desc_seq_t *s, yaml_node_t *node,
    size_t n);
static void fwd_desc_seq_name(fwd_desc_seq_t *s);
static void fwd_desc_seq_endpoint(fwd_desc_seq_t *s, const char *key,
    const char *name);
static void fwd_desc_seq_capture(fwd_desc_seq_t *s);
static void fwd_desc_seq_cache(fwd_desc_seq_t *s);
static void fwd_desc_seq_undo(fwd_desc_seq_t *s);
static void fwd_desc_seq_jq(fwd_desc_seq_t *s, yaml_node_t *node,
    const char *key, fwd_desc_jq_t *jq);
static void fwd_desc_seq_lint(fwd_yaml_t *y, const fwd_desc_t *desc);
static int fwd_desc_seq_valid(const char *name);


static const fwd_field_t  fwd_desc_step_fields[] = {
    { .name = "name", .kind = FWD_FIELD_STRING, .required = 1,
      .offset = offsetof(fwd_desc_step_t, name),
      .valid = fwd_desc_seq_valid, .allowed = "1 to 32 of a-z 0-9 _" },
    { .name = "endpoint", .kind = FWD_FIELD_STRING, .required = 1,
      .offset = offsetof(fwd_desc_step_t, endpoint),
      .min = "1", .max = "32" },
    { .name = "when", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_desc_step_t, when_node) },
    { .name = "map", .kind = FWD_FIELD_NODE, .required = 1,
      .offset = offsetof(fwd_desc_step_t, map_node) },
    { .name = "capture", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_desc_step_t, capture_node) },
    { .name = "cache", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_desc_step_t, cache_node) },
    { .name = "idempotent", .kind = FWD_FIELD_BOOL, .dflt = "false",
      .offset = offsetof(fwd_desc_step_t, idempotent) },
    { .name = "optional", .kind = FWD_FIELD_BOOL, .dflt = "false",
      .offset = offsetof(fwd_desc_step_t, optional) },
    { .name = "compensate", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_desc_step_t, undo_node) },
    { .name = NULL }
};


static const fwd_field_t  fwd_desc_cache_fields[] = {
    { .name = "key", .kind = FWD_FIELD_NODE, .required = 1,
      .offset = offsetof(fwd_desc_step_t, key_node) },
    { .name = "ttl", .kind = FWD_FIELD_TIME, .required = 1,
      .offset = offsetof(fwd_desc_step_t, cache_ttl_ms),
      .min = "1s", .max = "30d" },
    { .name = "negative", .kind = FWD_FIELD_TIME,
      .offset = offsetof(fwd_desc_step_t, cache_negative_ms),
      .min = "1s", .max = "1d" },
    { .name = NULL }
};


static const fwd_field_t  fwd_desc_undo_fields[] = {
    { .name = "endpoint", .kind = FWD_FIELD_STRING, .required = 1,
      .offset = offsetof(fwd_desc_step_t, undo_endpoint),
      .min = "1", .max = "32" },
    { .name = "map", .kind = FWD_FIELD_NODE, .required = 1,
      .offset = offsetof(fwd_desc_step_t, undo_map_node) },
    { .name = NULL }
};


void
fwd_desc_sequence(fwd_yaml_t *y, fwd_desc_t *desc)
{
    size_t          n;
    yaml_node_t    *list, *node;
    fwd_desc_seq_t  s;

    list = desc->sequence_node;
    desc->sequence_node = NULL;

    if (list == NULL) {

        if (desc->resume != FWD_RESUME_STEP) {
            fwd_report(y->report, y->file,
                       fwd_yaml_at(y, "sequence_resume"),
                       "\"sequence_resume\" stands without \"sequence\"");
        }

        return;
    }

    for (n = 0; fwd_yaml_item(y, list, n) != NULL; n++) { /* void */ }

    if (n < 1 || n > FWD_SEQUENCE_STEPS_MAX) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, "sequence"),
                   "\"sequence\" has %zu steps, allowed is a list of 1 to %d",
                   n, FWD_SEQUENCE_STEPS_MAX);
        return;
    }

    if (desc->kind != FWD_KIND_HTTP) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, "sequence"),
                   "section \"sequence\" belongs to kind http");
        return;
    }

    desc->sequence = fwd_yaml_json_text(y, list);
    desc->steps = fwd_pool_alloc(y->pool, n * sizeof(fwd_desc_step_t));

    s.y = y;
    s.desc = desc;

    for (n = 0; (node = fwd_yaml_item(y, list, n)) != NULL; n++) {
        fwd_desc_seq_step(&s, node, n);
        desc->steps_count++;
    }

    fwd_desc_seq_lint(y, desc);
}


static void
fwd_desc_seq_step(fwd_desc_seq_t *s, yaml_node_t *node, size_t n)
{
    fwd_desc_step_t  *step;

    step = &s->desc->steps[n];
    s->step = step;
    s->path = fwd_pool_printf(s->y->pool, "sequence[%zu]", n);
    step->line = fwd_yaml_line(node);

    fwd_yaml_defaults(fwd_desc_step_fields, step, s->y->pool);
    fwd_yaml_section(s->y, node, s->path, fwd_desc_step_fields, step);

    fwd_desc_seq_name(s);
    fwd_desc_seq_endpoint(s, "endpoint", step->endpoint);
    fwd_desc_seq_jq(s, step->when_node, "when", &step->when);
    fwd_desc_seq_jq(s, step->map_node, "map", &step->map);
    fwd_desc_seq_capture(s);
    fwd_desc_seq_cache(s);
    fwd_desc_seq_undo(s);

    /* the nodes die with the document */
    step->when_node = NULL;
    step->map_node = NULL;
    step->capture_node = NULL;
    step->cache_node = NULL;
    step->key_node = NULL;
    step->undo_node = NULL;
    step->undo_map_node = NULL;
}


static void
fwd_desc_seq_name(fwd_desc_seq_t *s)
{
    const fwd_desc_step_t  *step;

    for (step = s->desc->steps; step < s->step; step++) {
        if (step->name != NULL && s->step->name != NULL
            && strcmp(step->name, s->step->name) == 0)
        {
            fwd_report(s->y->report, s->y->file, s->step->line,
                       "\"%s.name\" is \"%s\", as the step in line %zu",
                       s->path, step->name, step->line);
            return;
        }
    }
}


static void
fwd_desc_seq_endpoint(fwd_desc_seq_t *s, const char *key, const char *name)
{
    size_t        i;
    const char  **names, *path;

    if (name == NULL) {
        return;
    }

    names = fwd_pool_alloc(s->y->pool, (s->desc->endpoints_count + 1)
                                       * sizeof(char *));

    for (i = 0; i < s->desc->endpoints_count; i++) {
        names[i] = s->desc->endpoints[i].name;

        if (strcmp(names[i], name) == 0) {
            return;
        }
    }

    path = fwd_pool_printf(s->y->pool, "%s.%s", s->path, key);
    fwd_report(s->y->report, s->y->file, fwd_yaml_at(s->y, path),
               "\"%s\" is \"%s\", allowed are the names of endpoints: %s",
               path, name, fwd_yaml_words(s->y->pool, names, name));
}


static void
fwd_desc_seq_capture(fwd_desc_seq_t *s)
{
    size_t           i, n;
    const char      *key, *path;
    yaml_node_t     *map, *value;
    fwd_desc_var_t  *var;

    map = s->step->capture_node;
    path = fwd_pool_printf(s->y->pool, "%s.capture", s->path);

    if (map == NULL || !fwd_yaml_is_map(s->y, map, path)) {
        return;
    }

    n = (size_t) (map->data.mapping.pairs.top
                  - map->data.mapping.pairs.start);

    if (n < 1 || n > FWD_SEQUENCE_VARS_MAX) {
        fwd_report(s->y->report, s->y->file, fwd_yaml_at(s->y, path),
                   "\"%s\" has %zu members, allowed are 1 to %d", path, n,
                   FWD_SEQUENCE_VARS_MAX);
        return;
    }

    i = 0;

    while (fwd_yaml_next(s->y, map, &i, &key, &value) == FWD_OK) {

        if (!fwd_desc_seq_valid(key) || strcmp(key, "done") == 0
            || strcmp(key, "skipped") == 0)
        {
            fwd_report(s->y->report, s->y->file, s->y->key_line,
                       "\"%s\" has the name \"%s\", allowed are 1 to 32 of "
                       "a-z 0-9 _, but not done and skipped", path, key);
            continue;
        }

        var = &s->step->vars[s->step->vars_count++];
        var->name = key;
        fwd_desc_seq_jq(s, value,
                        fwd_pool_printf(s->y->pool, "capture.%s", key),
                        &var->jq);
    }
}


static void
fwd_desc_seq_cache(fwd_desc_seq_t *s)
{
    const char  *path;

    if (s->step->cache_node == NULL) {
        return;
    }

    path = fwd_pool_printf(s->y->pool, "%s.cache", s->path);

    fwd_yaml_section(s->y, s->step->cache_node, path, fwd_desc_cache_fields,
                     s->step);
    fwd_desc_seq_jq(s, s->step->key_node, "cache.key", &s->step->cache_key);

    if (s->step->capture_node == NULL) {
        fwd_report(s->y->report, s->y->file, fwd_yaml_at(s->y, path),
                   "\"%s\" stands without \"capture\": there is nothing to "
                   "keep", path);
    }
}


static void
fwd_desc_seq_undo(fwd_desc_seq_t *s)
{
    if (s->step->undo_node == NULL) {
        return;
    }

    fwd_yaml_section(s->y, s->step->undo_node,
                     fwd_pool_printf(s->y->pool, "%s.compensate", s->path),
                     fwd_desc_undo_fields, s->step);
    fwd_desc_seq_endpoint(s, "compensate.endpoint", s->step->undo_endpoint);
    fwd_desc_seq_jq(s, s->step->undo_map_node, "compensate.map",
                    &s->step->undo_map);
}


/* A block begins in the line behind its sign. */

static void
fwd_desc_seq_jq(fwd_desc_seq_t *s, yaml_node_t *node, const char *key,
    fwd_desc_jq_t *jq)
{
    const char  *path;

    if (node == NULL) {
        return;
    }

    path = fwd_pool_printf(s->y->pool, "%s.%s", s->path, key);
    jq->text = fwd_yaml_text(s->y, node, path);
    jq->line = fwd_yaml_line(node);

    if (jq->text == NULL) {
        return;
    }

    jq->line += (node->data.scalar.style == YAML_LITERAL_SCALAR_STYLE
                 || node->data.scalar.style == YAML_FOLDED_SCALAR_STYLE);

    if (*jq->text == '\0' || strlen(jq->text) > FWD_SEQUENCE_JQ_MAX) {
        fwd_report(s->y->report, s->y->file, jq->line,
                   "\"%s\" has %zu bytes, allowed are 1 to %d", path,
                   strlen(jq->text), FWD_SEQUENCE_JQ_MAX);
    }
}


/*
 * While a process runs a sequence its progress is in memory, so a crash
 * repeats the steps since the last pause.  With "start" each failure does.
 */

static void
fwd_desc_seq_lint(fwd_yaml_t *y, const fwd_desc_t *desc)
{
    size_t                  i;
    const fwd_desc_step_t  *step;

    for (i = 0; i < desc->steps_count; i++) {
        step = &desc->steps[i];

        if (step->idempotent) {
            continue;
        }

        if (desc->resume == FWD_RESUME_START) {
            fwd_report(y->report, y->file, step->line,
                       "step \"%s\" is not \"idempotent: true\", which "
                       "\"sequence_resume: start\" needs of each step",
                       step->name ? step->name : "");

        } else if (i + 1 < desc->steps_count) {
            fwd_report_warning(y->report, y->file, step->line,
                               "step \"%s\" is not \"idempotent: true\": "
                               "after a crash in the middle of a sequence it "
                               "is sent again", step->name ? step->name : "");
        }
    }
}


static int
fwd_desc_seq_valid(const char *name)
{
    size_t  len;

    len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

    return len >= 1 && len <= 32 && name[len] == '\0';
}
