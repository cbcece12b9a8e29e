
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the check of an event against a tracking plan costs: the scan and the
 * check together, the check alone, and an event that violates it.  Processor
 * time of this thread; the variants take turns, and the median counts.
 *
 *     plan PLAN EVENT REPETITIONS MS    one line a variant: name, tab, ns
 *     plan PLAN verdicts                of the events on stdin, one a line:
 *                                       1 if it has no violation
 *     plan PLAN EVENT calls COUNT       so many checks, for counting
 *                                       instructions
 */


/* system */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* martech */
#include "martech_event.h"
#include "martech_json.h"
#include "martech_plan.h"


#define BENCH_REPETITIONS_MAX  101
#define BENCH_NODES_MAX        4096
#define BENCH_FILE_MAX         (1024 * 1024)
#define BENCH_ROUND            64        /* events between two looks at the
                                            clock */


typedef struct {
    const unsigned char     *text;
    size_t                   len;
    martech_limits_t         limits;
    martech_facts_t          facts;
    martech_json_tape_t      tape;
    martech_json_node_t      nodes[BENCH_NODES_MAX];
    martech_batch_t          batch;
    martech_event_t          ev;
    martech_plan_t          *plan;
    martech_plan_work_t      work;
    martech_plan_verdict_t   verdict;
    uint64_t                 sum;
} bench_t;


typedef struct {
    const char              *name;
    void                   (*run)(bench_t *b);
    int                      broken;     /* on the event with violations */
    double                   ns[BENCH_REPETITIONS_MAX];
} bench_variant_t;


static void bench_scan(bench_t *b);
static void bench_check(bench_t *b);
static void bench_whole(bench_t *b);


static bench_variant_t  bench_variants[] = {
    { "scan and check", bench_whole, 0, { 0 } },
    { "check", bench_check, 0, { 0 } },
    { "scan", bench_scan, 0, { 0 } },
    { "scan and check, violations", bench_whole, 1, { 0 } },
};

#define BENCH_VARIANTS  (sizeof(bench_variants) / sizeof(bench_variants[0]))


static void
bench_die(const char *what)
{
    fprintf(stderr, "plan: %s\n", what);
    exit(2);
}


static void
bench_scan(bench_t *b)
{
    if (martech_json_scan(&b->tape, b->text, b->len, &b->limits)
        != MARTECH_OK)
    {
        bench_die("the event is no JSON");
    }
}


static void
bench_event(bench_t *b)
{
    const char  *field;

    if (martech_batch_open(&b->batch, &b->tape, MARTECH_EVENT_TRACK,
                           &b->limits, &field)
        != MARTECH_OK
        || martech_event_check(&b->ev, &b->batch, b->batch.first, &b->facts,
                               &b->limits)
           != MARTECH_OK)
    {
        bench_die("the event is not accepted");
    }
}


static void
bench_check(bench_t *b)
{
    martech_plan_check(b->plan, &b->ev, &b->work, &b->verdict);
    b->sum += b->verdict.count;
}


/* The event is read once in any case: that is not the plan's. */
static void
bench_whole(bench_t *b)
{
    bench_scan(b);
    bench_check(b);
}


static unsigned char *
bench_read(const char *path, size_t *len)
{
    FILE           *f;
    unsigned char  *text;

    f = fopen(path, "rb");
    text = malloc(BENCH_FILE_MAX);

    if (f == NULL || text == NULL) {
        bench_die("cannot read a file");
    }

    *len = fread(text, 1, BENCH_FILE_MAX, f);
    fclose(f);

    return text;
}


static bench_t *
bench_make(martech_plan_t *plan, const unsigned char *text, size_t len)
{
    bench_t                     *b;
    static const martech_str_t   source = martech_string("web");

    b = calloc(1, sizeof(bench_t));
    if (b == NULL) {
        bench_die("no memory");
    }

    martech_limits_default(&b->limits);

    b->plan = plan;
    b->text = text;
    b->len = len;
    b->tape.nodes = b->nodes;
    b->tape.nodes_max = BENCH_NODES_MAX;
    b->facts.now_ms = 1795203360123;
    b->facts.source = source;

    bench_scan(b);
    bench_event(b);

    return b;
}


