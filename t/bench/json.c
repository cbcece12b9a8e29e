
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the event model costs: the scanner on one event, jansson's parser on
 * the same bytes in the same run, the canonical event, the writer, and a
 * batch.  Processor time of this thread; repetitions of all variants take
 * turns, so that a disturbance hits them alike, and the median counts.
 *
 *     json SAMPLE REPETITIONS MS
 *
 * Prints one line for each variant: its name, a tab, nanoseconds for one.
 */


/* system */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* libraries */
#include <jansson.h>

/* martech */
#include "martech_event.h"
#include "martech_json.h"
#include "martech_shard.h"


#define BENCH_REPETITIONS_MAX  101
#define BENCH_NODES_MAX        4096
#define BENCH_BATCH            20


/* What a variant works on. */
typedef struct {
    unsigned char         *text;
    size_t                 len;
    martech_limits_t       limits;
    martech_facts_t        facts;
    martech_json_tape_t    tape;
    martech_json_node_t    nodes[BENCH_NODES_MAX];
    martech_batch_t        batch;        /* opened on the tape */
    martech_event_t        ev;
    martech_event_type_t   type;
    unsigned char          out[BENCH_BATCH * 8192];
    size_t                 sum;          /* keeps results alive */
} bench_t;


typedef struct {
    const char            *name;
    void                 (*run)(bench_t *b);
    int                    batch;        /* works on the batch of 20 */
    unsigned               per;          /* results for one call */
    uint64_t               calls;        /* of one repetition */
    double                 ns[BENCH_REPETITIONS_MAX];
} bench_variant_t;


static void bench_scan(bench_t *b);
static void bench_jansson(bench_t *b);
static void bench_build(bench_t *b);
static void bench_whole(bench_t *b);
static void bench_writer(bench_t *b);
static void bench_shard(bench_t *b);


static bench_variant_t  bench_variants[] = {
    { "scan", bench_scan, 0, 1, 0, { 0 } },
    { "jansson parse", bench_jansson, 0, 1, 0, { 0 } },
    { "event build", bench_build, 0, 1, 0, { 0 } },
    { "scan and build", bench_whole, 0, 1, 0, { 0 } },
    { "batch of 20, one event", bench_whole, 1, BENCH_BATCH, 0, { 0 } },
    { "writer", bench_writer, 0, 1, 0, { 0 } },
    { "shard", bench_shard, 0, 1, 0, { 0 } },
};

#define BENCH_VARIANTS  (sizeof(bench_variants) / sizeof(bench_variants[0]))


static void
bench_die(const char *what)
{
    fprintf(stderr, "json: %s\n", what);
    exit(2);
}


static void
bench_scan(bench_t *b)
{
    if (martech_json_scan(&b->tape, b->text, b->len, &b->limits)
        != MARTECH_OK)
    {
        bench_die("the sample is not accepted");
    }

    b->sum += b->tape.nodes_count;
}


static void
bench_jansson(bench_t *b)
{
    json_t        *root;
    json_error_t   error;

    root = json_loadb((char *) b->text, b->len, JSON_ALLOW_NUL, &error);
    if (root == NULL) {
        bench_die("jansson does not accept the sample");
    }

    b->sum += json_object_size(root);
    json_decref(root);
}


/* Every event of the opened body in canonical form, one behind the other. */
static void
bench_build(bench_t *b)
{
    uint32_t        i, node;
    unsigned char  *out;

    out = b->out;
    node = b->batch.first;

    for (i = 0; i < b->batch.count; i++) {
        b->facts.random[0]++;

        if (martech_event_build(&b->ev, &b->batch, node, &b->facts,
                                &b->limits, out)
            != MARTECH_OK)
        {
            bench_die("the sample is not an event");
        }

        out += b->ev.len;
        node = b->tape.nodes[node].next;
    }

    b->sum += (size_t) (out - b->out);
}


static void
bench_open(bench_t *b)
{
    const char  *field;

    if (martech_batch_open(&b->batch, &b->tape, b->type, &b->limits, &field)
        != MARTECH_OK)
    {
        bench_die("the sample cannot be opened");
    }
}


static void
bench_whole(bench_t *b)
{
    bench_scan(b);
    bench_open(b);
    bench_build(b);
}


/* An answer about a batch of which three events were refused. */
static void
bench_writer(bench_t *b)
{
    int                    i;
    martech_json_writer_t  w;

    martech_json_writer_init(&w, b->out, sizeof(b->out));
    martech_json_begin(&w, '{');
    martech_json_name(&w, "success");
    martech_json_bool(&w, 1);
    martech_json_name(&w, "accepted");
    martech_json_int(&w, 497);
    martech_json_name(&w, "rejected");
    martech_json_begin(&w, '[');

    for (i = 0; i < 3; i++) {
        martech_json_begin(&w, '{');
        martech_json_name(&w, "index");
        martech_json_int(&w, i);
        martech_json_name(&w, "messageId");
        martech_json_cstring(&w, "ajs-next-1795203358901-5f1c9b2e-7d04-4a8b");
        martech_json_name(&w, "code");
        martech_json_cstring(&w, martech_rc_name(MARTECH_NO_USER_ANON_ID));
        martech_json_name(&w, "pointer");
        martech_json_cstring(&w, "/userId");
        martech_json_end(&w, '}');
    }

    martech_json_end(&w, ']');
    martech_json_end(&w, '}');

    if (w.overflow) {
        bench_die("the answer does not fit");
    }

    b->sum += (size_t) (w.pos - w.start);
}


