
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What "ledger" has found, and the printing of it.
 */


#ifndef _FWD_CLI_LEDGER_H_INCLUDED_
#define _FWD_CLI_LEDGER_H_INCLUDED_


#include "fwd_cli_book.h"
#include "fwd_cli_shard.h"


typedef struct {
    fwd_cli_t            *cli;
    fwd_cli_names_t       names;
    json_t               *total;         /* book of all shards */
    json_t               *edge;          /* counter -> sum over instances */
    json_t               *differences;
    json_t               *moving;        /* shards that did not stand still */
    uint64_t              deadline_ms;   /* monotonic: no more tries */
    int64_t               twice;         /* more here than edges stored */
    int64_t               evicted;       /* from the quarantine */
    unsigned              unsure:1;      /* unread entries are a guess */
} fwd_ledger_t;


/* For people, or the same as one document; frees nothing. */
void fwd_ledger_print(const fwd_ledger_t *l);
void fwd_ledger_print_json(const fwd_ledger_t *l);


#endif /* _FWD_CLI_LEDGER_H_INCLUDED_ */
