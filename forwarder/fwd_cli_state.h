
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The state of destinations that all loops share, for "status" and "top".
 */


#ifndef _FWD_CLI_STATE_H_INCLUDED_
#define _FWD_CLI_STATE_H_INCLUDED_


#include "fwd_cli_shard.h"


#define FWD_CLI_STATE_MAX  320


typedef struct {
    uint64_t              paused_ms;     /* Unix ms */
    uint64_t              hold_ms;       /* Unix ms, 0: none */
    char                  why[256];
    char                  parked[32];    /* "credentials", "stop", or "" */
    unsigned              paused:1;
} fwd_cli_state_t;


/* Reads what stands in Redis. */
fwd_rc_t fwd_cli_state_read(fwd_cli_t *cli, const char *name,
    fwd_cli_state_t *state) FWD_MUST_CHECK;

/* In words; out has FWD_CLI_STATE_MAX. */
const char *fwd_cli_state_text(char *out, const fwd_cli_t *cli,
    const char *name, const fwd_cli_state_t *state, uint64_t now_ms);

/* Columns that names need. */
int fwd_cli_names_width(const fwd_cli_names_t *names);


#endif /* _FWD_CLI_STATE_H_INCLUDED_ */
