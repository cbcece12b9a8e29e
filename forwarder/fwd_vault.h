
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Secrets from a server that speaks the HTTP API of HashiCorp Vault: KV
 * version 2 (or 1), by a token or by AppRole.
 *
 * Only processes of their own talk to it: one that reads all secrets of a
 * configuration and ends, and one that lives as long as the configuration,
 * renews the token and the leases, and tells the supervisor of values that
 * have changed.  So whatever the server does, no loop waits for it.
 */


#ifndef _FWD_VAULT_H_INCLUDED_
#define _FWD_VAULT_H_INCLUDED_


#include "fwd_buf.h"
#include "fwd_log.h"
#include "fwd_secret.h"


#define FWD_VAULT_PATHS_MAX  256


/* Section vault, and what was read by it. */
struct fwd_vault_conf_s {
    const char           *address;       /* URL */
    const char           *namespace;     /* NULL: none */
    const char           *ca;            /* file; NULL: the system's */
    const char           *role_id;       /* AppRole; NULL: a token is given */
    const char           *secret_id;
    const char           *approle;       /* where it is mounted */
    const char           *token;         /* given, or got by AppRole */
    uint64_t              kv;            /* 1 or 2 */
    uint64_t              refresh_ms;    /* between looks at a secret */
    uint64_t              timeout_ms;    /* of a request */

    fwd_words_t           paths;         /* "MOUNT/PATH", each once */
    const char          **values;        /* of paths: JSON objects of fields;
                                            NULL: could not be read */
    const char          **leases;        /* their ids; NULL: without one */
    const char           *error;         /* why; NULL: all is well */
};


/* 1 if a text has the form "vault:MOUNT/PATH#FIELD". */
int fwd_vault_reference_valid(const char *reference);

/* The value of a field, from what was read before. */
fwd_rc_t fwd_vault_value(const char **value, const char *reference,
    const fwd_vault_conf_t *vault, fwd_pool_t *pool, fwd_error_t *err)
    FWD_MUST_CHECK;

/*
 * Reads the section and all secrets that the file names, by a process that is
 * waited for; known, if not NULL, is what the keeper said last and saves
 * that, if it has all of them.  Sets y->secrets->vault.  Without values,
 * known saves a login at least.
 */
void fwd_vault_config(fwd_yaml_t *y, yaml_node_t *node,
    const char *known);

/*
 * In the process that reads (keep 0) or keeps (1): writes messages to a
 * descriptor.  A message is a length of 8 hex digits, "\n", and JSON:
 *     { "token": TEXT, "role": TEXT, "address": TEXT,
 *       "values": { PATH: { FIELD: VALUE } }, "leases": { PATH: ID },
 *       "error": TEXT }
 * The token is one of AppRole, to be used with that role and address only.
 * Returns when it has read, or when nobody listens any more.
 */
void fwd_vault_serve(const fwd_vault_conf_t *vault, int fd, int keep,
    fwd_log_t *log);


#endif /* _FWD_VAULT_H_INCLUDED_ */
