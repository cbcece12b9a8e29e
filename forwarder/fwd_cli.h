
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The commands for people: "martech-forwarder COMMAND -c FILE ...".
 *
 * Each reads the configuration of the forwarder, talks to Redis itself, and
 * needs no forwarder that runs; those about files alone need neither.  A
 * body of an event is shown by "dead show" and "dead export", and of the
 * quarantine with "--values", only; ids are shown everywhere.
 */


#ifndef _FWD_CLI_H_INCLUDED_
#define _FWD_CLI_H_INCLUDED_


/* libraries */
#include <jansson.h>

/* this folder */
#include "fwd_cli_redis.h"
#include "fwd_config.h"


#define FWD_CLI_OK         0
#define FWD_CLI_FAILED     1             /* or a difference was found */
#define FWD_CLI_USAGE      2

#define FWD_CLI_WORDS_MAX  64
#define FWD_CLI_LIST_MAX   1000
#define FWD_CLI_NOT_GIVEN  UINT64_MAX    /* of a number */


typedef struct {
    const char           *list[FWD_CLI_LIST_MAX];
    size_t                count;
} fwd_cli_list_t;


/* What may stand behind a command; flags are 0 or 1. */
typedef struct {
    const char           *file;
    uint64_t              json;
    uint64_t              yes;
    uint64_t              wait_ms;

    const char           *destination;
    const char           *class;
    const char           *reason;
    const char           *code;
    uint64_t              older_ms;
    uint64_t              newer_ms;
    fwd_cli_list_t        ids;
    uint64_t              shard;
    uint64_t              limit;

    uint64_t              remap;
    uint64_t              as_sent;
    uint64_t              rate;
    uint64_t              dry_run;
    uint64_t              diff;
    uint64_t              show_values;
    const char           *to;

    const char           *anonymous;
    const char           *user;
    const char           *why;

    uint64_t              count;
    uint64_t              interval_ms;
    uint64_t              once;
    uint64_t              ages;
    uint64_t              accept;

    const char           *event;         /* of plans and the quarantine */
    const char           *source;
    const char           *rule;
    const char           *plan;
    const char           *format;
    const char           *name;
    uint64_t              least;
    uint64_t              unchecked;
    uint64_t              any_plan;      /* of whatever name */
    uint64_t              values;
    uint64_t              strict;
    uint64_t              allow_breaking;

    const char           *dir;           /* of destinations */
    const char           *token;
    uint64_t              live;
    uint64_t              validate;
} fwd_cli_options_t;


typedef struct {
    const char           *command;       /* "dead ls" */
    fwd_cli_options_t     o;
    const char           *words[FWD_CLI_WORDS_MAX];  /* that are no options */
    size_t                words_count;
    fwd_config_t          conf;
    fwd_pool_t            pool;          /* lives as long as the command */
    fwd_cli_redis_t      *redis;
    fwd_error_t           err;
} fwd_cli_t;


/*
 * Runs the command of argv[1].  -1 if the caller has to: "run", "check" and
 * "version", which are only explained here.
 */
int fwd_cli_main(int argc, char **argv);

/*
 * fwd_cli_parse.c: reads what stands behind the command, of which the table
 * allows the options in the mask.  FWD_ERROR with a text.
 */
fwd_rc_t fwd_cli_parse(fwd_cli_t *cli, unsigned mask, int argc, char **argv)
    FWD_MUST_CHECK;

/* fwd_cli_parse.c: prints the options of a command. */
void fwd_cli_parse_help(unsigned mask);


/* Says what went wrong and returns FWD_CLI_FAILED, or FWD_CLI_USAGE. */
int fwd_cli_fail(const fwd_cli_t *cli);
int fwd_cli_usage(const fwd_cli_t *cli, const char *fmt, ...)
    FWD_PRINTF(2, 3);

/* A destination of the configuration, or NULL. */
const fwd_dest_conf_t *fwd_cli_dest(const fwd_cli_t *cli, const char *name);

/* Prints a document: of many lines for people, or one; and frees it. */
void fwd_cli_print(json_t *value, int pretty);

/* "2026-11-20 19:36:00" (UTC); "3m", "2h" of a number of ms. */
#define FWD_CLI_TIME_MAX  32

const char *fwd_cli_stamp(char *out, uint64_t unix_ms);
const char *fwd_cli_age(char *out, uint64_t ms);