/* The event with a wrong type, a wrong pattern and an unknown value. */
static const unsigned char *
bench_break(const unsigned char *text, size_t len)
{
    char         *copy;
    size_t        i;
    static const  struct {
        const char  *from, *to;
    } changes[] = {
        { "\"total\":129.9", "\"total\":\"9.9\"" },
        { "\"EUR\"", "\"eur\"" },
        { "\"express\"", "\"eXpress\"" },
    };

    copy = calloc(1, len + 1);
    if (copy == NULL) {
        bench_die("no memory");
    }

    memcpy(copy, text, len);

    for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        char  *p;

        p = strstr(copy, changes[i].from);
        if (p == NULL) {
            bench_die("the event is not the one that is known");
        }

        memcpy(p, changes[i].to, strlen(changes[i].to));
    }

    return (unsigned char *) copy;
}


static uint64_t
bench_now_ns(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}


static double
bench_measure(bench_variant_t *v, bench_t *b, double ns)
{
    int       i;
    uint64_t  start, spent, calls;

    start = bench_now_ns();
    calls = 0;

    do {
        for (i = 0; i < BENCH_ROUND; i++) {
            v->run(b);
        }

        calls += BENCH_ROUND;
        spent = bench_now_ns() - start;

    } while ((double) spent < ns);

    return (double) spent / (double) calls;
}


static int
bench_compare(const void *one, const void *two)
{
    double  a, b;

    a = *(const double *) one;
    b = *(const double *) two;

    return (a > b) - (a < b);
}


static int
bench_verdicts(martech_plan_t *plan)
{
    char     *line;
    size_t    size;
    ssize_t   len;
    bench_t  *b;

    line = NULL;
    size = 0;

    for ( ;; ) {
        len = getline(&line, &size, stdin);
        if (len <= 0) {
            break;
        }

        b = bench_make(plan, (unsigned char *) line, (size_t) len - 1);
        bench_check(b);
        printf("%d\n", b->verdict.count == 0);
        free(b);
    }

    free(line);

    return 0;
}


static void
bench_run(bench_t *one, bench_t *broken, int reps, double ns)
{
    int               i;
    size_t            v;
    bench_variant_t  *variant;

    for (i = 0; i < reps; i++) {
        for (v = 0; v < BENCH_VARIANTS; v++) {
            variant = &bench_variants[v];
            variant->ns[i] = bench_measure(variant, variant->broken ? broken
                                                                    : one, ns);
        }
    }

    for (v = 0; v < BENCH_VARIANTS; v++) {
        variant = &bench_variants[v];
        qsort(variant->ns, (size_t) reps, sizeof(double), bench_compare);
        printf("%s\t%.2f\n", variant->name, variant->ns[reps / 2]);
    }
}


int
main(int argc, char *argv[])
{
    long                    i, calls;
    size_t                  len;
    bench_t                *one, *broken;
    unsigned char          *text;
    martech_plan_t         *plan;
    martech_plan_error_t    error;

    if (argc != 3 && argc != 5) {
        bench_die("usage: plan PLAN verdicts | PLAN EVENT REPETITIONS MS | "
                  "PLAN EVENT calls COUNT");
    }

    text = bench_read(argv[1], &len);
    plan = martech_plan_compile(text, len, &error);
    free(text);

    if (plan == NULL) {
        fprintf(stderr, "plan: %s: %s\n", error.pointer, error.reason);
        return 2;
    }

    if (argc == 3) {
        return bench_verdicts(plan);
    }

    text = bench_read(argv[2], &len);
    one = bench_make(plan, text, len);
    broken = bench_make(plan, bench_break(text, len), len);

    bench_check(one);
    bench_check(broken);

    if (one->verdict.count != 0 || broken->verdict.count != 3) {
        bench_die("the events are not judged as they should be");
    }

    if (strcmp(argv[3], "calls") == 0) {
        calls = atol(argv[4]);

        for (i = 0; i < calls; i++) {
            bench_whole(one);
        }

        return 0;
    }

    i = atol(argv[3]);

    if (i < 1 || i > BENCH_REPETITIONS_MAX) {
        bench_die("bad number of repetitions");
    }

    bench_run(one, broken, (int) i, atof(argv[4]) * 1e6);

    return 0;
}
