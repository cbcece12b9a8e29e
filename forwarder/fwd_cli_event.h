
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the commands about destinations share: files of JSON, an event that
 * comes from no stream, and whether a destination wants it.
 */


#ifndef _FWD_CLI_EVENT_H_INCLUDED_
#define _FWD_CLI_EVENT_H_INCLUDED_


#include "fwd_cli.h"
#include "fwd_event.h"
#include "fwd_try.h"
#include "fwd_wanted.h"


#define FWD_CLI_EVENT_MAX  (1024 * 1024) /* bytes of the file of one */


/*
 * Reads a file of at most max bytes that holds a JSON object, "-" is standard
 * input.  NULL with "FILE:LINE: what" in err.
 */
json_t *fwd_cli_file_json(const char *file, size_t max, fwd_error_t *err);

/*
 * Appends a value as compact JSON, members in their order, and numbers with
 * as many digits as they need: a body is made of this text.
 */
void fwd_cli_json_write(fwd_buf_t *out, const json_t *value);

/* The same as a text in a pool; len may be NULL. */
const char *fwd_cli_json_text(const json_t *value, fwd_pool_t *pool,
    size_t *len);

/*
 * What the rules of a destination say of an event; ev is filled.  FWD_ERROR:
 * the rules cannot be read, or the text is no event.
 */
fwd_rc_t fwd_cli_event_wanted(fwd_wanted_answer_t *answer, fwd_event_t *ev,
    const fwd_dest_conf_t *conf, martech_str_t text, uint64_t now_ms,
    fwd_pool_t *pool, fwd_error_t *err) FWD_MUST_CHECK;


/* A destination and an event, for "send" and "explain". */
typedef struct {
    const char           *name;
    fwd_dest_conf_t       conf;          /* with endpoints in any case */
    martech_str_t         text;          /* canonical event */
    fwd_event_t           event;
    fwd_wanted_answer_t   wanted;
    const char           *token;         /* answer of a token server; one for
                                            people if none was given */
    uint64_t              now_ms;
    unsigned              token_given:1;
} fwd_cli_trial_t;


/* FWD_ERROR: it was said why, *status is that of the command. */
fwd_rc_t fwd_cli_trial_open(fwd_cli_trial_t *trial, fwd_cli_t *cli,
    int *status) FWD_MUST_CHECK;

/* What would be sent; show: "***" for secrets. */
fwd_rc_t fwd_cli_trial_requests(fwd_try_output_t *out,
    const fwd_cli_trial_t *trial, int show, int validate, fwd_pool_t *pool,
    fwd_error_t *err) FWD_MUST_CHECK;

/*
 * Prints a request, made with show, for people; also secrets that somebody
 * has written where none are declared are masked.
 */
void fwd_cli_trial_print(const fwd_cli_trial_t *trial,
    const fwd_try_call_t *call);

/*
 * fwd_cli_trial_sequence.c: prints the steps of the event's sequence, secrets
 * masked.
 */
fwd_rc_t fwd_cli_trial_sequence(const fwd_cli_trial_t *trial,
    const fwd_try_output_t *out, fwd_cli_t *cli) FWD_MUST_CHECK;

/* Prints a text of any origin, masked, each line with a prefix. */
void fwd_cli_trial_text(const fwd_cli_trial_t *trial, const char *prefix,
    const void *data, size_t len);


#endif /* _FWD_CLI_EVENT_H_INCLUDED_ */
