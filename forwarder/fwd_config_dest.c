
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Section destinations: a destination by its table, over the defaults that
 * its description gives.
 */


#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_config_private.h"
#include "fwd_core.h"
#include "fwd_target.h"


#define FWD_CONFIG_FOLDERS_MAX  64       /* named in a message */


static void fwd_config_dest_alone(fwd_yaml_t *y, const fwd_config_t *conf,
    const fwd_dest_conf_t *dest);
static void fwd_config_dest(fwd_yaml_t *y, const fwd_config_t *conf,
    fwd_dest_conf_t *dest, yaml_node_t *node);
static const fwd_desc_t *fwd_config_use(fwd_yaml_t *y,
    const fwd_config_t *conf, const char *path);
static void fwd_config_use_unknown(fwd_yaml_t *y, const fwd_config_t *conf,
    const char *path, const char *use);
static const char **fwd_config_folders(fwd_yaml_t *y, const char *path);
static int fwd_config_folder(const struct dirent *entry);
static int fwd_config_environment_valid(const char *text);


static const char *const  fwd_config_modes[] = {
    [FWD_MODE_SEND] = "send",
    [FWD_MODE_DRY_RUN] = "dry_run",
    [FWD_MODE_SHADOW] = "shadow",
    NULL
};

static const char  fwd_config_name[] =
    "the name of another destination, 1 to 32 of a-z 0-9 _ -";


static const fwd_field_t  fwd_config_dest_fields[] = {
    { .name = "use", .kind = FWD_FIELD_STRING, .required = 1,
      .offset = offsetof(fwd_dest_conf_t, use), .min = "1", .max = "32",
      .allowed = "the name of a folder of destinations_path" },
    { .name = "settings", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_dest_conf_t, settings_node) },
    { .name = "environment", .kind = FWD_FIELD_STRING, .dflt = "production",
      .offset = offsetof(fwd_dest_conf_t, environment),
      .valid = fwd_config_environment_valid,
      .allowed = "production, staging or sandbox" },
    { .name = "allow_private", .kind = FWD_FIELD_LIST,
      .offset = offsetof(fwd_dest_conf_t, allow_private),
      .min = "1", .max = "64", .valid = fwd_safe_net_valid,
      .allowed = FWD_CONFIG_NET },

    /* which events */
    { .name = "enabled", .kind = FWD_FIELD_BOOL, .dflt = "true",
      .offset = offsetof(fwd_dest_conf_t, wanted.enabled) },
    { .name = "sources", .kind = FWD_FIELD_LIST,
      .offset = offsetof(fwd_dest_conf_t, wanted.sources),
      .min = "1", .max = "100", .valid = fwd_config_source_valid,
      .allowed = FWD_CONFIG_SOURCE },
    { .name = "events", .kind = FWD_FIELD_LIST,
      .offset = offsetof(fwd_dest_conf_t, wanted.events),
      .min = "1", .max = "100", .valid = fwd_config_pattern_valid,
      .allowed = FWD_CONFIG_PATTERN },
    { .name = "when", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_dest_conf_t, wanted.when),
      .min = "1", .max = "65536" },
    { .name = "consent", .kind = FWD_FIELD_LIST,
      .offset = offsetof(fwd_dest_conf_t, wanted.consent),
      .min = "1", .max = "5", .words = fwd_policy_purposes },
    { .name = "rollout", .kind = FWD_FIELD_PERCENT, .dflt = "100",
      .offset = offsetof(fwd_dest_conf_t, wanted.rollout),
      .min = "0", .max = "100" },
    { .name = "suppress", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_dest_conf_t, wanted.suppress),
      .min = "1", .max = "4096" },
    { .name = "priority", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_dest_conf_t, wanted.priority_node) },

    /* how they are delivered */
    FWD_LIMITS_FIELDS(fwd_dest_conf_t, limits),
    FWD_POLICY_FIELDS(fwd_dest_conf_t, policy),
    { .name = "mode", .kind = FWD_FIELD_WORD,
      .offset = offsetof(fwd_dest_conf_t, policy.mode),
      .words = fwd_config_modes },
    { .name = "shadow_of", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_dest_conf_t, policy.shadow_of),
      .valid = fwd_config_name_valid, .allowed = fwd_config_name },
    { .name = "fallback", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_dest_conf_t, policy.fallback),
      .valid = fwd_config_name_valid, .allowed = fwd_config_name },
    { .name = "fallback_after", .kind = FWD_FIELD_TIME,
      .offset = offsetof(fwd_dest_conf_t, policy.fallback_after_ms),
      .min = "0", .max = "7d" },
    { .name = NULL }
};


