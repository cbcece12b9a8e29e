
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Quarantined events as the commands see them, docs/SPEC.md section 2: what
 * an entry of {P:NN}:quarantine says, which are meant, and a walk over them.
 */


#ifndef _FWD_QUARANTINE_H_INCLUDED_
#define _FWD_QUARANTINE_H_INCLUDED_


#include "fwd_cli_shard.h"

#include "../martech/martech_event.h"
#include "../martech/martech_json.h"


#define FWD_QUARANTINE_NAME_MAX   1024   /* of an event, cut */
#define FWD_QUARANTINE_PLACE_MAX  64


/* An entry; slices of the reply it came in. */
typedef struct {
    uint64_t              shard;
    const char           *entry;         /* its ID */
    martech_str_t         id;
    martech_str_t         src;
    martech_str_t         q;
    martech_json_tape_t  *tape;          /* of q; nodes_count 0: no JSON */
    martech_event_type_t  type;
    uint32_t              plan;          /* context.martech.plan, or none */
    char                  event[FWD_QUARANTINE_NAME_MAX];
} fwd_quarantined_t;


/* FWD_NONE ends the walk, FWD_ERROR too, with a text. */
typedef fwd_rc_t (*fwd_quarantine_pt)(void *data,
    const fwd_quarantined_t *item);


/*
 * Calls the handler with all entries that the options mean, up to their
 * limit: by shard and time.  Those that come meanwhile are not seen.
 */
fwd_rc_t fwd_quarantine_each(fwd_cli_t *cli, fwd_quarantine_pt handler,
    void *data) FWD_MUST_CHECK;

/* FWD_CLI_OK, or it has been explained what of the options is wrong. */
int fwd_quarantine_options(const fwd_cli_t *cli);

/* "03/1700000000000-0"; out has FWD_QUARANTINE_PLACE_MAX. */
const char *fwd_quarantine_place(char *out, const fwd_quarantined_t *item);

/* When it was put there, Unix ms. */
uint64_t fwd_quarantine_at(const fwd_quarantined_t *item);

/*
 * The reasons as the edge noted them: [{ pointer, rule }], and the version of
 * the plan as "name version", "" if it is not known; out has
 * FWD_QUARANTINE_NAME_MAX.
 */
json_t *fwd_quarantine_reasons(const fwd_quarantined_t *item);
const char *fwd_quarantine_plan(char *out, const fwd_quarantined_t *item);

/*
 * Scans a text, into a tape that grows as needed and is the caller's, who
 * frees nodes.  FWD_ERROR if it is no JSON.
 */
fwd_rc_t fwd_quarantine_scan(martech_json_tape_t *tape, martech_str_t text)
    FWD_MUST_CHECK;

/* The limits under which events of the stream are read. */
void fwd_quarantine_limits(martech_limits_t *limits);


#endif /* _FWD_QUARANTINE_H_INCLUDED_ */
