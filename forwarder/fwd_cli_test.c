
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * "test": reads descriptions of destinations and runs their golden files.
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE                      /* clearenv() */
#endif

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include "fwd_cli_test.h"


#define FWD_TEST_FOLDERS    "destinations"
#define FWD_TEST_INSTALLED  "/usr/share/martech/destinations"
#define FWD_TEST_FILES_MAX  10000


typedef struct {
    fwd_cli_t            *cli;
    uint32_t              destinations;
    uint32_t              goldens;
    uint32_t              failed;        /* of both */
    fwd_map_t            *map;           /* of the destination at hand */
    fwd_map_t            *answer;
    unsigned              color:1;
} fwd_test_t;


static fwd_rc_t fwd_test_word(fwd_test_t *t, const char *word);
static int fwd_test_is(const char *folder, const char *file);
static uint32_t fwd_test_folders(fwd_test_t *t, const char *folder);
static void fwd_test_destination(fwd_test_t *t, const char *folder);
static void fwd_test_golden(fwd_test_t *t, const fwd_desc_t *desc,
    const char *file);
static uint32_t fwd_test_list(const char *folder, const char *end,
    char ***list);
static void fwd_test_list_free(char **list, uint32_t count);
static int fwd_test_order(const void *a, const void *b);
static void fwd_test_report(const fwd_report_t *report);


int
fwd_cli_test(fwd_cli_t *cli)
{
    size_t      i;
    fwd_test_t  t;

    memset(&t, 0, sizeof(t));
    t.cli = cli;
    t.color = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;

    (void) clearenv();                   /* jq copies it into programs */

    if (cli->words_count == 0
        && fwd_test_word(&t, FWD_TEST_FOLDERS) != FWD_OK)
    {
        return fwd_cli_fail(cli);
    }

    for (i = 0; i < cli->words_count; i++) {
        if (fwd_test_word(&t, cli->words[i]) != FWD_OK) {
            return fwd_cli_fail(cli);
        }
    }

    (void) printf("%u destination%s, %u golden%s, %u failed\n",
                  t.destinations, t.destinations == 1 ? "" : "s", t.goldens,
                  t.goldens == 1 ? "" : "s", t.failed);

    return t.failed == 0 ? FWD_CLI_OK : FWD_CLI_FAILED;
}


/* A destination, a folder of destinations, or the name of one of ours. */

static fwd_rc_t
fwd_test_word(fwd_test_t *t, const char *word)
{
    size_t       i;
    const char  *folders[3];

    folders[0] = word;
    folders[1] = fwd_pool_printf(&t->cli->pool, FWD_TEST_FOLDERS "/%s", word);
    folders[2] = fwd_pool_printf(&t->cli->pool, FWD_TEST_INSTALLED "/%s",
                                 word);

    for (i = 0; i < 3; i++) {

        if (fwd_test_is(folders[i], "destination.yaml")) {
            fwd_test_destination(t, folders[i]);
            return FWD_OK;
        }

        if (i == 0 && fwd_test_folders(t, folders[i]) != 0) {
            return FWD_OK;
        }
    }

    return fwd_error(&t->cli->err, "\"%s\": there is no destination, neither "
                     "a folder of that name nor %s nor %s", word, folders[1],
                     folders[2]);
}


static int
fwd_test_is(const char *folder, const char *file)
{
    char         path[4096];
    struct stat  st;

    return (size_t) snprintf(path, sizeof(path), "%s/%s", folder, file)
           < sizeof(path)
           && stat(path, &st) == 0;
}


static uint32_t
fwd_test_folders(fwd_test_t *t, const char *folder)
{
    char      **list;
    uint32_t    i, count, found;

    found = 0;
    count = fwd_test_list(folder, "", &list);

    for (i = 0; i < count; i++) {

        if (list[i][0] != '.'
            && fwd_test_is(folder, fwd_pool_printf(&t->cli->pool,
                                                   "%s/destination.yaml",
                                                   list[i])))
        {
            fwd_test_destination(t, fwd_pool_printf(&t->cli->pool, "%s/%s",
                                                    folder, list[i]));
            found++;
        }
    }

    fwd_test_list_free(list, count);

    return found;
}


static void
fwd_test_destination(fwd_test_t *t, const char *folder)
{
    char          *real, **list;
    uint32_t       i, count, failed;
    fwd_desc_t    *desc;
    fwd_pool_t     pool;
    const char    *name, *goldens;
    fwd_report_t   report;

    t->destinations++;
    fwd_pool_init(&pool);

    memset(&report, 0, sizeof(report));
    report.pool = &pool;

    /* "." has a name too */

    real = realpath(folder, NULL);
    name = real ? strrchr(real, '/') + 1 : folder;
    name = fwd_pool_string(&pool, name, strlen(name));
    free(real);

    if (fwd_desc_load(&desc, folder, name, &report, &pool) != FWD_OK) {
        fwd_test_report(&report);
        t->failed++;
        fwd_pool_free(&pool);
        return;
    }

    fwd_test_report(&report);

    goldens = fwd_pool_printf(&pool, "%s/golden", folder);
    count = fwd_test_list(goldens, ".json", &list);
    failed = t->failed;

    for (i = 0; i < count; i++) {
        fwd_test_golden(t, desc, fwd_pool_printf(&pool, "%s/%s", goldens,
                                                 list[i]));
    }

    fwd_test_list_free(list, count);

    fwd_map_destroy(t->map);
    fwd_map_destroy(t->answer);
    t->map = NULL;
    t->answer = NULL;

    failed = t->failed - failed;

    if (count == 0) {
        (void) printf("%s: there is nothing to test, no file matches "
                      "%s/*.json\n", name, goldens);
        t->failed++;

    } else if (failed != 0) {
        (void) printf("%s: %u of %u goldens failed\n", name, failed, count);

    } else {
        (void) printf("%s: %u golden%s ok\n", name, count,
                      count == 1 ? "" : "s");
    }

    (void) fflush(stdout);
    fwd_pool_free(&pool);
}


