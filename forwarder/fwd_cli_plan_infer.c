
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * "plan infer": reads a file of events twice, once to learn, once to see that
 * the draft accepts all of them.
 */


#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_cli_plan_infer.h"
#include "fwd_quarantine.h"


#define FWD_INFER_LINE_MAX   (16 * 1024 * 1024)
#define FWD_INFER_BAD_NAMED  10          /* lines */


typedef struct {
    fwd_cli_t            *cli;
    fwd_infer_t           seen;
    martech_json_tape_t   tape;
    martech_event_t       event;
    martech_batch_t       batch;
    martech_facts_t       facts;
    martech_limits_t      limits;

    /* in the second pass */
    martech_plan_t       *plan;
    martech_plan_work_t   work;
    martech_plan_verdict_t  verdict;

    char                 *line;
    size_t                len;
    uint64_t              number;        /* of the line */
    uint64_t              events;
    uint64_t              accepted;
    uint64_t              bad;
} fwd_infer_run_t;


static int fwd_infer_run(fwd_infer_run_t *run);
static fwd_rc_t fwd_infer_pass(fwd_infer_run_t *run);
static int fwd_infer_line(fwd_infer_run_t *run, FILE *in);
static void fwd_infer_document(fwd_infer_run_t *run);
static void fwd_infer_bad(fwd_infer_run_t *run, const char *why);
static int fwd_infer_finish(fwd_infer_run_t *run, const char *text);
static void fwd_infer_name(char *out, size_t size, const char *path);


int
fwd_cli_plan_infer(fwd_cli_t *cli)
{
    int               status;
    fwd_infer_run_t  *run;

    run = calloc(1, sizeof(fwd_infer_run_t));
    if (run != NULL) {
        run->line = malloc(FWD_INFER_LINE_MAX);
    }

    if (run == NULL || run->line == NULL) {
        free(run);
        (void) fwd_error(&cli->err, "out of memory");
        return fwd_cli_fail(cli);
    }

    run->cli = cli;
    fwd_quarantine_limits(&run->limits);

    status = fwd_infer_run(run);

    fwd_infer_free(&run->seen);
    martech_plan_free(run->plan);
    free(run->tape.nodes);
    free(run->line);
    free(run);

    return status;
}


static int
fwd_infer_run(fwd_infer_run_t *run)
{
    int      status;
    char     name[65], *text;
    json_t  *plan;

    if (fwd_infer_pass(run) != FWD_OK) {
        return fwd_cli_fail(run->cli);
    }

    if (run->seen.events == 0) {
        (void) fwd_error(&run->cli->err, "no event is in the file");
        return fwd_cli_fail(run->cli);
    }

    fwd_infer_name(name, sizeof(name),
                   run->cli->o.name ? run->cli->o.name : run->cli->words[0]);

    plan = fwd_infer_draft(&run->seen, name, run->cli->o.least);
    text = json_dumps(plan, JSON_INDENT(2));
    json_decref(plan);

    if (text == NULL) {
        (void) fwd_error(&run->cli->err, "out of memory");
        return fwd_cli_fail(run->cli);
    }

    status = fwd_infer_finish(run, text);
    free(text);

    return status;
}


/* What is learned is also tried: the draft is as the edge would read it. */

static int
fwd_infer_finish(fwd_infer_run_t *run, const char *text)
{
    uint64_t              events;
    martech_plan_error_t  error;

    run->plan = martech_plan_compile((const unsigned char *) text,
                                     strlen(text), &error);
    if (run->plan == NULL) {
        (void) fwd_error(&run->cli->err, "the draft is no plan: %.60s: %.160s",
                         error.pointer, error.reason);
        return fwd_cli_fail(run->cli);
    }

    events = run->events;

    if (fwd_infer_pass(run) != FWD_OK) {
        return fwd_cli_fail(run->cli);
    }

    (void) printf("%s\n", text);
    (void) fflush(stdout);
    (void) fprintf(stderr, "%" PRIu64 " events, %" PRIu64 " accepted by the "
                   "draft, %" PRIu64 " of no use, %" PRIu64 " bad lines\n",
                   events, run->accepted, run->seen.ignored, run->bad);

    if (run->events != events
        || run->accepted + run->seen.ignored < events)
    {
        (void) fwd_error(&run->cli->err, "the draft does not accept all "
                         "events: has the file changed?");
        return fwd_cli_fail(run->cli);
    }

    return FWD_CLI_OK;
}


