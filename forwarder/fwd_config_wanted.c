
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Which events a destination gets: what a table alone cannot read.
 */


#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fwd_config_private.h"


#define FWD_SUPPRESS_SIZE_MAX  (64 * 1024 * 1024)
#define FWD_SUPPRESS_LINE_MAX  256
#define FWD_PATTERN_MAX        200
#define FWD_SOURCE_MAX         64


static void fwd_config_suppress(fwd_yaml_t *y, const char *path,
    const char *file);
static void fwd_config_suppress_lines(fwd_yaml_t *y, const char *file,
    FILE *f);


static const fwd_field_t  fwd_config_priority_fields[] = {
    { .name = "high", .kind = FWD_FIELD_LIST, .required = 1,
      .offset = offsetof(fwd_wanted_conf_t, high),
      .min = "1", .max = "100", .valid = fwd_config_pattern_valid,
      .allowed = FWD_CONFIG_PATTERN },
    { .name = NULL }
};


void
fwd_config_wanted(fwd_yaml_t *y, const char *path, fwd_wanted_conf_t *wanted)
{
    const char  *key;

    if (wanted->priority_node != NULL) {
        fwd_yaml_section(y, wanted->priority_node,
                         fwd_pool_printf(y->pool, "%s.priority", path),
                         fwd_config_priority_fields, wanted);
    }

    /* the node dies with the document */
    wanted->priority_node = NULL;

    wanted->when_line = fwd_yaml_at(y, fwd_pool_printf(y->pool, "%s.when",
                                                       path));

    if (wanted->suppress != NULL) {
        fwd_config_suppress(y, fwd_pool_printf(y->pool, "%s.suppress", path),
                            wanted->suppress);
    }

    if (wanted->enabled && wanted->rollout == 0) {
        key = fwd_pool_printf(y->pool, "%s.rollout", path);
        fwd_report_warning(y->report, y->file, fwd_yaml_at(y, key),
                           "\"%s\" is 0: no event gets there; enabled: false "
                           "says it", key);
    }
}


int
fwd_config_source_valid(const char *text)
{
    size_t  len;

    len = strspn(text, "abcdefghijklmnopqrstuvwxyz"
                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

    return len >= 1 && len <= FWD_SOURCE_MAX && text[len] == '\0';
}


int
fwd_config_pattern_valid(const char *text)
{
    size_t  len;

    len = strlen(text);

    return len >= 1 && len <= FWD_PATTERN_MAX && strcmp(text, "!") != 0;
}


static void
fwd_config_suppress(fwd_yaml_t *y, const char *path, const char *file)
{
    FILE         *f;
    struct stat   st;

    /* a fifo without a writer must not hold up the start */

    if (stat(file, &st) != 0) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, path),
                   "\"%s\" is \"%s\", which cannot be read: %s; allowed is a "
                   "file with an id a line", path, file, strerror(errno));
        return;
    }

    if (!S_ISREG(st.st_mode) || st.st_size > FWD_SUPPRESS_SIZE_MAX) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, path),
                   "\"%s\" is \"%s\", allowed is a plain file of up to 64m",
                   path, file);
        return;
    }

    f = fopen(file, "re");

    if (f == NULL) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, path),
                   "\"%s\" is \"%s\", which cannot be read: %s; allowed is a "
                   "file with an id a line", path, file, strerror(errno));
        return;
    }

    fwd_config_suppress_lines(y, file, f);
    (void) fclose(f);
}


/* Of a person, so no line is shown; the first bad one is enough. */

static void
fwd_config_suppress_lines(fwd_yaml_t *y, const char *file, FILE *f)
{
    int     c;
    size_t  line, len;

    line = 1;
    len = 0;

    for ( ;; ) {
        c = getc_unlocked(f);

        if (c == EOF && len == 0) {
            return;
        }

        if (c != '\n' && c != EOF) {
            len++;

            if (c == '\0') {
                fwd_report(y->report, file, line, "holds a zero byte, allowed "
                           "is a text with an id a line");
                return;
            }

            continue;
        }

        if (len < 1 || len > FWD_SUPPRESS_LINE_MAX) {
            fwd_report(y->report, file, line, "has %zu bytes, allowed are "
                       "1 to %d (the line is not shown)", len,
                       FWD_SUPPRESS_LINE_MAX);
            return;
        }

        if (c == EOF) {
            return;
        }

        line++;
        len = 0;
    }
}