static void
fwd_test_golden(fwd_test_t *t, const fwd_desc_t *desc, const char *file)
{
    fwd_pool_t    pool;
    fwd_error_t   err;
    fwd_golden_t  g;

    t->goldens++;
    fwd_pool_init(&pool);

    memset(&g, 0, sizeof(g));
    g.file = file;
    g.desc = desc;
    g.pool = &pool;
    g.map = &t->map;
    g.answer = &t->answer;
    g.color = t->color;
    g.doc = fwd_cli_file_json(file, FWD_GOLDEN_SIZE_MAX, &err);

    if (g.doc == NULL) {
        (void) printf("%s\n", err.text);
        g.differences = 1;

    } else if (json_object_get(g.doc, "exchange") != NULL) {
        fwd_golden_exchange(&g);

    } else if (json_object_get(g.doc, "events") != NULL) {
        fwd_golden_events(&g);

    } else if (json_object_get(g.doc, "answer") != NULL) {
        fwd_golden_answer(&g);

    } else {
        fwd_golden_say(&g, "", "neither \"events\" nor \"answer\" is there");
    }

    fwd_golden_end(&g);
    t->failed += (g.differences != 0);

    json_decref(g.doc);
    fwd_pool_free(&pool);
}


fwd_rc_t
fwd_golden_conf(fwd_golden_t *g)
{
    size_t         i;
    const char    *environment;
    fwd_report_t   report;
    const json_t  *settings;

    memset(&report, 0, sizeof(report));
    report.pool = g->pool;

    settings = json_object_get(g->doc, "settings");
    environment = json_string_value(json_object_get(g->doc, "environment"));

    if (fwd_try_conf(&g->conf, g->desc,
                     settings ? fwd_cli_json_text(settings, g->pool, NULL)
                              : "{}",
                     environment ? environment : "production", &report,
                     g->pool)
        != FWD_OK)
    {
        for (i = 0; i < report.count && i < FWD_REPORT_MAX; i++) {
            fwd_golden_say(g, "", "%s", report.texts[i]);
        }

        return FWD_ERROR;
    }

    /* as a configuration has them that says nothing */

    g->conf.wanted.enabled = 1;
    g->conf.wanted.rollout = 10000;

    return FWD_OK;
}


int
fwd_golden_members(fwd_golden_t *g, const char *path, const json_t *object,
    const char *const *names)
{
    void    *iter;
    size_t   i;

    iter = json_object_iter((json_t *) object);

    while (iter != NULL) {

        for (i = 0; names[i] != NULL; i++) {
            if (strcmp(names[i], json_object_iter_key(iter)) == 0) {
                break;
            }
        }

        if (names[i] == NULL) {
            fwd_golden_say(g, path, "\"%s\" is not known",
                           json_object_iter_key(iter));
            return 0;
        }

        iter = json_object_iter_next((json_t *) object, iter);
    }

    return 1;
}


/* The names in a folder that end so, sorted. */

static uint32_t
fwd_test_list(const char *folder, const char *end, char ***out)
{
    DIR            *dir;
    char          **list;
    size_t          len;
    uint32_t        count;
    struct dirent  *entry;

    *out = NULL;
    count = 0;
    dir = opendir(folder);
    list = calloc(FWD_TEST_FILES_MAX, sizeof(char *));

    while (dir != NULL && list != NULL && count < FWD_TEST_FILES_MAX) {
        entry = readdir(dir);

        if (entry == NULL) {
            break;
        }

        len = strlen(entry->d_name);

        if (len > strlen(end)
            && strcmp(entry->d_name + len - strlen(end), end) == 0)
        {
            list[count] = strdup(entry->d_name);
            count += (list[count] != NULL);
        }
    }

    if (dir != NULL) {
        (void) closedir(dir);
    }

    if (count != 0) {
        qsort(list, count, sizeof(char *), fwd_test_order);
    }

    *out = list;

    return count;
}


static void
fwd_test_list_free(char **list, uint32_t count)
{
    while (count-- != 0) {
        free(list[count]);
    }

    free(list);
}


static int
fwd_test_order(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}


static void
fwd_test_report(const fwd_report_t *report)
{
    size_t  i;

    (void) fflush(stdout);

    for (i = 0; i < report->count && i < FWD_REPORT_MAX; i++) {
        (void) fprintf(stderr, "%s\n", report->texts[i]);
    }

    for (i = 0; i < report->warnings_count && i < FWD_REPORT_MAX; i++) {
        (void) fprintf(stderr, "%s\n", report->warnings[i]);
    }
}
