
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What must hold in the ledger of a shard, docs/SPEC.md section 4.
 */


#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fwd_cli_book.h"


static void fwd_check_offered(json_t *book, const char *name, json_t *dest,
    const fwd_book_check_t *check);
static void fwd_check_source(json_t *book, const char *name, json_t *dest,
    const char *source, const fwd_book_check_t *check);
static void fwd_check_in_digest(json_t *book, const char *name,
    const json_t *row, const char *source, const fwd_book_check_t *check);
static int64_t fwd_check_moved(json_t *book, const char *name,
    const char *source, const fwd_book_check_t *check);
static int64_t fwd_check_refused(const json_t *row);
static void fwd_check_ends(const char *name, json_t *dest,
    const fwd_book_check_t *check);
static void fwd_check_digest(const char *name, json_t *dest,
    const fwd_book_check_t *check);
static void fwd_check_letters(json_t *book, const fwd_book_check_t *check);
static int fwd_check_old(const json_t *object);


void
fwd_book_check(json_t *book, const fwd_book_check_t *check)
{
    json_t      *dest;
    const char  *name;

    json_object_foreach(json_object_get(book, "destinations"), name, dest) {

        if (check->configured(check->data, name) && !fwd_check_old(book)
            && !fwd_check_old(dest))
        {
            fwd_check_offered(book, name, dest, check);
        }

        fwd_check_ends(name, dest, check);

        if (check->digests && !fwd_check_old(dest)) {
            fwd_check_digest(name, dest, check);
        }
    }

    fwd_check_letters(book, check);
}


/* 1 if something was counted without a source, by an older version. */

static int
fwd_check_old(const json_t *object)
{
    return json_object_get(json_object_get(object, "sources"), "") != NULL;
}


/* Each event was routed to the destination, or refused. */

static void
fwd_check_offered(json_t *book, const char *name, json_t *dest,
    const fwd_book_check_t *check)
{
    json_t      *row;
    const char  *source;

    json_object_foreach(json_object_get(book, "sources"), source, row) {
        fwd_check_source(book, name, dest, source, check);
    }

    /* and those of sources that only replays or a fallback brought */

    json_object_foreach(json_object_get(dest, "sources"), source, row) {
        if (json_object_get(json_object_get(book, "sources"), source)
            == NULL)
        {
            fwd_check_source(book, name, dest, source, check);
        }
    }
}


static void
fwd_check_source(json_t *book, const char *name, json_t *dest,
    const char *source, const fwd_book_check_t *check)
{
    json_t   *in, *row;
    int64_t   came, routed, refused, unoffered;

    in = json_object_get(json_object_get(book, "sources"), source);
    row = json_object_get(json_object_get(dest, "sources"), source);

    came = fwd_book_get(in, "in") - fwd_book_get(in, "duplicate")
           + fwd_book_get(row, "in_to")
           + fwd_check_moved(book, name, source, check)
           - fwd_book_get(row, "joined");
    routed = fwd_book_get(row, "routed");
    refused = fwd_check_refused(row);
    unoffered = fwd_book_get(row, "unoffered");

    if (came != routed + refused + unoffered) {
        fwd_book_differ(check, "offered", name, source, came,
                        routed + refused + unoffered,
                        "%" PRId64 " events came in, but %" PRId64 " were "
                        "routed and %" PRId64 " refused%s", came - unoffered,
                        routed, refused,
                        came > routed + refused + unoffered
                        ? " (if the destination is younger than these "
                          "events, \"ledger --accept\" takes note of it)"
                        : "");
        return;
    }

    if (refused == 0 && unoffered == 0 && fwd_book_get(in, "duplicate") == 0
        && fwd_check_moved(book, name, source, check) == 0)
    {
        fwd_check_in_digest(book, name, row, source, check);
    }
}


/* With nothing refused, the very same events were routed. */

static void
fwd_check_in_digest(json_t *book, const char *name, const json_t *row,
    const char *source, const fwd_book_check_t *check)
{
    json_t   *in;
    int64_t   came, routed;

    in = json_object_get(json_object_get(book, "sources"), source);

    came = (fwd_book_get(in, "in~") + fwd_book_get(row, "in_to~"))
           & 0xffffffff;
    routed = fwd_book_get(row, "routed~") & 0xffffffff;

    if (came != routed) {
        fwd_book_differ(check, "offered digest", name, source, came, routed,
                        "other events were routed than came in: digest "
                        "%08" PRIx64 " instead of %08" PRIx64,
                        (uint64_t) routed, (uint64_t) came);
    }
}


