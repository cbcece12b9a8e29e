
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What is wrong with a description whatever its settings are; found while
 * its lines are known.
 */


#include <string.h>

#include "fwd_config.h"
#include "fwd_desc.h"


static void fwd_desc_check_http(fwd_yaml_t *y, const fwd_desc_t *desc);
static void fwd_desc_check_template(fwd_yaml_t *y, const fwd_desc_t *desc,
    const char *path, const char *text);
static int fwd_desc_check_known(const fwd_desc_t *desc, const char *name,
    size_t len);
static void fwd_desc_check_word(fwd_yaml_t *y, const char *path,
    const char *text, const char *const *words);


const char *const  fwd_desc_framings[] = {
    [FWD_FRAMING_OBJECT] = "object",
    [FWD_FRAMING_ARRAY] = "array",
    [FWD_FRAMING_NDJSON] = "ndjson",
    NULL
};

const char *const  fwd_desc_rotations[] = {
    [FWD_ROTATE_NEVER] = "never",
    [FWD_ROTATE_HOUR] = "hour",
    [FWD_ROTATE_DAY] = "day",
    NULL
};


void
fwd_desc_check(fwd_yaml_t *y, const fwd_desc_t *desc)
{
    if (desc->kind == FWD_KIND_HTTP) {
        fwd_desc_check_http(y, desc);
    }

    if (desc->kind == FWD_KIND_FILE) {
        fwd_desc_check_template(y, desc, "file.path", desc->file.path);
        fwd_desc_check_template(y, desc, "file.rotate_size",
                                desc->file.rotate_size);
        fwd_desc_check_template(y, desc, "file.rotate_every",
                                desc->file.rotate_every);
        fwd_desc_check_word(y, "file.rotate_every", desc->file.rotate_every,
                            fwd_desc_rotations);
    }
}


static void
fwd_desc_check_http(fwd_yaml_t *y, const fwd_desc_t *desc)
{
    size_t                  i;
    const char             *path;
    const fwd_desc_http_t  *http;

    http = &desc->http;

    fwd_desc_check_template(y, desc, "request.url", http->url);
    fwd_desc_check_template(y, desc, "request.framing", http->framing);
    fwd_desc_check_word(y, "request.framing", http->framing,
                        fwd_desc_framings);
    fwd_desc_check_template(y, desc, "request.signature.secret",
                            http->signature_secret);

    if (http->idempotency_header != NULL
        && !fwd_desc_header_valid(http->idempotency_header))
    {
        fwd_report(y->report, y->file,
                   fwd_yaml_at(y, "request.idempotency_header"),
                   "\"request.idempotency_header\" is \"%s\", allowed is the "
                   "name of a header", http->idempotency_header);
    }

    for (i = 0; i < http->headers_count; i++) {
        path = fwd_pool_printf(y->pool, "request.headers.%s",
                               http->headers[i].name);

        if (!fwd_desc_header_valid(http->headers[i].name)) {
            fwd_report(y->report, y->file, fwd_yaml_at(y, path),
                       "header \"%s\" has a bad name, allowed are A-Z a-z "
                       "0-9 - _", http->headers[i].name);
            continue;
        }

        if (strpbrk(http->headers[i].value, "\r\n") != NULL) {
            fwd_report(y->report, y->file, fwd_yaml_at(y, path),
                       "header \"%s\" has a line end in its value, allowed "
                       "is one line", http->headers[i].name);
        }

        fwd_desc_check_template(y, desc, path, http->headers[i].value);
    }
}


static void
fwd_desc_check_template(fwd_yaml_t *y, const fwd_desc_t *desc,
    const char *path, const char *text)
{
    size_t       i, len;
    const char  *p, **names;

    if (text == NULL) {
        return;
    }

    for (p = text; *p != '\0'; p++) {

        if (*p != '{') {
            continue;
        }

        if (p[1] == '{') {
            p++;
            continue;
        }

        len = strcspn(p + 1, "}");

        if (p[1 + len] == '}' && fwd_desc_check_known(desc, p + 1, len)) {
            p += len;
            continue;
        }

        names = fwd_pool_alloc(y->pool, (desc->settings_count + 1)
                                        * sizeof(char *));

        for (i = 0; i < desc->settings_count; i++) {
            names[i] = desc->settings[i].name;
        }

        fwd_report(y->report, y->file, fwd_yaml_at(y, path),
                   "\"%s\" is \"%s\", allowed in braces are the names of "
                   "settings: %s", path, text,
                   fwd_yaml_words(y->pool, names,
                                  fwd_pool_string(y->pool, p + 1, len)));
        return;
    }
}


static int
fwd_desc_check_known(const fwd_desc_t *desc, const char *name, size_t len)
{
    size_t  i;

    for (i = 0; i < desc->settings_count; i++) {
        if (strlen(desc->settings[i].name) == len
            && memcmp(desc->settings[i].name, name, len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* A word that is no template. */

static void
fwd_desc_check_word(fwd_yaml_t *y, const char *path, const char *text,
    const char *const *words)
{
    const char *const  *word;

    if (text == NULL || strchr(text, '{') != NULL) {
        return;
    }

    for (word = words; *word != NULL; word++) {
        if (strcmp(*word, text) == 0) {
            return;
        }
    }

    fwd_report(y->report, y->file, fwd_yaml_at(y, path),
               "\"%s\" is \"%s\", allowed are %s", path, text,
               fwd_yaml_words(y->pool, words, text));
}


int
fwd_desc_header_valid(const char *name)
{
    return *name != '\0'
           && name[strspn(name, "abcdefghijklmnopqrstuvwxyz"
                          "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")] == '\0';
}