void
fwd_config_dests(fwd_yaml_t *y, fwd_config_t *conf, yaml_node_t *map)
{
    size_t            i, n;
    const char       *key;
    yaml_node_t      *value;
    fwd_dest_conf_t  *dest;

    if (!fwd_yaml_is_map(y, map, "destinations")) {
        return;
    }

    n = (size_t) (map->data.mapping.pairs.top
                  - map->data.mapping.pairs.start);

    if (n == 0) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, "destinations"),
                   "\"destinations\" is empty, needed is at least one");
        return;
    }

    conf->dests = fwd_pool_alloc(y->pool, n * sizeof(fwd_dest_conf_t));
    i = 0;

    while (fwd_yaml_next(y, map, &i, &key, &value) == FWD_OK) {

        /* "_entry" is where unreadable entries go (docs/SPEC.md) */

        if (!fwd_config_name_valid(key) || key[0] == '_') {
            fwd_report(y->report, y->file, y->key_line,
                       "destination name \"%s\", allowed are 1 to %d of "
                       "a-z 0-9 _ -, the first not _", key, FWD_NAME_MAX);
            continue;
        }

        dest = &conf->dests[conf->dests_count++];
        dest->name = key;
        dest->line = y->key_line;

        fwd_config_dest(y, conf, dest, value);
        fwd_config_dest_alone(y, conf, dest);
    }

    fwd_secret_mixing(y);
    fwd_config_relations(y, conf);
}


static int
fwd_config_environment_valid(const char *text)
{
    const char *const  *word;

    for (word = fwd_environments; *word != NULL; word++) {
        if (strcmp(*word, text) == 0) {
            return 1;
        }
    }

    return 0;
}


/*
 * Two destinations that write to one folder would each take the other's file
 * for one of a crash.
 */

static void
fwd_config_dest_alone(fwd_yaml_t *y, const fwd_config_t *conf,
    const fwd_dest_conf_t *dest)
{
    const fwd_dest_conf_t  *other;

    if (dest->file.path == NULL) {
        return;
    }

    for (other = conf->dests; other < dest; other++) {

        if (other->file.path != NULL
            && strcmp(other->file.path, dest->file.path) == 0)
        {
            fwd_report(y->report, y->file,
                       fwd_yaml_at(y, fwd_pool_printf(
                                            y->pool,
                                            "destinations.%s.settings.path",
                                            dest->name)),
                       "destinations \"%s\" and \"%s\" write to one folder "
                       "\"%s\", each needs its own",
                       other->name, dest->name, dest->file.path);
        }
    }
}


static void
fwd_config_dest(fwd_yaml_t *y, const fwd_config_t *conf,
    fwd_dest_conf_t *dest, yaml_node_t *node)
{
    size_t       errors;
    const char  *path;

    path = fwd_pool_printf(y->pool, "destinations.%s", dest->name);

    if (!fwd_yaml_is_map(y, node, path)) {
        return;
    }

    errors = y->report->count;

    /* "use" comes first: it brings the defaults of the rest */

    dest->desc = fwd_config_use(y, conf, path);

    fwd_yaml_defaults(fwd_config_dest_fields, dest, y->pool);

    if (dest->desc != NULL) {
        dest->limits = dest->desc->limits;
        dest->policy = dest->desc->policy;
        dest->wanted.consent = dest->desc->consent;

    } else {
        fwd_limits_default(&dest->limits, y->pool);
        fwd_policy_default(&dest->policy, y->pool);
    }

    fwd_yaml_section(y, node, path, fwd_config_dest_fields, dest);
    fwd_limits_read(y, path, &dest->limits);
    fwd_policy_read(y, path, &dest->policy);
    fwd_config_wanted(y, path, &dest->wanted);

    if (dest->allow_private.count == 0) {
        dest->allow_private = conf->allow_private;
    }

    dest->credentials_key = conf->credentials_key;
    dest->http.safe.proxy = conf->proxy;
    dest->http.safe.proxy_login = conf->proxy_login;

    if (dest->desc != NULL) {
        fwd_target_build(y, dest);
    }

    if (dest->desc != NULL && dest->desc->auth.kind != NULL
        && strcmp(dest->desc->auth.kind, "oauth2") == 0
        && conf->credentials_key == NULL)
    {
        fwd_report(y->report, y->file, dest->line, "destination \"%s\" keeps "
                   "its tokens in Redis, encrypted: \"credentials_key\" is "
                   "missing, needed is a secret of 64 hex digits", dest->name);
    }

    if (y->report->count == errors) {
        fwd_config_limits(y, path, dest);
    }

    dest->settings_node = NULL;
}