/* The name of a file, or what was given, in the letters of plan names. */

static void
fwd_infer_name(char *out, size_t size, const char *path)
{
    size_t       n;
    const char  *p;

    p = strrchr(path, '/');
    p = p ? p + 1 : path;

    for (n = 0; *p != '\0' && n < size - 1; p++) {

        if (*p == '.' && n != 0) {
            break;
        }

        out[n++] = ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')
                    || (*p >= '0' && *p <= '9') || *p == '_' || *p == '-')
                   ? *p : '_';
    }

    if (n == 0) {
        out[n++] = '_';
    }

    out[n] = '\0';
}


static fwd_rc_t
fwd_infer_pass(fwd_infer_run_t *run)
{
    int    more;
    FILE  *in;

    in = fopen(run->cli->words[0], "rb");
    if (in == NULL) {
        return fwd_error(&run->cli->err, "%.160s: %s", run->cli->words[0],
                         strerror(errno));
    }

    run->number = 0;
    run->events = 0;
    run->bad = 0;

    for ( ;; ) {
        more = fwd_infer_line(run, in);

        if (more == 0) {
            break;
        }

        run->number++;

        if (more < 0) {
            fwd_infer_bad(run, "the line is too long");

        } else if (strspn(run->line, " \t\r") != run->len) {
            fwd_infer_document(run);
        }
    }

    more = ferror(in);
    (void) fclose(in);

    if (more) {
        return fwd_error(&run->cli->err, "%.160s: cannot be read",
                         run->cli->words[0]);
    }

    return FWD_OK;
}


/* 1: there is a line, -1: it is too long and was passed over, 0: the end. */

static int
fwd_infer_line(fwd_infer_run_t *run, FILE *in)
{
    int  c, rc;

    run->len = 0;
    rc = 1;

    for ( ;; ) {
        c = getc_unlocked(in);

        if (c == EOF || c == '\n') {
            run->line[run->len] = '\0';

            if (c == EOF && run->len == 0 && rc > 0) {
                return 0;
            }

            return rc;
        }

        if (run->len == FWD_INFER_LINE_MAX - 1) {
            rc = -1;
            run->len = 0;
        }

        run->line[run->len++] = (char) c;
    }
}


/* One event that names its type, or a batch. */

static void
fwd_infer_document(fwd_infer_run_t *run)
{
    uint32_t              node, n;
    const char           *field;
    martech_rc_t          rc;
    martech_str_t         text;
    martech_event_type_t  type;

    text.data = (const unsigned char *) run->line;
    text.len = run->len;

    if (fwd_quarantine_scan(&run->tape, text) != FWD_OK) {
        fwd_infer_bad(run, "no JSON");
        return;
    }

    type = MARTECH_EVENT_UNKNOWN;
    node = martech_json_member(&run->tape, 0, "type", 4);

    if (node != MARTECH_JSON_NONE) {
        type = martech_event_type(martech_json_slice(&run->tape, node));
    }

    rc = martech_batch_open(&run->batch, &run->tape, type, &run->limits,
                            &field);
    if (rc != MARTECH_OK) {
        fwd_infer_bad(run, node == MARTECH_JSON_NONE
                           ? "neither an event with a type nor a batch"
                           : martech_rc_name(rc));
        return;
    }

    node = run->batch.first;

    for (n = 0; n < run->batch.count; n++) {
        rc = martech_event_check(&run->event, &run->batch, node, &run->facts,
                                 &run->limits);

        if (rc != MARTECH_OK) {
            fwd_infer_bad(run, martech_rc_name(rc));

        } else if (run->plan == NULL) {
            run->events++;
            fwd_infer_add(&run->seen, &run->event);

        } else {
            run->events++;
            martech_plan_check(run->plan, &run->event, &run->work,
                               &run->verdict);
            run->accepted += (run->verdict.action == MARTECH_PLAN_ACCEPT
                              && !run->verdict.ungoverned);
        }

        node = run->tape.nodes[node].next;
    }
}


/* By number: what is in a line may be personal. */

static void
fwd_infer_bad(fwd_infer_run_t *run, const char *why)
{
    run->bad++;

    if (run->plan == NULL && run->bad <= FWD_INFER_BAD_NAMED) {
        (void) fprintf(stderr, "%s:%" PRIu64 ": %s\n", run->cli->words[0],
                       run->number, why);
    }
}
