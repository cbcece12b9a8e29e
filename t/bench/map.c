
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What maps cost: fwd_map_run() with the writer of records, over the events
 * of a destination's own goldens that give a record.  Processor time of this
 * thread; maps take turns, and the median of the repetitions counts.
 *
 *     map REFERENCE ORDER REPETITIONS MS FOLDER...
 *
 * REFERENCE is a folder whose map runs over the same events, ORDER a file with
 * one canonical event that all maps run over as well.  Prints one line for
 * each folder: its name, the number of events, and nanoseconds of one: of the
 * goldens, of ORDER (0: no record), and of the goldens by the reference;
 * separated by tabs.
 *
 *     map REFERENCE ORDER calls N FOLDER
 *
 * runs a map N times over its events and does nothing else, for callgrind.
 */


/* system */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* martech */
#include "../../martech/martech_time.h"

/* forwarder */
#include "../../forwarder/fwd_cli_event.h"
#include "../../forwarder/fwd_map.h"
#include "../../forwarder/fwd_try.h"


#define BENCH_REPETITIONS_MAX  101
#define BENCH_FOLDERS_MAX      100
#define BENCH_GOLDENS_MAX      1000
#define BENCH_EVENTS_MAX       1000
#define BENCH_GOLDEN_SIZE_MAX  (1024 * 1024)
#define BENCH_EVENT_SIZE_MAX   3000      /* larger ones are there for limits */
#define BENCH_WARM             50


/* A map, as settings make it. */
typedef struct bench_program_s  bench_program_t;

struct bench_program_s {
    char                 *settings;
    fwd_dest_conf_t       conf;
    fwd_map_t            *map;
    bench_program_t      *next;
};


typedef struct {
    fwd_map_t            *map;
    martech_str_t         text;
    uint64_t              now_ms;
} bench_event_t;


typedef struct {
    bench_event_t         events[BENCH_EVENTS_MAX];
    uint32_t              count;
    uint64_t              calls;         /* of one repetition */
    double                ns[BENCH_REPETITIONS_MAX];
} bench_mix_t;


typedef struct {
    const char           *name;
    fwd_desc_t           *desc;
    bench_program_t      *programs;
    bench_mix_t           goldens;
    bench_mix_t           order;
    bench_mix_t           reference;
} bench_folder_t;


static fwd_pool_t    bench_pool;
static fwd_report_t  bench_report = { .pool = &bench_pool };


static void
bench_die(const char *what, const char *about)
{
    size_t  i;

    for (i = 0; i < bench_report.count && i < FWD_REPORT_MAX; i++) {
        fprintf(stderr, "%s\n", bench_report.texts[i]);
    }

    fprintf(stderr, "map: %s: %s\n", about, what);
    exit(2);
}


/* ---- events and maps ---- */

static fwd_rc_t
bench_record(void *data, const fwd_record_t *record)
{
    size_t  *bytes = data;

    if (record->kind == FWD_RECORD_SEND) {
        *bytes += record->text.len;
    }

    return FWD_OK;
}


/* Bytes of the records that are sent. */
static size_t
bench_run(const bench_event_t *ev)
{
    size_t       bytes;
    fwd_error_t  err;

    bytes = 0;

    if (fwd_map_run(ev->map, ev->text, NULL, ev->now_ms, bench_record, &bytes,
                    &err)
        != FWD_OK)
    {
        return 0;
    }

    return bytes;
}


static bench_program_t *
bench_program(bench_folder_t *folder, const char *settings)
{
    bench_program_t  *p;

    for (p = folder->programs; p != NULL; p = p->next) {
        if (strcmp(p->settings, settings) == 0) {
            return p;
        }
    }

    p = calloc(1, sizeof(bench_program_t));

    if (p == NULL) {
        bench_die("no memory", folder->name);
    }

    p->settings = fwd_pool_string(&bench_pool, settings, strlen(settings));

    if (fwd_try_conf(&p->conf, folder->desc, settings, "production",
                     &bench_report, &bench_pool)
        != FWD_OK
        || fwd_map_create(&p->map, &p->conf, &bench_report) != FWD_OK)
    {
        bench_die("cannot be loaded", folder->name);
    }

    p->next = folder->programs;
    folder->programs = p;

    return p;
}


