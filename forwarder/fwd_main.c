
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * martech-forwarder: the command line, signals, and the order of start and
 * end.
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE                      /* clearenv() */
#endif

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include <curl/curl.h>
#include <uv.h>

#include "fwd_answer.h"
#include "fwd_config.h"
#include "fwd_core.h"
#include "fwd_engine.h"


#define FWD_EXIT_OK      0
#define FWD_EXIT_FAILED  1
#define FWD_EXIT_USAGE   2


typedef struct {
    fwd_config_t          conf;
    fwd_core_t            core;
    fwd_engine_t          engine;
    fwd_log_t            *log;
    uv_loop_t             loop;
    uv_signal_t           signals[3];
    const char           *fail_at;       /* MARTECH_FAIL_AT, or NULL */
    unsigned              signaled:1;
} fwd_main_t;


typedef struct {
    const char           *name;
    int                 (*run)(const char *file);
    unsigned              file:1;        /* needs -c FILE */
} fwd_command_t;


static int fwd_main_run(const char *file);
static int fwd_main_check(const char *file);
static int fwd_main_version(const char *file);
static int fwd_main_help(const char *file);
static int fwd_main_usage(const char *what, const char *word);
static fwd_rc_t fwd_main_load(fwd_main_t *m, const char *file,
    fwd_report_t *report);
static void fwd_main_print(const char *const *texts, size_t count);
static int fwd_main_loop(fwd_main_t *m);
static void fwd_main_signals(fwd_main_t *m);
static void fwd_main_signal(uv_signal_t *handle, int signum);
static void fwd_main_stopped(void *data);


static const fwd_command_t  fwd_commands[] = {
    { "run", fwd_main_run, 1 },
    { "check", fwd_main_check, 1 },
    { "version", fwd_main_version, 0 },
    { "help", fwd_main_help, 0 },
    { NULL, NULL, 0 }
};


static const int  fwd_main_signums[] = { SIGTERM, SIGINT, SIGHUP };


int
main(int argc, char **argv)
{
    const char           *file;
    const fwd_command_t  *command;

    if (argc < 2) {
        return fwd_main_usage("a command is missing", NULL);
    }

    for (command = fwd_commands; command->name != NULL; command++) {
        if (strcmp(command->name, argv[1]) == 0) {
            break;
        }
    }

    if (command->name == NULL) {
        return fwd_main_usage("unknown command", argv[1]);
    }

    file = NULL;

    if (command->file) {
        if (argc != 4 || strcmp(argv[2], "-c") != 0) {
            return fwd_main_usage("-c FILE is missing after", argv[1]);
        }

        file = argv[3];

    } else if (argc != 2) {
        return fwd_main_usage("unknown argument", argv[2]);
    }

    return command->run(file);
}


static int
fwd_main_usage(const char *what, const char *word)
{
    (void) fprintf(stderr, "martech-forwarder: %s%s%s%s; see "
                   "\"martech-forwarder help\"\n", what, word ? " \"" : "",
                   word ? word : "", word ? "\"" : "");

    return FWD_EXIT_USAGE;
}


static int
fwd_main_help(const char *file)
{
    (void) file;

    (void) printf("usage: martech-forwarder COMMAND\n\n"
                  "  run -c FILE     deliver events until SIGTERM\n"
                  "  check -c FILE   read the configuration, say what is "
                  "wrong\n"
                  "  version         print the version\n"
                  "  help            print this text\n");

    return FWD_EXIT_OK;
}


static int
fwd_main_version(const char *file)
{
    (void) file;

    (void) printf("martech-forwarder %s (stream format %s)\n",
                  MARTECH_VERSION, MARTECH_FORMAT_VERSION);

    return FWD_EXIT_OK;
}


static int
fwd_main_check(const char *file)
{
    fwd_rc_t      rc;
    fwd_main_t    m;
    fwd_report_t  report;

    memset(&m, 0, sizeof(fwd_main_t));

    rc = fwd_main_load(&m, file, &report);
    fwd_main_print(report.warnings, report.warnings_count);

    if (rc == FWD_OK) {
        (void) printf("%s: ok, %zu destinations\n", file,
                      m.conf.dests_count);
    }

    fwd_config_free(&m.conf);

    return rc == FWD_OK ? FWD_EXIT_OK : FWD_EXIT_FAILED;
}


/*
 * After this the environment is empty: secrets are in memory, and neither a
 * map nor a library can look there.
 */

