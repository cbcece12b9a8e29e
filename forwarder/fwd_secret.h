
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Secrets stand in a configuration by reference only: "file:PATH",
 * "env:NAME" or "vault:MOUNT/PATH#FIELD", or a section of such a text with the
 * environment that it is for.
 */


#ifndef _FWD_SECRET_H_INCLUDED_
#define _FWD_SECRET_H_INCLUDED_


#include <sys/stat.h>

#include "fwd.h"
#include "fwd_pool.h"
#include "fwd_yaml.h"


#define FWD_SECRET_SIZE_MAX  16384
#define FWD_SECRET_ALLOWED                                                    \
    "\"file:PATH\", \"env:NAME\" or \"vault:MOUNT/PATH#FIELD\""


typedef struct fwd_vault_conf_s  fwd_vault_conf_t;
typedef struct fwd_source_s  fwd_source_t;

/* A reference that was read, and for whom. */
struct fwd_source_s {
    fwd_source_t         *next;
    const char           *reference;
    const char           *environment;   /* of the destination; NULL: it is
                                            for the forwarder itself */
    const char           *user;          /* the destination */
    size_t                line;
    struct stat           seen;          /* of a file, when it was read */
};

/* Where the secrets of a configuration come from. */
typedef struct fwd_secrets_s {
    const fwd_vault_conf_t  *vault;      /* NULL: there is none */
    fwd_source_t         *sources;
} fwd_secrets_t;


/*
 * Reads what a reference names into the pool; one line end at the end of a
 * file is cut off.  secrets, if it is not NULL, has Vault and gets a new
 * source.  FWD_ERROR if the text is no reference, or the secret cannot be
 * read, is empty or too long.  The error text never holds the secret, nor a
 * text that is no reference: it may be one.
 */
fwd_rc_t fwd_secret_read(const char **value, const char *reference,
    fwd_secrets_t *secrets, fwd_pool_t *pool, fwd_error_t *err)
    FWD_MUST_CHECK;

/*
 * The value of a secret setting: a reference, or { value: REFERENCE,
 * environment: WORD } that only a destination of that environment may use.
 * NULL after a report.
 */
const char *fwd_secret_setting(fwd_yaml_t *y, yaml_node_t *node,
    const char *path, const char *user, const char *environment);

/* Reports references that destinations of different environments share. */
void fwd_secret_mixing(fwd_yaml_t *y);

/* A number that is another one when one of the files has changed. */
uint64_t fwd_secret_look(const fwd_secrets_t *secrets);

/* The same of what was seen when they were read. */
uint64_t fwd_secret_seen(const fwd_secrets_t *secrets);

/*
 * Moves the environment of the process to the heap and wipes the place where
 * others can read it (/proc/PID/environ); getenv() goes on to work.
 */
void fwd_secret_hide_environment(void);


#endif /* _FWD_SECRET_H_INCLUDED_ */
