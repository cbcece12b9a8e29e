
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Golden tests of destinations: files golden/NAME.json in the folder of one,
 * with events and the requests that must come of them, or with an answer and
 * what it must mean.  What differs is printed, a line each.
 */


#ifndef _FWD_CLI_TEST_H_INCLUDED_
#define _FWD_CLI_TEST_H_INCLUDED_


/* libraries */
#include <jansson.h>

/* this folder */
#include "fwd_cli_event.h"
#include "fwd_try.h"


#define FWD_GOLDEN_SIZE_MAX  (16 * 1024 * 1024)
#define FWD_GOLDEN_PATH_MAX  512         /* of a value, "requests[0].body" */


/* One file while it is looked at. */
typedef struct {
    const char           *file;
    const fwd_desc_t     *desc;
    json_t               *doc;
    fwd_pool_t           *pool;
    fwd_dest_conf_t       conf;          /* by its settings */
    fwd_map_t           **map;           /* programs of the description, */
    fwd_map_t           **answer;        /* each compiled once */
    uint32_t              differences;
    unsigned              color:1;
} fwd_golden_t;


/* Events of a file, those that are wanted, and what was made of them. */
typedef struct {
    martech_str_t        *texts;
    uint32_t             *places;        /* in the file, of each text */
    uint32_t              count;
    fwd_try_event_t      *ends;          /* of all events of the file */
    uint32_t              ends_count;
    uint64_t              now_ms;
    fwd_try_input_t       in;
    fwd_try_output_t      out;
} fwd_golden_run_t;


/* fwd_cli_test_events.c, fwd_cli_test_answers.c, fwd_cli_test_sequence.c */
void fwd_golden_events(fwd_golden_t *g);
void fwd_golden_answer(fwd_golden_t *g);
void fwd_golden_exchange(fwd_golden_t *g);

/*
 * fwd_cli_test_events.c: settings, events and what is made of them.
 * FWD_ERROR: it was said why.
 */
fwd_rc_t fwd_golden_run(fwd_golden_t *g, fwd_golden_run_t *run)
    FWD_MUST_CHECK;

/* Its "now"; FWD_ERROR: it was said what is wrong. */
fwd_rc_t fwd_golden_now(fwd_golden_t *g, uint64_t *now_ms) FWD_MUST_CHECK;

/* A request as it must be. */
void fwd_golden_request(fwd_golden_t *g, const char *path,
    const fwd_try_call_t *call, const json_t *want);

/*
 * fwd_cli_test_answers.c: "answer" as it comes from the network; path is for
 * what is said of it.
 */
fwd_rc_t fwd_golden_reply(fwd_golden_t *g, const char *path,
    const json_t *answer, fwd_try_answer_t *in) FWD_MUST_CHECK;

/* fwd_cli_test_diff.c: what is not as it must be, each counted. */
void fwd_golden_say(fwd_golden_t *g, const char *path, const char *fmt, ...)
    FWD_PRINTF(3, 4);
void fwd_golden_compare(fwd_golden_t *g, const char *path, const json_t *got,
    const json_t *want);
void fwd_golden_text(fwd_golden_t *g, const char *path, const char *got,
    const char *want);

/* Says how many were not shown. */
void fwd_golden_end(const fwd_golden_t *g);

/* The "settings" and "environment" of a file; FWD_ERROR: it was said why. */
fwd_rc_t fwd_golden_conf(fwd_golden_t *g) FWD_MUST_CHECK;

/* 1 if all members of an object are in a list that NULL ends. */
int fwd_golden_members(fwd_golden_t *g, const char *path,
    const json_t *object, const char *const *names);


#endif /* _FWD_CLI_TEST_H_INCLUDED_ */
