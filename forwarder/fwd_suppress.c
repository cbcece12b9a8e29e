
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The list in memory: SHA-256 digests in order, whatever a line was, so ids
 * as they are and digests of ids are found by one look.
 */


#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#include "fwd_suppress.h"


#define FWD_SUPPRESS_LINE  4096
#define FWD_SUPPRESS_SIZE  SHA256_DIGEST_LENGTH


struct fwd_suppress_s {
    unsigned char        *digests;
    size_t                count;
    size_t                size;
};


static fwd_rc_t fwd_suppress_read(fwd_suppress_t *list, FILE *f,
    const char *file, fwd_error_t *err);
static fwd_rc_t fwd_suppress_line(fwd_suppress_t *list, const char *line);
static int fwd_suppress_hex(unsigned char *out, const char *text, size_t len);
static int fwd_suppress_order(const void *a, const void *b);


fwd_rc_t
fwd_suppress_create(fwd_suppress_t **out, const char *file, fwd_error_t *err)
{
    FILE            *f;
    fwd_rc_t         rc;
    fwd_suppress_t  *list;

    f = fopen(file, "re");
    if (f == NULL) {
        return fwd_error(err, "%s: cannot be read: %s", file,
                         strerror(errno));
    }

    list = calloc(1, sizeof(fwd_suppress_t));

    rc = (list != NULL) ? fwd_suppress_read(list, f, file, err)
                        : fwd_error(err, "out of memory");

    (void) fclose(f);

    if (rc != FWD_OK) {
        fwd_suppress_destroy(list);
        return rc;
    }

    if (list->count > 1) {
        qsort(list->digests, list->count, FWD_SUPPRESS_SIZE,
              fwd_suppress_order);
    }

    *out = list;

    return FWD_OK;
}


static fwd_rc_t
fwd_suppress_read(fwd_suppress_t *list, FILE *f, const char *file,
    fwd_error_t *err)
{
    char    line[FWD_SUPPRESS_LINE];
    size_t  number;

    for (number = 1; fgets(line, sizeof(line), f) != NULL; number++) {

        /* a list that is read in part would let somebody through */

        if (strchr(line, '\n') == NULL && !feof(f)) {
            return fwd_error(err, "%s:%zu: the line is too long", file,
                             number);
        }

        if (fwd_suppress_line(list, line) != FWD_OK) {
            return fwd_error(err, "out of memory");
        }
    }

    if (ferror(f)) {
        return fwd_error(err, "%s: cannot be read: %s", file,
                         strerror(errno));
    }

    return FWD_OK;
}


static fwd_rc_t
fwd_suppress_line(fwd_suppress_t *list, const char *line)
{
    size_t          len, size;
    unsigned char  *digests;

    line += strspn(line, " \t");
    len = strcspn(line, "\r\n");

    while (len != 0 && (line[len - 1] == ' ' || line[len - 1] == '\t')) {
        len--;
    }

    if (len == 0 || *line == '#') {
        return FWD_OK;
    }

    if (list->count == list->size) {
        size = list->size ? list->size * 2 : 256;

        digests = realloc(list->digests, size * FWD_SUPPRESS_SIZE);
        if (digests == NULL) {
            return FWD_ERROR;
        }

        list->digests = digests;
        list->size = size;
    }

    digests = list->digests + list->count++ * FWD_SUPPRESS_SIZE;

    if (!fwd_suppress_hex(digests, line, len)) {
        (void) SHA256((const unsigned char *) line, len, digests);
    }

    return FWD_OK;
}


static int
fwd_suppress_hex(unsigned char *out, const char *text, size_t len)
{
    size_t       i;
    const char  *digit;

    static const char  digits[] = "0123456789abcdef";

    if (len != 2 * FWD_SUPPRESS_SIZE) {
        return 0;
    }

    memset(out, 0, FWD_SUPPRESS_SIZE);

    for (i = 0; i < len; i++) {
        digit = memchr(digits, text[i], sizeof(digits) - 1);

        if (digit == NULL) {
            return 0;
        }

        out[i / 2] = (unsigned char) (out[i / 2] << 4 | (digit - digits));
    }

    return 1;
}


static int
fwd_suppress_order(const void *a, const void *b)
{
    return memcmp(a, b, FWD_SUPPRESS_SIZE);
}


void
fwd_suppress_destroy(fwd_suppress_t *list)
{
    if (list != NULL) {
        free(list->digests);
        free(list);
    }
}


int
fwd_suppress_has(const fwd_suppress_t *list, martech_str_t id)
{
    unsigned char  digest[FWD_SUPPRESS_SIZE];

    if (list->count == 0 || id.len == 0) {
        return 0;
    }

    (void) SHA256(id.data, id.len, digest);

    return bsearch(digest, list->digests, list->count, FWD_SUPPRESS_SIZE,
                   fwd_suppress_order)
           != NULL;
}