static uint64_t
bench_time(const json_t *text)
{
    int64_t      ms;
    const char  *s;

    s = json_string_value(text);

    if (s == NULL
        || martech_time_parse((const unsigned char *) s, strlen(s), &ms)
           != MARTECH_OK)
    {
        return 0;
    }

    return (uint64_t) ms;
}


static void
bench_add(bench_mix_t *mix, fwd_map_t *map, martech_str_t text,
    uint64_t now_ms)
{
    bench_event_t  *ev;

    if (mix->count == BENCH_EVENTS_MAX) {
        bench_die("too many events", "goldens");
    }

    ev = &mix->events[mix->count++];
    ev->map = map;
    ev->text = text;
    ev->now_ms = now_ms;
}


/* Those that give a record and have the size of an event. */
static void
bench_golden(bench_folder_t *folder, fwd_map_t *reference, const char *file)
{
    size_t            i;
    json_t           *doc, *events;
    uint64_t          now_ms;
    fwd_error_t       err;
    const char       *settings;
    bench_mix_t      *mix;
    martech_str_t     text;
    bench_program_t  *p;

    doc = fwd_cli_file_json(file, BENCH_GOLDEN_SIZE_MAX, &err);
    events = json_object_get(doc, "events");
    now_ms = bench_time(json_object_get(doc, "now"));

    if (events == NULL) {
        json_decref(doc);
        return;
    }

    settings = json_object_get(doc, "settings")
               ? fwd_cli_json_text(json_object_get(doc, "settings"),
                                   &bench_pool, NULL)
               : "{}";
    p = bench_program(folder, settings);
    mix = &folder->goldens;

    for (i = 0; i < json_array_size(events); i++) {
        text.data = (const unsigned char *)
                    fwd_cli_json_text(json_array_get(events, i), &bench_pool,
                                      &text.len);

        if (text.len > BENCH_EVENT_SIZE_MAX
            || strstr((const char *) text.data, "\"@repeat\"") != NULL)
        {
            continue;
        }

        bench_add(mix, p->map, text, now_ms);

        if (bench_run(&mix->events[mix->count - 1]) == 0) {
            mix->count--;
            continue;
        }

        bench_add(&folder->reference, reference, text, now_ms);
    }

    json_decref(doc);
}


static int
bench_by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}


static void
bench_goldens(bench_folder_t *folder, fwd_map_t *reference, const char *path)
{
    DIR            *dir;
    char           *names[BENCH_GOLDENS_MAX];
    size_t          i, count;
    const char     *goldens;
    struct dirent  *entry;

    goldens = fwd_pool_printf(&bench_pool, "%s/golden", path);
    dir = opendir(goldens);
    memset(names, 0, sizeof(names));
    count = 0;

    while (dir != NULL && count < BENCH_GOLDENS_MAX) {
        entry = readdir(dir);

        if (entry == NULL) {
            break;
        }

        if (entry->d_name[0] != '.') {
            names[count++] = fwd_pool_printf(&bench_pool, "%s/%s", goldens,
                                             entry->d_name);
        }
    }

    if (dir != NULL) {
        closedir(dir);
    }

    qsort(names, count, sizeof(char *), bench_by_name);

    for (i = 0; i < count; i++) {
        bench_golden(folder, reference, names[i]);
    }

    if (folder->goldens.count == 0) {
        bench_die("no golden gives a record", folder->name);
    }
}


/* By the settings of the first golden with which it gives a record. */
static void
bench_order(bench_folder_t *folder, martech_str_t text)
{
    uint32_t              i;
    const bench_event_t  *ev;

    for (i = 0; i < folder->goldens.count; i++) {
        ev = &folder->goldens.events[i];
        bench_add(&folder->order, ev->map, text, ev->now_ms);

        if (bench_run(&folder->order.events[0]) != 0) {
            return;
        }

        folder->order.count = 0;
    }
}


static void
bench_load(bench_folder_t *folder, const char *path)
{
    const char  *slash;

    slash = strrchr(path, '/');
    folder->name = slash ? slash + 1 : path;

    if (fwd_desc_load(&folder->desc, path, folder->name, &bench_report,
                      &bench_pool)
        != FWD_OK
        || folder->desc->map == NULL)
    {
        bench_die("is no destination with a map", path);
    }
}


