
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The tables of "ledger".
 */


#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fwd_cli_ledger.h"
#include "fwd_cli_state.h"


static void fwd_print_sources(const fwd_ledger_t *l, int width);
static void fwd_print_rows(const fwd_ledger_t *l, int width);
static void fwd_print_row(const char *source, const json_t *row, int width);
static int64_t fwd_print_refused(const json_t *row);
static void fwd_print_reasons(const fwd_ledger_t *l);
static void fwd_print_edge(const fwd_ledger_t *l);
static void fwd_print_quarantine(const fwd_ledger_t *l);
static void fwd_print_verdict(const fwd_ledger_t *l);
static int fwd_print_source_width(const fwd_ledger_t *l);


void
fwd_ledger_print(const fwd_ledger_t *l)
{
    int  width;

    width = fwd_print_source_width(l);

    fwd_print_sources(l, width);
    fwd_print_rows(l, width);
    fwd_print_reasons(l);
    fwd_print_edge(l);
    fwd_print_quarantine(l);
    fwd_print_verdict(l);
}


void
fwd_ledger_print_json(const fwd_ledger_t *l)
{
    json_t  *all;

    all = json_deep_copy(l->total);

    json_object_set(all, "edge", l->edge);
    json_object_set_new(all, "shards",
                        json_integer((json_int_t) l->cli->conf.shards));
    json_object_set(all, "moving", l->moving);
    json_object_set(all, "differences", l->differences);
    json_object_set_new(all, "ok",
                        json_boolean(json_array_size(l->differences) == 0));

    json_object_set_new(all, "quarantine_evicted", json_integer(l->evicted));

    if (json_object_get(l->edge, "stored") != NULL) {
        json_object_set_new(all, "stored_twice",
                            json_integer(l->twice > 0 ? l->twice : 0));
    }

    fwd_cli_print(all, 1);
}


static int
fwd_print_source_width(const fwd_ledger_t *l)
{
    size_t       width;
    json_t      *row;
    const char  *source;

    width = sizeof("SOURCE") - 1;

    json_object_foreach(json_object_get(l->total, "sources"), source, row) {
        width = strlen(source) > width ? strlen(source) : width;
    }

    return (int) width;
}


static void
fwd_print_sources(const fwd_ledger_t *l, int width)
{
    json_t      *row;
    const char  *source;

    (void) printf("%-*s  %12s  %12s  %8s\n", width, "SOURCE", "ACCEPTED",
                  "DUPLICATE", "DIGEST");

    json_object_foreach(json_object_get(l->total, "sources"), source, row) {
        (void) printf("%-*s  %12" PRId64 "  %12" PRId64 "  %08" PRIx64 "\n",
                      width, source[0] ? source : "-",
                      fwd_book_get(row, "in"),
                      fwd_book_get(row, "duplicate"),
                      (uint64_t) fwd_book_get(row, "in~"));
    }

    (void) printf("bad %" PRId64 ", not routed yet %" PRId64 ", relinked %"
                  PRId64 "\n\n", fwd_book_get(l->total, "bad"),
                  fwd_book_get(l->total, "unread")
                  + fwd_book_get(l->total, "pending"),
                  fwd_book_get(l->total, "relinked"));
}


static void
fwd_print_rows(const fwd_ledger_t *l, int width)
{
    int          wide;
    json_t      *dest, *row;
    const char  *name, *source;

    wide = fwd_cli_names_width(&l->names);

    (void) printf("%-*s  %-*s  %10s  %8s  %10s  %8s  %7s  %7s  %7s  %7s  %7s"
                  "  %8s\n", wide, "DESTINATION", width, "SOURCE", "ROUTED",
                  "REFUSED", "DONE", "WAITING", "DEAD", "EXPIRED", "DROPPED",
                  "MOVED", "DRY", "DIGEST");

    json_object_foreach(json_object_get(l->total, "destinations"), name,
                        dest)
    {
        json_object_foreach(json_object_get(dest, "sources"), source, row) {
            (void) printf("%-*s  ", wide, name);
            fwd_print_row(source, row, width);
        }
    }

    (void) printf("\n");
}