/* What other destinations have handed over to this one. */

static int64_t
fwd_check_moved(json_t *book, const char *name, const char *source,
    const fwd_book_check_t *check)
{
    json_t      *dest;
    int64_t      sum;
    const char  *from, *to;

    sum = 0;

    json_object_foreach(json_object_get(book, "destinations"), from, dest) {
        to = check->fallback(check->data, from);

        if (to != NULL && strcmp(to, name) == 0) {
            sum += fwd_book_get(json_object_get(json_object_get(dest,
                                                                "sources"),
                                                source), "moved");
        }
    }

    return sum;
}


static int64_t
fwd_check_refused(const json_t *row)
{
    json_t      *n;
    int64_t      sum;
    const char  *reason;

    sum = 0;

    json_object_foreach(json_object_get(row, "refused"), reason, n) {
        sum += json_integer_value(n);
    }

    return sum;
}


/* What was routed has ended, or waits. */

static void
fwd_check_ends(const char *name, json_t *dest, const fwd_book_check_t *check)
{
    json_t      *row;
    int64_t      waiting, sum;
    const char  *source;

    sum = 0;

    json_object_foreach(json_object_get(dest, "sources"), source, row) {
        waiting = fwd_book_waiting(row);
        sum += waiting;

        if (waiting < 0 && !fwd_check_old(dest)) {
            fwd_book_differ(check, "ends", name, source,
                            fwd_book_get(row, "routed"),
                            fwd_book_get(row, "routed") - waiting,
                            "%" PRId64 " events were routed, but %" PRId64
                            " ended", fwd_book_get(row, "routed"),
                            fwd_book_get(row, "routed") - waiting);
        }
    }

    waiting = fwd_book_get(dest, "waiting");

    if (sum != waiting) {
        fwd_book_differ(check, "waiting", name, NULL, sum, waiting,
                        "%" PRId64 " of the routed events have not ended, "
                        "but %" PRId64 " wait", sum, waiting);
    }
}


static void
fwd_check_digest(const char *name, json_t *dest,
    const fwd_book_check_t *check)
{
    char      field[32];
    size_t    i;
    int64_t   open, waiting;

    open = fwd_book_sum(dest, "routed~");

    for (i = 0; i < FWD_BOOK_ENDS; i++) {
        (void) snprintf(field, sizeof(field), "%s~", fwd_book_ends[i]);
        open -= fwd_book_sum(dest, field);
    }

    open &= 0xffffffff;
    waiting = fwd_book_get(dest, "waiting~") & 0xffffffff;

    if (open != waiting) {
        fwd_book_differ(check, "digest", name, NULL, open, waiting,
                        "other events wait than were routed and have not "
                        "ended: digest %08" PRIx64 " instead of %08" PRIx64,
                        (uint64_t) waiting, (uint64_t) open);
    }
}


static void
fwd_check_letters(json_t *book, const fwd_book_check_t *check)
{
    json_t      *dest;
    int64_t      counted, gone, letters;
    const char  *name;

    json_object_foreach(json_object_get(book, "destinations"), name, dest) {
        counted = (strcmp(name, "_entry") == 0)
                  ? fwd_book_get(book, "bad") : fwd_book_sum(dest, "dead");
        gone = fwd_book_get(dest, "dead_replayed")
               + fwd_book_get(dest, "dead_dropped");
        letters = fwd_book_get(dest, "letters");

        if (counted != letters + gone) {
            fwd_book_differ(check, "dead", name, NULL, counted,
                            letters + gone, "%" PRId64 " events died, but "
                            "%" PRId64 " dead letters are there and %" PRId64
                            " were replayed or dropped", counted, letters,
                            gone);
        }
    }
}


void
fwd_book_differ(const fwd_book_check_t *check, const char *what,
    const char *dest, const char *source, int64_t expected, int64_t found,
    const char *fmt, ...)
{
    char      text[512];
    json_t   *row;
    va_list   args;

    va_start(args, fmt);
    (void) vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    row = json_pack("{s:s,s:I,s:I,s:s}", "what", what, "expected",
                    (json_int_t) expected, "found", (json_int_t) found,
                    "text", text);

    if (check->shard >= 0) {
        json_object_set_new(row, "shard",
                            json_integer((json_int_t) check->shard));
    }

    if (dest != NULL) {
        json_object_set_new(row, "destination", json_string(dest));
    }

    if (source != NULL) {
        json_object_set_new(row, "source", json_string(source));
    }

    (void) json_array_append_new(check->differences, row);
}