static martech_str_t
bench_read(const char *file)
{
    json_t         *doc;
    fwd_error_t     err;
    martech_str_t   text;

    doc = fwd_cli_file_json(file, BENCH_GOLDEN_SIZE_MAX, &err);

    if (doc == NULL) {
        bench_die("cannot be read", file);
    }

    text.data = (const unsigned char *) fwd_cli_json_text(doc, &bench_pool,
                                                          &text.len);
    json_decref(doc);

    return text;
}


/* ---- measuring ---- */

static uint64_t
bench_now_ns(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}


/* Nanoseconds of one event. */
static double
bench_measure(const bench_mix_t *mix)
{
    uint32_t  e;
    uint64_t  i, start;

    start = bench_now_ns();

    for (i = 0; i < mix->calls; i++) {
        for (e = 0; e < mix->count; e++) {
            (void) bench_run(&mix->events[e]);
        }
    }

    return (double) (bench_now_ns() - start)
           / (double) (mix->calls * mix->count);
}


static void
bench_calibrate(bench_mix_t *mix, double ns)
{
    if (mix->count != 0) {
        mix->calls = 1 + BENCH_WARM / mix->count;
        mix->calls = 1 + (uint64_t) (ns / bench_measure(mix) / mix->count);
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


static double
bench_median(bench_mix_t *mix, int reps)
{
    qsort(mix->ns, (size_t) reps, sizeof(double), bench_compare);

    return mix->ns[reps / 2];
}


static void
bench_turns(bench_folder_t *folders, int count, int reps, double ns)
{
    int              i, r;
    bench_folder_t  *f;

    for (i = 0; i < count; i++) {
        bench_calibrate(&folders[i].goldens, ns);
        bench_calibrate(&folders[i].order, ns);
        bench_calibrate(&folders[i].reference, ns);
    }

    for (r = 0; r < reps; r++) {
        for (i = 0; i < count; i++) {
            f = &folders[i];
            f->goldens.ns[r] = bench_measure(&f->goldens);
            f->reference.ns[r] = bench_measure(&f->reference);
            f->order.ns[r] = f->order.count ? bench_measure(&f->order) : 0;
        }
    }

    for (i = 0; i < count; i++) {
        f = &folders[i];
        printf("%s\t%u\t%.0f\t%.0f\t%.0f\n", f->name, f->goldens.count,
               bench_median(&f->goldens, reps), bench_median(&f->order, reps),
               bench_median(&f->reference, reps));
    }
}


int
main(int argc, char *argv[])
{
    int               i, reps, count;
    double            ns;
    fwd_map_t        *map;
    martech_str_t     order;
    bench_folder_t   *reference, *folders;

    count = argc - 5;

    if (count < 1 || count > BENCH_FOLDERS_MAX) {
        bench_die("REFERENCE ORDER REPETITIONS MS FOLDER...", "usage");
    }

    (void) clearenv();                   /* jq copies it into programs */
    fwd_pool_init(&bench_pool);

    reference = calloc(1, sizeof(bench_folder_t));
    folders = calloc((size_t) count, sizeof(bench_folder_t));

    if (reference == NULL || folders == NULL) {
        bench_die("no memory", "start");
    }

    bench_load(reference, argv[1]);
    map = bench_program(reference, "{\"url\": \"https://example.com/\"}")->map;
    order = bench_read(argv[2]);

    for (i = 0; i < count; i++) {
        bench_load(&folders[i], argv[5 + i]);
        bench_goldens(&folders[i], map, argv[5 + i]);
        bench_order(&folders[i], order);
    }

    if (strcmp(argv[3], "calls") == 0) {
        folders[0].goldens.calls = strtoul(argv[4], NULL, 10);
        (void) bench_measure(&folders[0].goldens);
        return 0;
    }

    reps = atoi(argv[3]);
    ns = atof(argv[4]) * 1e6;

    if (reps < 1 || reps > BENCH_REPETITIONS_MAX || ns <= 0) {
        bench_die("bad number of repetitions or milliseconds", "arguments");
    }

    bench_turns(folders, count, reps, ns);

    return 0;
}