/* NULL after a report, or if there is no text: the table will say so. */

static const fwd_desc_t *
fwd_config_use(fwd_yaml_t *y, const fwd_config_t *conf, const char *path)
{
    size_t        line;
    const char   *use, *folder;
    yaml_node_t  *node;
    fwd_desc_t   *desc;

    path = fwd_pool_printf(y->pool, "%s.use", path);
    node = fwd_yaml_find(y, path, &line);

    if (node == NULL || node->type != YAML_SCALAR_NODE) {
        return NULL;
    }

    use = fwd_yaml_text(y, node, path);

    if (use == NULL || *use == '\0' || strlen(use) > FWD_NAME_MAX) {
        return NULL;
    }

    folder = fwd_pool_printf(y->pool, "%s/%s", conf->destinations_path, use);

    if (!fwd_config_name_valid(use) || fwd_config_folders(y, folder) == NULL) {
        fwd_config_use_unknown(y, conf, path, use);
        return NULL;
    }

    if (fwd_desc_load(&desc, folder, use, y->report, y->pool) != FWD_OK) {
        fwd_report(y->report, y->file, line,
                   "\"%s\" is \"%s\", which cannot be used, see the errors "
                   "of its folder", path, use);
        return NULL;
    }

    fwd_desc_sunset(desc, fwd_wall_ms(), y->report);

    return desc;
}


static void
fwd_config_use_unknown(fwd_yaml_t *y, const fwd_config_t *conf,
    const char *path, const char *use)
{
    const char  **folders;

    folders = fwd_config_folders(y, conf->destinations_path);

    if (folders == NULL) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, "destinations_path"),
                   "\"destinations_path\" is \"%s\", which cannot be read: "
                   "%s; allowed is a folder of destination folders",
                   conf->destinations_path, strerror(errno));
        return;
    }

    fwd_report(y->report, y->file, fwd_yaml_at(y, path),
               "\"%s\" is \"%s\", allowed is the name of a folder in %s: %s",
               path, use, conf->destinations_path,
               fwd_yaml_words(y->pool, folders, use));
}


/* Names of the folders in a folder, sorted; NULL if it cannot be read. */

static const char **
fwd_config_folders(fwd_yaml_t *y, const char *path)
{
    int              i, n;
    const char     **names;
    struct dirent  **entries;

    n = scandir(path, &entries, fwd_config_folder, alphasort);

    if (n < 0) {
        return NULL;
    }

    names = fwd_pool_alloc(y->pool, (FWD_CONFIG_FOLDERS_MAX + 1)
                                    * sizeof(char *));

    for (i = 0; i < n; i++) {

        if (i < FWD_CONFIG_FOLDERS_MAX) {
            names[i] = fwd_pool_string(y->pool, entries[i]->d_name,
                                       strlen(entries[i]->d_name));
        }

        free(entries[i]);
    }

    free(entries);

    return names;
}


static int
fwd_config_folder(const struct dirent *entry)
{
    return fwd_config_name_valid(entry->d_name)
           && (entry->d_type == DT_DIR || entry->d_type == DT_LNK
               || entry->d_type == DT_UNKNOWN);
}
