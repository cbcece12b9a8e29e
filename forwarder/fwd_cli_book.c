
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Ledgers as trees.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_cli_book.h"


#define FWD_BOOK_NAME_MAX  256
#define FWD_BOOK_PARTS     4


static size_t fwd_book_split(char *name, char **parts);
static json_t *fwd_book_source(json_t *book, const char *dest,
    const char *source);
static int fwd_book_is_end(const char *kind);


const char *const  fwd_book_ends[FWD_BOOK_ENDS] = {
    "done", "drop", "dead", "expired", "moved", "dry"
};


void
fwd_book_field(json_t *book, const char *name, const char *value)
{
    char        text[FWD_BOOK_NAME_MAX], kind[FWD_BOOK_NAME_MAX];
    char       *parts[FWD_BOOK_PARTS];
    size_t      count;
    json_t     *at;
    int64_t     n;

    if (strlen(name) >= sizeof(text)) {
        return;
    }

    (void) strcpy(text, name);
    count = fwd_book_split(text, parts);
    n = strtoll(value, NULL, 10);

    (void) strcpy(kind, parts[0]);
    kind[strcspn(kind, "~")] = '\0';

    if (strcmp(kind, "in") == 0 || strcmp(kind, "duplicate") == 0) {
        at = fwd_book_at(fwd_book_at(book, "sources"),
                         count > 1 ? parts[1] : "");
        fwd_book_count(at, parts[0], n);

    } else if (strcmp(kind, "refused") == 0 && count == 4) {
        at = fwd_book_source(book, parts[1], parts[3]);
        fwd_book_count(fwd_book_at(at, "refused"), parts[2], n);

    } else if (fwd_book_is_end(kind) || strcmp(kind, "routed") == 0
               || strcmp(kind, "in_to") == 0
               || strcmp(kind, "joined") == 0
               || strcmp(kind, "unoffered") == 0)
    {
        if (count > 1) {
            at = fwd_book_source(book, parts[1], count > 2 ? parts[2] : "");
            fwd_book_count(at, parts[0], n);
        }

    } else if (strcmp(kind, "retry") == 0
               || strcmp(kind, "dead_replayed") == 0
               || strcmp(kind, "dead_dropped") == 0)
    {
        if (count > 1) {
            at = fwd_book_at(fwd_book_at(book, "destinations"), parts[1]);
            fwd_book_count(at, parts[0], n);
        }

    } else if (strcmp(kind, "bad") == 0 || strcmp(kind, "relinked") == 0
               || strcmp(kind, "quarantine_replayed") == 0
               || strcmp(kind, "quarantine_dropped") == 0)
    {
        fwd_book_count(book, parts[0], n);
    }
}


static size_t
fwd_book_split(char *name, char **parts)
{
    char    *colon;
    size_t   count;

    count = 0;

    for ( ;; ) {
        parts[count++] = name;
        colon = strchr(name, ':');

        if (colon == NULL || count == FWD_BOOK_PARTS) {
            return count;
        }

        *colon = '\0';
        name = colon + 1;
    }
}


static json_t *
fwd_book_source(json_t *book, const char *dest, const char *source)
{
    json_t  *at;

    at = fwd_book_at(fwd_book_at(book, "destinations"), dest);

    return fwd_book_at(fwd_book_at(at, "sources"), source);
}


static int
fwd_book_is_end(const char *kind)
{
    size_t  i;

    for (i = 0; i < FWD_BOOK_ENDS; i++) {
        if (strcmp(kind, fwd_book_ends[i]) == 0) {
            return 1;
        }
    }

    return 0;
}


json_t *
fwd_book_at(json_t *object, const char *name)
{
    json_t  *at;

    at = json_object_get(object, name);

    if (at == NULL) {
        at = json_object();
        (void) json_object_set_new(object, name, at);
    }

    return at;
}


/* Numbers of digests go round at 2^32, so that sums stay small. */

void
fwd_book_count(json_t *object, const char *name, int64_t n)
{
    n += fwd_book_get(object, name);

    if (strchr(name, '~') != NULL) {
        n &= 0xffffffff;
    }

    (void) json_object_set_new(object, name, json_integer(n));
}


int64_t
fwd_book_get(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}


int64_t
fwd_book_sum(const json_t *dest, const char *name)
{
    json_t      *source;
    int64_t      sum;
    const char  *key;

    sum = 0;

    json_object_foreach(json_object_get(dest, "sources"), key, source) {
        sum += fwd_book_get(source, name);
    }

    return sum;
}


int64_t
fwd_book_waiting(const json_t *source)
{
    size_t   i;
    int64_t  n;

    n = fwd_book_get(source, "routed");

    for (i = 0; i < FWD_BOOK_ENDS; i++) {
        n -= fwd_book_get(source, fwd_book_ends[i]);
    }

    return n;
}


void
fwd_book_merge(json_t *to, json_t *from)
{
    json_t      *value;
    const char  *key;

    json_object_foreach(from, key, value) {

        if (json_is_object(value)) {
            fwd_book_merge(fwd_book_at(to, key), value);

        } else {
            fwd_book_count(to, key, json_integer_value(value));
        }
    }
}