static void
bench_shard(bench_t *b)
{
    b->sum += martech_shard(b->ev.identity, 16);
}


static uint64_t
bench_now_ns(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}


static double
bench_measure(bench_variant_t *v, bench_t *b, uint64_t calls)
{
    uint64_t  i, start;

    start = bench_now_ns();

    for (i = 0; i < calls; i++) {
        v->run(b);
    }

    return (double) (bench_now_ns() - start);
}


/* How many calls fill one repetition. */
static void
bench_calibrate(bench_variant_t *v, bench_t *b, double ns)
{
    double  spent;

    for (v->calls = 16; /* void */ ; v->calls *= 2) {
        spent = bench_measure(v, b, v->calls);

        if (spent > ns / 8) {
            v->calls = 1 + (uint64_t) ((double) v->calls * ns / spent);
            return;
        }
    }
}


static int
bench_compare(const void *one, const void *two)
{
    double  a, b;

    a = *(const double *) one;
    b = *(const double *) two;

    return (a > b) - (a < b);
}


static unsigned char *
bench_read(const char *path, size_t *len)
{
    FILE           *f;
    unsigned char  *text;

    f = fopen(path, "rb");
    if (f == NULL) {
        bench_die("cannot open the sample");
    }

    text = malloc(65536);
    if (text == NULL) {
        bench_die("no memory");
    }

    *len = fread(text, 1, 65536, f);
    fclose(f);

    return text;
}


/* A body of twenty events from the sample. */
static void
bench_make_batch(bench_t *b, const unsigned char *text, size_t len)
{
    int             i;
    unsigned char  *p;

    b->text = malloc(BENCH_BATCH * (len + 1) + 16);
    if (b->text == NULL) {
        bench_die("no memory");
    }

    p = b->text;
    memcpy(p, "{\"batch\":[", 10);
    p += 10;

    for (i = 0; i < BENCH_BATCH; i++) {

        if (i > 0) {
            *p++ = ',';
        }

        memcpy(p, text, len);
        p += len;
    }

    memcpy(p, "]}", 2);
    p += 2;

    b->len = (size_t) (p - b->text);
}


static void
bench_init(bench_t *b, martech_event_type_t type)
{
    static const martech_str_t  source = martech_string("web");
    static const martech_str_t  dialect = martech_string("segment");
    static const martech_str_t  request_id =
                         martech_string("0123456789abcdef0123456789abcdef");
    static const martech_str_t  ip = martech_string("192.0.2.1");
    static const martech_str_t  agent =
        martech_string("Mozilla/5.0 (X11; Linux x86_64; rv:140.0)"
                       " Gecko/20100101 Firefox/140.0");

    martech_limits_default(&b->limits);

    b->type = type;
    b->tape.nodes = b->nodes;
    b->tape.nodes_max = BENCH_NODES_MAX;
    b->facts.now_ms = 1795203360123;
    b->facts.source = source;
    b->facts.dialect = dialect;
    b->facts.request_id = request_id;
    b->facts.ip = ip;
    b->facts.user_agent = agent;

    bench_whole(b);
}


int
main(int argc, char *argv[])
{
    int                i, reps;
    double             ns;
    size_t             v;
    bench_t           *one, *batch, *b;
    bench_variant_t   *variant;

    if (argc != 4) {
        bench_die("usage: json SAMPLE REPETITIONS MS");
    }

    reps = atoi(argv[2]);
    ns = atof(argv[3]) * 1e6;

    if (reps < 1 || reps > BENCH_REPETITIONS_MAX || ns <= 0) {
        bench_die("bad number of repetitions or milliseconds");
    }

    one = calloc(1, sizeof(bench_t));
    batch = calloc(1, sizeof(bench_t));

    if (one == NULL || batch == NULL) {
        bench_die("no memory");
    }

    one->text = bench_read(argv[1], &one->len);
    bench_make_batch(batch, one->text, one->len);

    bench_init(one, MARTECH_EVENT_TRACK);
    bench_init(batch, MARTECH_EVENT_UNKNOWN);

    for (v = 0; v < BENCH_VARIANTS; v++) {
        variant = &bench_variants[v];
        bench_calibrate(variant, variant->batch ? batch : one, ns);
    }

    for (i = 0; i < reps; i++) {
        for (v = 0; v < BENCH_VARIANTS; v++) {
            variant = &bench_variants[v];
            b = variant->batch ? batch : one;

            variant->ns[i] = bench_measure(variant, b, variant->calls)
                             / (double) variant->calls / variant->per;
        }
    }

    for (v = 0; v < BENCH_VARIANTS; v++) {
        variant = &bench_variants[v];
        qsort(variant->ns, (size_t) reps, sizeof(double), bench_compare);
        printf("%s\t%.1f\n", variant->name, variant->ns[reps / 2]);
    }

    if (one->sum + batch->sum == 0) {
        bench_die("nothing was done");
    }

    free(one->text);
    free(batch->text);
    free(one);
    free(batch);

    return 0;
}
