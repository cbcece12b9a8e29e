
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * "top": a live table.
 *
 * Every frame is written in one go over the one before, line by line, so
 * that nothing flickers.  Signals are waited for instead of handled: between
 * two frames there is nothing else to do.
 */


#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/ioctl.h>

#include "fwd_cli_top.h"


#define FWD_TOP_FRAME_MAX  (4 * 1024 * 1024)
#define FWD_TOP_COLUMNS    80            /* of a terminal that tells none */
#define FWD_TOP_ROWS       24

#define FWD_TOP_ENTER      "\033[?1049h\033[?25l"
#define FWD_TOP_LEAVE      "\033[?25h\033[?1049l"
#define FWD_TOP_HOME       "\033[H"
#define FWD_TOP_LINE_END   "\033[K\r\n"
#define FWD_TOP_REST       "\033[J"


static int fwd_top_run(fwd_top_t *top, int live);
static void fwd_top_show(const fwd_top_t *top, int live);
static void fwd_top_show_live(const fwd_buf_t *table);
static int fwd_top_wait(uint64_t ms);


int
fwd_cli_top(fwd_cli_t *cli)
{
    int         live, status;
    sigset_t    signals;
    fwd_top_t   top;

    if (cli->o.interval_ms < 100) {
        return fwd_cli_usage(cli, "\"--interval\" is less than 100ms");
    }

    if (cli->o.once) {
        cli->o.count = 1;
    }

    (void) sigemptyset(&signals);
    (void) sigaddset(&signals, SIGINT);
    (void) sigaddset(&signals, SIGTERM);
    (void) sigaddset(&signals, SIGWINCH);
    (void) sigprocmask(SIG_BLOCK, &signals, NULL);

    live = isatty(STDOUT_FILENO) && !cli->o.json && !cli->o.once;

    memset(&top, 0, sizeof(fwd_top_t));
    top.cli = cli;

    if (live) {
        (void) printf(FWD_TOP_ENTER);
    }

    status = fwd_top_run(&top, live);

    if (live) {
        (void) printf(FWD_TOP_LEAVE);
        (void) fflush(stdout);
    }

    if (status != FWD_CLI_OK) {
        status = fwd_cli_fail(cli);
    }

    free(top.dests);
    free(top.loops);

    return status;
}


/* Where each table counts, the first is worth waiting for its rates. */

static int
fwd_top_run(fwd_top_t *top, int live)
{
    uint64_t  left;

    left = top->cli->o.count;

    if (!live && left != 0) {

        if (fwd_top_sample(top) != FWD_OK) {
            return FWD_CLI_FAILED;
        }

        if (!fwd_top_wait(top->cli->o.interval_ms)) {
            return FWD_CLI_OK;
        }
    }

    while (left != 0) {

        if (fwd_top_sample(top) != FWD_OK) {
            return FWD_CLI_FAILED;
        }

        fwd_top_show(top, live);

        if (left != FWD_CLI_NOT_GIVEN) {
            left--;
        }

        if (left == 0 || !fwd_top_wait(top->cli->o.interval_ms)) {
            break;
        }
    }

    return FWD_CLI_OK;
}


static void
fwd_top_show(const fwd_top_t *top, int live)
{
    fwd_buf_t  table;

    if (top->cli->o.json) {
        fwd_cli_print(fwd_top_json(top), 0);
        (void) fflush(stdout);
        return;
    }

    fwd_buf_init(&table, FWD_TOP_FRAME_MAX);
    fwd_top_draw(top, &table);

    if (live) {
        fwd_top_show_live(&table);

    } else {
        (void) fwrite(table.data, 1, table.len, stdout);
    }

    (void) fflush(stdout);
    fwd_buf_free(&table);
}


/* What does not fit is cut off, or the terminal would scroll. */

static void
fwd_top_show_live(const fwd_buf_t *table)
{
    size_t           at, len, columns, rows;
    fwd_buf_t        frame;
    const char      *line;
    struct winsize   size;

    columns = FWD_TOP_COLUMNS;
    rows = FWD_TOP_ROWS;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col != 0
        && size.ws_row != 0)
    {
        columns = size.ws_col;
        rows = size.ws_row;
    }

    fwd_buf_init(&frame, FWD_TOP_FRAME_MAX);
    fwd_buf_add_string(&frame, FWD_TOP_HOME);

    for (at = 0; at < table->len && rows > 1; rows--) {
        line = (const char *) table->data + at;
        len = strcspn(line, "\n");
        at += len + 1;

        fwd_buf_add(&frame, line, len < columns ? len : columns);
        fwd_buf_add_string(&frame, FWD_TOP_LINE_END);
    }

    fwd_buf_add_string(&frame, FWD_TOP_REST);

    (void) fwrite(frame.data, 1, frame.len, stdout);
    fwd_buf_free(&frame);
}


/* 0: it is time to end.  A terminal of another size is drawn anew at once. */

static int
fwd_top_wait(uint64_t ms)
{
    int              signum;
    sigset_t         signals;
    struct timespec  t;

    (void) sigemptyset(&signals);
    (void) sigaddset(&signals, SIGINT);
    (void) sigaddset(&signals, SIGTERM);
    (void) sigaddset(&signals, SIGWINCH);

    t.tv_sec = (time_t) (ms / 1000);
    t.tv_nsec = (long) (ms % 1000) * 1000000;

    signum = sigtimedwait(&signals, NULL, &t);

    return signum != SIGINT && signum != SIGTERM;
}