static void
fwd_print_row(const char *source, const json_t *row, int width)
{
    (void) printf("%-*s  %10" PRId64 "  %8" PRId64 "  %10" PRId64 "  %8"
                  PRId64 "  %7" PRId64 "  %7" PRId64 "  %7" PRId64 "  %7"
                  PRId64 "  %7" PRId64 "  %08" PRIx64 "\n", width,
                  source[0] ? source : "-", fwd_book_get(row, "routed"),
                  fwd_print_refused(row), fwd_book_get(row, "done"),
                  fwd_book_waiting(row), fwd_book_get(row, "dead"),
                  fwd_book_get(row, "expired"), fwd_book_get(row, "drop"),
                  fwd_book_get(row, "moved"), fwd_book_get(row, "dry"),
                  (uint64_t) fwd_book_get(row, "routed~"));
}


static int64_t
fwd_print_refused(const json_t *row)
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


static void
fwd_print_reasons(const fwd_ledger_t *l)
{
    int          any;
    json_t      *dest, *row, *n;
    const char  *name, *source, *reason;

    any = 0;

    json_object_foreach(json_object_get(l->total, "destinations"), name,
                        dest)
    {
        json_object_foreach(json_object_get(dest, "sources"), source, row) {
            json_object_foreach(json_object_get(row, "refused"), reason, n) {
                (void) printf("refused by %s, source %s, %s: %"
                              JSON_INTEGER_FORMAT "\n", name, source, reason,
                              json_integer_value(n));
                any = 1;
            }
        }
    }

    if (any) {
        (void) printf("\n");
    }
}


static void
fwd_print_edge(const fwd_ledger_t *l)
{
    json_t      *n;
    const char  *name, *comma;

    if (json_object_size(l->edge) == 0) {
        (void) printf("edge: nothing is known of edges\n");
        return;
    }

    comma = "";
    (void) printf("edge: ");

    json_object_foreach(l->edge, name, n) {
        (void) printf("%s%s %" JSON_INTEGER_FORMAT, comma, name,
                      json_integer_value(n));
        comma = ", ";
    }

    (void) printf("\n");

    if (json_object_get(l->edge, "stored") == NULL) {
        return;
    }

    if (l->unsure) {
        (void) printf("edge: not compared, too much is moving\n");

    } else if (l->twice > 0) {
        (void) printf("edge: %" PRId64 " more are here than edges have "
                      "counted: stored twice, or not counted yet\n",
                      l->twice);
    }
}


/* Where none of this was ever used, there is nothing to say. */

static void
fwd_print_quarantine(const fwd_ledger_t *l)
{
    int64_t  quarantined, waiting, replayed, dropped;

    quarantined = fwd_book_get(l->edge, "quarantined");
    waiting = fwd_book_get(l->total, "quarantine");
    replayed = fwd_book_get(l->total, "quarantine_replayed");
    dropped = fwd_book_get(l->total, "quarantine_dropped");

    if (quarantined + waiting + replayed + dropped == 0) {
        return;
    }

    (void) printf("quarantine: waiting %" PRId64 ", replayed %" PRId64
                  ", dropped %" PRId64 ", evicted %" PRId64 "\n", waiting,
                  replayed, dropped, l->evicted);

    if (waiting + replayed + dropped > quarantined) {
        (void) printf("quarantine: %" PRId64 " more are here than edges have "
                      "counted: stored twice, or not counted yet\n",
                      waiting + replayed + dropped - quarantined);
    }
}


static void
fwd_print_verdict(const fwd_ledger_t *l)
{
    size_t       i;
    json_t      *row, *shard;
    const char  *dest, *source;

    if (json_array_size(l->moving) != 0) {
        (void) printf("digest not checked, moving: %zu of %" PRIu64
                      " shards\n", json_array_size(l->moving),
                      l->cli->conf.shards);
    }

    json_array_foreach(l->differences, i, row) {
        shard = json_object_get(row, "shard");
        dest = json_string_value(json_object_get(row, "destination"));
        source = json_string_value(json_object_get(row, "source"));

        (void) printf("DIFFERENCE");

        if (shard != NULL) {
            (void) printf(" in shard %" JSON_INTEGER_FORMAT,
                          json_integer_value(shard));
        }

        if (dest != NULL) {
            (void) printf(", destination %s", dest);
        }

        if (source != NULL) {
            (void) printf(", source %s", source[0] ? source : "-");
        }

        (void) printf(": %s\n",
                      json_string_value(json_object_get(row, "text")));
    }

    if (json_array_size(l->differences) == 0) {
        (void) printf("no difference\n");
    }
}
