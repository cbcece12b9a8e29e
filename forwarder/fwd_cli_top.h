
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What "top" knows at one moment, and the drawing of it.
 */


#ifndef _FWD_CLI_TOP_H_INCLUDED_
#define _FWD_CLI_TOP_H_INCLUDED_


#include "fwd_buf.h"
#include "fwd_cli_state.h"


#define FWD_TOP_AGES   7
#define FWD_TOP_LOOPS  1024


typedef struct {
    char                  name[160];
    uint64_t              shards;        /* whose lease it has */
    uint64_t              until_ms;      /* Unix ms of its heart-beat's end,
                                            0: it gave none */
} fwd_top_loop_t;


/* Of a destination. */
typedef struct {
    fwd_cli_depth_t       depth;
    fwd_cli_state_t       state;
    uint64_t              routed;        /* since ever */
    uint64_t              done;
    double                in_rate;       /* a second; below 0: not known */
    double                done_rate;
    uint64_t              inflight;
    double                p99_ms;        /* highest of all loops, 0: none */
    uint32_t              loops;         /* that told something */
    uint32_t              closed;        /* of these, with that breaker */
    char                  breaker[24];   /* another state than closed */
    uint64_t              ages[FWD_TOP_AGES];  /* waiting, with --ages */
} fwd_top_dest_t;


typedef struct {
    fwd_cli_t            *cli;
    fwd_cli_names_t       names;
    fwd_top_dest_t       *dests;         /* by name */
    fwd_top_loop_t       *loops;
    uint32_t              loops_count;
    uint64_t              free_shards;   /* nobody has their lease */
    uint64_t              quarantine;    /* entries, of all shards */
    uint64_t              quarantine_ms; /* Unix ms of the oldest, 0: none */
    uint64_t              now_ms;        /* Unix ms */
    uint64_t              before_ms;     /* of the sample before, 0: none */
} fwd_top_t;


/* Upper bounds of ages in ms, the last has none; and how they are called. */
extern const uint64_t     fwd_top_age_bounds[FWD_TOP_AGES];
extern const char *const  fwd_top_age_names[FWD_TOP_AGES];

/* fwd_cli_top_sample.c: reads all of it anew. */
fwd_rc_t fwd_top_sample(fwd_top_t *top) FWD_MUST_CHECK;

/* Writes a table, lines ended by "\n". */
void fwd_top_draw(const fwd_top_t *top, fwd_buf_t *out);

/* The same for programs. */
json_t *fwd_top_json(const fwd_top_t *top);

/* Age of the oldest quarantined event in ms, 0 if there is none. */
uint64_t fwd_top_quarantine(const fwd_top_t *top);


#endif /* _FWD_CLI_TOP_H_INCLUDED_ */