/* One for each command. */
int fwd_cli_ledger(fwd_cli_t *cli);
int fwd_cli_dead_ls(fwd_cli_t *cli);
int fwd_cli_dead_show(fwd_cli_t *cli);
int fwd_cli_dead_stats(fwd_cli_t *cli);
int fwd_cli_dead_export(fwd_cli_t *cli);
int fwd_cli_dead_drop(fwd_cli_t *cli);
int fwd_cli_dead_replay(fwd_cli_t *cli);
int fwd_cli_identity_show(fwd_cli_t *cli);
int fwd_cli_identity_forget(fwd_cli_t *cli);
int fwd_cli_pause(fwd_cli_t *cli);
int fwd_cli_resume(fwd_cli_t *cli);
int fwd_cli_status(fwd_cli_t *cli);
int fwd_cli_top(fwd_cli_t *cli);
int fwd_cli_plan_lint(fwd_cli_t *cli);
int fwd_cli_plan_diff(fwd_cli_t *cli);
int fwd_cli_plan_docs(fwd_cli_t *cli);
int fwd_cli_plan_infer(fwd_cli_t *cli);
int fwd_cli_plan_replay(fwd_cli_t *cli);
int fwd_cli_quarantine_ls(fwd_cli_t *cli);
int fwd_cli_quarantine_show(fwd_cli_t *cli);
int fwd_cli_quarantine_export(fwd_cli_t *cli);
int fwd_cli_quarantine_drop(fwd_cli_t *cli);
int fwd_cli_test(fwd_cli_t *cli);
int fwd_cli_new(fwd_cli_t *cli);
int fwd_cli_send(fwd_cli_t *cli);
int fwd_cli_explain(fwd_cli_t *cli);


/* Bits of commands, for the table of options. */
#define FWD_CLI_LEDGER     0x0001u
#define FWD_CLI_LS         0x0002u
#define FWD_CLI_SHOW       0x0004u
#define FWD_CLI_STATS      0x0008u
#define FWD_CLI_EXPORT     0x0010u
#define FWD_CLI_DROP       0x0020u
#define FWD_CLI_REPLAY     0x0040u
#define FWD_CLI_IDENTITY   0x0080u
#define FWD_CLI_FORGET     0x0100u
#define FWD_CLI_PAUSE      0x0200u
#define FWD_CLI_RESUME     0x0400u
#define FWD_CLI_STATUS     0x0800u
#define FWD_CLI_TOP        0x1000u
#define FWD_CLI_P_LINT     0x2000u
#define FWD_CLI_P_DIFF     0x4000u
#define FWD_CLI_P_DOCS     0x8000u
#define FWD_CLI_P_INFER    0x10000u
#define FWD_CLI_P_REPLAY   0x20000u
#define FWD_CLI_Q_LS       0x40000u
#define FWD_CLI_Q_SHOW     0x80000u
#define FWD_CLI_Q_EXPORT   0x100000u
#define FWD_CLI_Q_DROP     0x200000u
#define FWD_CLI_TEST       0x400000u
#define FWD_CLI_NEW        0x800000u
#define FWD_CLI_SEND       0x1000000u
#define FWD_CLI_EXPLAIN    0x2000000u

#define FWD_CLI_DEAD                                                          \
    (FWD_CLI_LS | FWD_CLI_SHOW | FWD_CLI_STATS | FWD_CLI_EXPORT               \
     | FWD_CLI_DROP | FWD_CLI_REPLAY)
#define FWD_CLI_QUARANTINE                                                    \
    (FWD_CLI_P_REPLAY | FWD_CLI_Q_LS | FWD_CLI_Q_SHOW | FWD_CLI_Q_EXPORT      \
     | FWD_CLI_Q_DROP)

/* These work on files alone: no configuration, no Redis. */
#define FWD_CLI_FILES                                                         \
    (FWD_CLI_P_LINT | FWD_CLI_P_DIFF | FWD_CLI_P_DOCS | FWD_CLI_P_INFER       \
     | FWD_CLI_TEST | FWD_CLI_NEW)

#define FWD_CLI_TRIALS     (FWD_CLI_SEND | FWD_CLI_EXPLAIN)

#define FWD_CLI_ALL        (~FWD_CLI_FILES)


#endif /* _FWD_CLI_H_INCLUDED_ */
