
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Secrets of destinations: for which environment they are, and whether they
 * have changed since they were read.
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE                      /* environ */
#endif

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "fwd_config.h"
#include "fwd_secret.h"


typedef struct {
    const char           *value;
    uint64_t              environment;   /* index of a word */
} fwd_secret_raw_t;


static int fwd_secret_same(const fwd_source_t *one,
    const fwd_source_t *other);
static uint64_t fwd_secret_hash(uint64_t hash, const struct stat *st);


const char *const  fwd_environments[] = {
    "production", "staging", "sandbox", NULL
};


static const fwd_field_t  fwd_secret_fields[] = {
    { .name = "value", .kind = FWD_FIELD_STRING, .required = 1,
      .offset = offsetof(fwd_secret_raw_t, value) },
    { .name = "environment", .kind = FWD_FIELD_WORD, .required = 1,
      .offset = offsetof(fwd_secret_raw_t, environment),
      .words = fwd_environments },
    { .name = NULL }
};


const char *
fwd_secret_setting(fwd_yaml_t *y, yaml_node_t *node, const char *path,
    const char *user, const char *environment)
{
    size_t             errors;
    const char        *value, *wanted;
    fwd_error_t        err;
    fwd_secret_raw_t   raw;

    errors = y->report->count;
    memset(&raw, 0, sizeof(raw));

    if (node->type == YAML_MAPPING_NODE) {
        fwd_yaml_section(y, node, path, fwd_secret_fields, &raw);

        if (y->report->count != errors) {
            return NULL;
        }

        wanted = fwd_environments[raw.environment];

        if (strcmp(wanted, environment) != 0) {
            fwd_report(y->report, y->file, fwd_yaml_line(node),
                       "\"%s\" is a secret of %s, but destination \"%s\" is "
                       "of %s; allowed is one of its own environment", path,
                       wanted, user, environment);
            return NULL;
        }

    } else {
        raw.value = fwd_yaml_text(y, node, path);
    }

    if (raw.value == NULL) {
        return NULL;
    }

    if (fwd_secret_read(&value, raw.value, y->secrets, y->pool, &err)
        != FWD_OK)
    {
        fwd_report(y->report, y->file, fwd_yaml_line(node), "\"%s\" %s",
                   path, err.text);
        return NULL;
    }

    if (y->secrets != NULL) {
        y->secrets->sources->environment = environment;
        y->secrets->sources->user = user;
        y->secrets->sources->line = fwd_yaml_line(node);
    }

    return value;
}


/* Each is told once: of a pair the one that was read later. */

void
fwd_secret_mixing(fwd_yaml_t *y)
{
    const fwd_source_t  *one, *other;

    for (one = y->secrets->sources; one != NULL; one = one->next) {

        if (one->environment == NULL) {
            continue;
        }

        for (other = one->next; other != NULL; other = other->next) {

            if (other->environment != NULL
                && fwd_secret_same(one, other)
                && strcmp(one->environment, other->environment) != 0)
            {
                fwd_report(y->report, y->file, one->line,
                           "the secret \"%s\" is used by destination \"%s\" "
                           "of %s and by \"%s\" of %s, allowed is one "
                           "environment", one->reference, one->user,
                           one->environment, other->user,
                           other->environment);
                break;
            }
        }
    }
}


/* A file may have several names. */

static int
fwd_secret_same(const fwd_source_t *one, const fwd_source_t *other)
{
    return strcmp(one->reference, other->reference) == 0
           || (one->seen.st_ino != 0
               && one->seen.st_ino == other->seen.st_ino
               && one->seen.st_dev == other->seen.st_dev);
}


uint64_t
fwd_secret_look(const fwd_secrets_t *secrets)
{
    uint64_t             hash;
    struct stat          st;
    const fwd_source_t  *source;

    hash = 0;

    for (source = secrets->sources; source != NULL; source = source->next) {

        if (strncmp(source->reference, "file:", 5) != 0) {
            continue;
        }

        if (stat(source->reference + 5, &st) != 0) {
            memset(&st, 0, sizeof(st));
        }

        hash = fwd_secret_hash(hash, &st);
    }

    return hash;
}


uint64_t
fwd_secret_seen(const fwd_secrets_t *secrets)
{
    uint64_t             hash;
    const fwd_source_t  *source;

    hash = 0;

    for (source = secrets->sources; source != NULL; source = source->next) {
        if (strncmp(source->reference, "file:", 5) == 0) {
            hash = fwd_secret_hash(hash, &source->seen);
        }
    }

    return hash;
}


static uint64_t
fwd_secret_hash(uint64_t hash, const struct stat *st)
{
    size_t    i;
    uint64_t  parts[6];

    parts[0] = (uint64_t) st->st_dev;
    parts[1] = (uint64_t) st->st_ino;
    parts[2] = (uint64_t) st->st_size;
    parts[3] = (uint64_t) st->st_mtim.tv_sec;
    parts[4] = (uint64_t) st->st_mtim.tv_nsec;
    parts[5] = (uint64_t) st->st_ctim.tv_nsec;

    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        hash = (hash ^ parts[i]) * 0x9e3779b97f4a7c15;
        hash ^= hash >> 29;
    }

    return hash;
}


void
fwd_secret_hide_environment(void)
{
    char    **copy, **old;
    size_t    i, n;

    old = environ;

    for (n = 0; old != NULL && old[n] != NULL; n++) { /* void */ }

    copy = calloc(n + 1, sizeof(char *));

    if (copy == NULL) {
        return;
    }

    for (i = 0; i < n; i++) {
        copy[i] = strdup(old[i]);

        if (copy[i] == NULL) {
            break;
        }
    }

    environ = copy;

    for (i = 0; i < n; i++) {
        OPENSSL_cleanse(old[i], strlen(old[i]));
    }
}