static fwd_rc_t
fwd_main_load(fwd_main_t *m, const char *file, fwd_report_t *report)
{
    fwd_rc_t     rc;
    const char  *fail_at;

    memset(report, 0, sizeof(fwd_report_t));
    rc = fwd_config_load(&m->conf, file, report);

    fail_at = getenv("MARTECH_FAIL_AT");

    if (fail_at != NULL) {
        m->fail_at = fwd_pool_string(&m->conf.pool, fail_at,
                                     strlen(fail_at));
    }

    (void) clearenv();

    if (rc == FWD_OK) {
        rc = fwd_config_programs(&m->conf, report);
    }

    fwd_main_print(report->texts, report->count);

    return rc;
}


static void
fwd_main_print(const char *const *texts, size_t count)
{
    size_t  i;

    for (i = 0; i < count && i < FWD_REPORT_MAX; i++) {
        (void) fprintf(stderr, "%s\n", texts[i]);
    }

    if (count > FWD_REPORT_MAX) {
        (void) fprintf(stderr, "... and %zu more\n", count - FWD_REPORT_MAX);
    }
}


static int
fwd_main_run(const char *file)
{
    int           rc;
    fwd_main_t    m;
    fwd_report_t  report;

    memset(&m, 0, sizeof(fwd_main_t));

    (void) umask(077);
    (void) signal(SIGPIPE, SIG_IGN);

    if (fwd_main_load(&m, file, &report) != FWD_OK) {
        fwd_config_free(&m.conf);
        return FWD_EXIT_FAILED;
    }

    m.log = fwd_log_create(STDERR_FILENO,
                           (fwd_log_level_t) m.conf.log_level);

    if (m.log == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        (void) fprintf(stderr, "martech-forwarder: out of memory\n");
        return FWD_EXIT_FAILED;
    }

    rc = fwd_main_loop(&m);

    curl_global_cleanup();
    fwd_log_destroy(m.log);
    fwd_config_free(&m.conf);

    return rc;
}


static int
fwd_main_loop(fwd_main_t *m)
{
    int          rc;
    size_t       i;
    fwd_error_t  err;

    rc = FWD_EXIT_FAILED;

    if (uv_loop_init(&m->loop) != 0
        || fwd_core_init(&m->core, &m->loop, m->log) != FWD_OK)
    {
        (void) fprintf(stderr, "martech-forwarder: cannot make a loop\n");
        return rc;
    }

    if (m->fail_at != NULL
        && fwd_fail_parse(&m->core, m->fail_at, &err) != FWD_OK)
    {
        (void) fprintf(stderr, "martech-forwarder: %s\n", err.text);
        goto done;
    }

    fwd_main_signals(m);

    if (fwd_engine_start(&m->engine, &m->core, &m->conf, &err) != FWD_OK) {
        (void) fprintf(stderr, "martech-forwarder: %s\n", err.text);

    } else {
        fwd_log(m->log, FWD_LOG_INFO, "started",
                fwd_kv_text("version", MARTECH_VERSION),
                fwd_kv_text("owner", m->conf.owner),
                fwd_kv_int("shards", m->conf.shards),
                fwd_kv_int("destinations", m->conf.dests_count),
                fwd_kv_int("pid", getpid()));

        (void) uv_run(&m->loop, UV_RUN_DEFAULT);

        fwd_log(m->log, FWD_LOG_INFO, "stopped");
        rc = FWD_EXIT_OK;
    }

    fwd_engine_close(&m->engine);

    for (i = 0; i < sizeof(m->signals) / sizeof(m->signals[0]); i++) {
        uv_close((uv_handle_t *) &m->signals[i], NULL);
    }

done:

    fwd_core_stop(&m->core);

    /* runs the close callbacks; a worker thread may still be writing */
    (void) uv_run(&m->loop, UV_RUN_DEFAULT);

    fwd_engine_free(&m->engine);
    (void) uv_loop_close(&m->loop);

    return rc;
}


static void
fwd_main_signals(fwd_main_t *m)
{
    size_t  i;

    for (i = 0; i < sizeof(m->signals) / sizeof(m->signals[0]); i++) {
        (void) uv_signal_init(&m->loop, &m->signals[i]);
        m->signals[i].data = m;
        (void) uv_signal_start(&m->signals[i], fwd_main_signal,
                               fwd_main_signums[i]);
    }
}


static void
fwd_main_signal(uv_signal_t *handle, int signum)
{
    fwd_main_t  *m;

    m = handle->data;

    if (signum == SIGHUP) {
        fwd_log(m->log, FWD_LOG_INFO,
                "SIGHUP ignored, restart to read the configuration again");
        return;
    }

    if (m->signaled) {
        return;
    }

    m->signaled = 1;
    fwd_log(m->log, FWD_LOG_INFO, "stopping",
            fwd_kv_text("signal", signum == SIGINT ? "INT" : "TERM"));

    fwd_engine_stop(&m->engine, fwd_main_stopped, m);
}


static void
fwd_main_stopped(void *data)
{
    fwd_main_t  *m = data;

    uv_stop(&m->loop);
}
